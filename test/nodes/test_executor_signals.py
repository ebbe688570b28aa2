"""Who ends the executor's process ends its motion first, and whoever asked for it hears so."""

from __future__ import annotations

import copy
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

import rclpy
from executor_rig import OVERRIDES, Caller, FakeRobot, pickup_goal, until, wait
from moveit_msgs.msg import MoveItErrorCodes

from grasp_pose_net.models import robot_srdf, robot_urdf
from grasp_pose_net.nodes.support.runtime import spinning
from grasp_pose_net.robot import RobotModel

pytestmark = [pytest.mark.ros, pytest.mark.slow]

END_S = 5.0


@pytest.fixture(scope="module")
def cell():
    """A robot and a client, without an executor."""
    rclpy.init()
    fake, caller = FakeRobot(RobotModel(robot_urdf(), robot_srdf())), Caller()
    with spinning(fake, caller, threads=8):
        yield fake, caller
    for each in (fake, caller):
        each.destroy_node()
    rclpy.try_shutdown()


@pytest.fixture
def process(cell):
    """A process of the executor that is ready."""
    options = [part for text in OVERRIDES for part in ("-p", text)]
    command = [sys.executable, "-m", "grasp_pose_net.nodes.executor", "--ros-args", *options]
    started = subprocess.Popen(command)
    caller = cell[1]
    caller.show()
    until(caller.client.server_is_ready, 60.0)
    until(lambda: caller.scene_publisher.get_subscription_count() > 0)
    time.sleep(1.0)
    yield started
    started.kill()
    started.wait()
    until(lambda: not caller.client.server_is_ready(), 30.0)


@pytest.mark.parametrize(
    ("phase", "number"),
    [
        ("planning", signal.SIGTERM),
        ("moving", signal.SIGINT),
        ("moving", signal.SIGTERM),
        ("deaf", signal.SIGTERM),
    ],
)
def test_the_client_hears_of_the_end(cell, process, phase, number):
    fake, caller = cell
    goal = pickup_goal(fake.robot)
    at = {"planning": 0, "moving": 3, "deaf": 3}[phase]
    fake.reset("deaf" if phase == "deaf" else "wait", at)
    if phase == "planning":
        far = copy.deepcopy(goal.possible_grasps[0])
        far.grasp_pose.pose.position.x += 0.35
        far.id = ""  # several of one id would be refused
        goal.possible_grasps = [far] * 1000
    handle = caller.send(goal)
    result = handle.get_result_async()
    until(lambda: len(fake.goals) == at)
    time.sleep(0.3)
    asked = time.monotonic()
    process.send_signal(number)
    process.wait(2 * END_S)
    took = time.monotonic() - asked
    error = wait(result, 1.0).result.error_code
    assert process.returncode == 0 and took < END_S
    code, text = (MoveItErrorCodes.PREEMPTED, "the executor is ending")
    assert error.val == code and text in error.message, error.message
    if phase == "moving":
        assert "it has stopped" in error.message and fake.stopped[0] - asked < 1.0
    if phase == "deaf":
        assert "it did NOT confirm within 2 s that it has stopped" in error.message
