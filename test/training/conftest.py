from __future__ import annotations

import numpy as np
import pytest
import trimesh

from grasp_pose_net.hand import Hand
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.training import Objects, make_objects


@pytest.fixture(scope="session")
def hand() -> Hand:
    return Hand.load("shadow")


def random_grasps(hand: Hand, count: int, seed: int) -> np.ndarray:
    """Pose vectors (count, 25) around an object, unit quaternions, joints within limits."""
    rng = np.random.default_rng(seed)
    x = np.zeros((count, hand.size))
    x[:, :3] = rng.normal(0, 0.05, (count, 3))
    x[:, 3:7] = rng.normal(size=(count, 4))
    x[:, 3:7] /= np.linalg.norm(x[:, 3:7], axis=1, keepdims=True)
    x[:, 7:] = rng.uniform(hand.lower, hand.upper, (count, hand.size - 7))
    return x


@pytest.fixture(scope="session")
def objects(hand: Hand) -> Objects:
    """A box with five grasps and a ball with three."""
    shapes = {
        "made/box": trimesh.creation.box((0.06, 0.1, 0.15)),
        "made/ball": trimesh.creation.icosphere(radius=0.04),
    }
    entries = [
        (name, SignedDistanceField.from_mesh(mesh, 32), random_grasps(hand, count, count))
        for (name, mesh), count in zip(shapes.items(), (5, 3), strict=True)
    ]
    return make_objects(entries, hand)
