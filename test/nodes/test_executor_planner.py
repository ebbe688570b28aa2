"""Which planner the executor takes."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

import rclpy

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.execution import OmplPlanner
from grasp_pose_net.nodes.executor import ExecutorNode
from grasp_pose_net.nodes.support import moveit_start
from grasp_pose_net.robot import MotionConfig

pytestmark = pytest.mark.ros


@contextmanager
def ros(planner=None):
    rclpy.init(args=["--ros-args", "-p", f"executor:planner:={planner}"] if planner else [])
    try:
        yield
    finally:
        rclpy.try_shutdown()


@pytest.fixture
def no_moveit(monkeypatch):
    monkeypatch.setattr(moveit_start, "moveit_problem", lambda: "No module named 'moveit'")


@pytest.mark.parametrize("planner", ["auto", "ompl"])
def test_ompl_where_moveit_is_not(no_moveit, planner):
    with ros(planner):
        node = ExecutorNode()
        try:
            assert type(node._planner(MotionConfig(), bool)) is OmplPlanner
        finally:
            node.destroy_node()


def test_what_has_been_tried_is_the_default(monkeypatch):
    """MoveIt may be there: nobody shall get the planner that has not run yet without having asked for it."""
    monkeypatch.setattr(moveit_start, "moveit_problem", lambda: None)
    with ros():
        node = ExecutorNode()
        try:
            assert type(node._planner(MotionConfig(), bool)) is OmplPlanner
            assert node._config.motion.velocity_scale == node._config.motion.acceleration_scale == 0.1
        finally:
            node.destroy_node()


def test_moveit_is_refused_where_it_is_not(no_moveit):
    text = "planner is 'moveit', but Python cannot import it .No module named 'moveit'.; install moveit_py"
    with ros("moveit"), pytest.raises(ConfigError, match=text):
        ExecutorNode()


def test_moveit_that_does_not_start_is_a_wrong_configuration(monkeypatch):
    def broken(*_):
        raise RuntimeError("Unable to configure planning scene monitor")

    monkeypatch.setattr(moveit_start, "moveit_problem", lambda: None)
    monkeypatch.setattr(moveit_start, "MoveItSession", broken)
    with (
        ros("auto"),
        pytest.raises(ConfigError, match=r"does not start: Unable to configure .* set planner to"),
    ):
        ExecutorNode()
