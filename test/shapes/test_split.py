"""The split into training and test objects: fixed for ever, about 80/20, by object."""

from __future__ import annotations

import numpy as np

from grasp_pose_net.shapes import split_of


def test_known_sides() -> None:
    # written down once: a change of the hash would silently move test objects into the training set
    known = {
        name: split_of(name)
        for name in ("kit/BathDetergent", "kit/Amicelli", "gso/Weisshai_Great_White_Shark")
    }
    assert known == {
        "kit/BathDetergent": "test",
        "kit/Amicelli": "train",
        "gso/Weisshai_Great_White_Shark": "train",
    }


def test_share_of_test_objects() -> None:
    share = np.mean([split_of(f"source/object_{i}") == "test" for i in range(5000)])
    assert 0.18 < share < 0.22
