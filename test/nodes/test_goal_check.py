"""Answers that the client library loses under load leave no motion unwatched."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

import rclpy
from control_msgs.action import FollowJointTrajectory
from rclpy.action import ActionClient
from rclpy.task import Future

from grasp_pose_net.nodes.goal_check import count_goals

pytestmark = pytest.mark.ros


@pytest.fixture
def ros():
    rclpy.init()
    yield
    rclpy.try_shutdown()


def test_no_motion_goes_unwatched(ros, monkeypatch):
    """Every second answer is lost, and Python is busy; how many rclpy loses by itself is for `count_goals` over more goals."""
    send, sent = ActionClient.send_goal_async, []

    def lossy(self, goal, *arguments, **more):
        sent.append(send(self, goal, *arguments, **more))
        return Future() if isinstance(goal, FollowJointTrajectory.Goal) and len(sent) % 2 else sent[-1]

    monkeypatch.setattr(ActionClient, "send_goal_async", lossy)
    count = count_goals(20)
    assert (count.goals, count.done, count.begun, count.unwatched) == (20, 20, 20, 0), count.failures
    assert count.lost >= 10
