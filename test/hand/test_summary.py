from __future__ import annotations

import numpy as np
import pytest

from grasp_pose_net.hand import Hand
from grasp_pose_net.hand.summary import summarize, table


@pytest.mark.parametrize("name", ["shadow", "barrett"])
def test_summary_names_every_joint_once(name: str) -> None:
    hand = Hand.load(name)
    summary = summarize(hand)
    named = [*summary["joints"], *summary["fixed"]]
    named += [follower for joint in summary["joints"].values() for follower in joint["followers"]]
    assert sorted(named) == sorted(hand.joint_names)
    assert sum(summary["contacts"].values()) == len(hand.contacts.link)
    assert summary["open_gap_m"] > 0
    for joint in named:
        assert joint in table(summary)


def test_summary_tells_couplings_and_limits() -> None:
    joint = summarize(Hand.load("barrett"))["joints"]["bh_proximal2"]
    assert joint["followers"] == {"bh_distal2": pytest.approx(1 / 3)}
    assert joint["upper"] == pytest.approx(np.radians(140))
    assert "0.333 x bh_distal2" in table(summarize(Hand.load("barrett")))
