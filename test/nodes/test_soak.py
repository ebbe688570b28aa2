"""What is read off a soak: lies, failures, and growth of memory."""

from __future__ import annotations

import mmap
import os

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from grasp_pose_net.nodes.soak_check import resident_mb, soak_summary

pytestmark = pytest.mark.ros


def entry(number, failure=None, memory=100.0, answered=True):
    known = {"episode": number, "failure": failure, "resident_mb": {"perception": 200.0, "executor": memory}}
    return known | ({"grasp": "object_0/1"} if answered else {})


def test_growth_counts_from_when_all_is_loaded():
    memory = [50.0, *[100.0 + number for number in range(1, 120)]]
    summary = soak_summary([entry(number, memory=size) for number, size in enumerate(memory)])
    assert summary["loaded_after"] == 20 and summary["lifted"] == 120
    assert summary["growth"] == pytest.approx({"perception": 1.0, "executor": 219.0 / 119.0})
    assert soak_summary([entry(number) for number in range(400)])["loaded_after"] == 50
    assert soak_summary([entry(0)])["growth"] == {"perception": 1.0, "executor": 1.0}


def test_a_success_that_lifted_nothing_is_a_lie_and_a_failure_that_says_so_is_none():
    entries = [entry(0), entry(1, "lift"), entry(2, "lift", answered=False), entry(3, "shake")]
    summary = soak_summary(entries)
    assert summary["lied"] == [1] and summary["lifted"] == 1
    assert summary["failures"] == {"lift": 2, "shake": 1}


def test_memory_that_is_taken_is_seen():
    before = resident_mb(os.getpid())
    # from the system itself: an allocator may hand out what it has kept
    with mmap.mmap(-1, 40_000_000) as taken:
        taken.write(b"x" * len(taken))
        assert 30 < resident_mb(os.getpid()) - before < 90
