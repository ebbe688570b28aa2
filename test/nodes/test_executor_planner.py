"""Which planner the executor takes."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

import rclpy

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.execution import MotionConfig, OmplPlanner
from grasp_pose_net.nodes import executor
from grasp_pose_net.nodes.executor import ExecutorNode

pytestmark = pytest.mark.ros


@contextmanager
def ros(planner):
    rclpy.init(args=["--ros-args", "-p", f"executor:planner:={planner}"])
    try:
        yield
    finally:
        rclpy.try_shutdown()


@pytest.fixture
def no_moveit(monkeypatch):
    monkeypatch.setattr(executor, "moveit_problem", lambda: "No module named 'moveit'")


@pytest.mark.parametrize("planner", ["auto", "ompl"])
def test_ompl_where_moveit_is_not(no_moveit, planner):
    with ros(planner):
        node = ExecutorNode()
        try:
            assert type(node._planner(MotionConfig(), bool)) is OmplPlanner
        finally:
            node.destroy_node()


def test_moveit_is_refused_where_it_is_not(no_moveit):
    text = "planner is 'moveit', but Python cannot import it .No module named 'moveit'.; install moveit_py"
    with ros("moveit"), pytest.raises(ConfigError, match=text):
        ExecutorNode()


def test_moveit_that_does_not_start_is_a_wrong_configuration(monkeypatch):
    def broken(*_):
        raise RuntimeError("Unable to configure planning scene monitor")

    monkeypatch.setattr(executor, "moveit_problem", lambda: None)
    monkeypatch.setattr(executor, "MoveItSession", broken)
    with (
        ros("auto"),
        pytest.raises(ConfigError, match=r"does not start: Unable to configure .* set planner to"),
    ):
        ExecutorNode()
