"""What the executor does when joints, controllers, scene or clients are not as they should be: it refuses or stops."""

from __future__ import annotations

import copy
import math
import time

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

import numpy as np
from builtin_interfaces.msg import Time
from control_msgs.action import FollowJointTrajectory
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from executor_rig import (
    CAN,
    assert_refused,
    until,
    wait,
)
from moveit_msgs.msg import MoveItErrorCodes, PlanningSceneWorld
from node_messages import box_object
from rclpy.action import ActionClient
from rclpy.parameter import Parameter
from rclpy.task import Future
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.nodes.executor import ExecutorNode
from grasp_pose_net.nodes.support import rivals
from grasp_pose_net.world import make_transform

pytestmark = pytest.mark.ros

CHANGED = MoveItErrorCodes.MOTION_PLAN_INVALIDATED_BY_ENVIRONMENT_CHANGE
JOINT = "shoulder_pan_joint"
LATE_S = 1.0  # for what takes 0.3 s on a machine that does nothing else


@pytest.fixture
def shown(system, caller):
    """Shows a scene, which is gone after the test."""
    node = system[2]

    def show(ready=None, **what):
        before = node._scene._scene
        caller.show(**what)
        until(lambda: node._scene._scene is not before)

    yield show
    show()


def moving(caller, fake, goal, at, mode="wait"):
    """A pick-up whose ``at``-th motion is under way."""
    fake.reset(mode, at)
    handle = caller.send(goal)
    until(lambda: len(fake.goals) == at)
    time.sleep(0.1)
    return handle


def outcome(handle):
    response = wait(handle.get_result_async())
    return response.status, response.result


# joint states


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_motion_is_planned_from_a_joint_that_is_no_number(fake, caller, goal, value):
    fake.said = {JOINT: value}
    time.sleep(0.1)
    texts = (f"positions of {JOINT}: {value} is not a finite number", "nothing was moved")
    assert_refused(caller.pick(goal), MoveItErrorCodes.ROBOT_STATE_STALE, *texts)
    assert fake.goals == []
    fake.said = {}
    time.sleep(0.1)
    assert caller.pick(goal)[0] == 4


def test_no_goal_is_sent_after_a_joint_that_is_no_number(fake, caller, goal):
    handle = moving(caller, fake, goal, 3, mode="nan")
    assert_refused(
        outcome(handle),
        MoveItErrorCodes.ROBOT_STATE_STALE,
        "approach failed. joint state that is none",
        f"{JOINT}: nan",
    )
    assert len(fake.goals) == 3


def test_a_joint_that_is_no_number_stops_a_motion(fake, caller, goal):
    handle = moving(caller, fake, goal, 2)
    fake.said = {JOINT: math.nan}
    assert_refused(outcome(handle), MoveItErrorCodes.ROBOT_STATE_STALE, f"{JOINT}: nan", "it has stopped")
    assert len(fake.stopped) == 1 and len(fake.goals) == 2


def test_joint_states_from_the_future_are_refused(fake, caller, goal):
    fake.ahead_s = 60.0
    time.sleep(0.1)
    assert_refused(caller.pick(goal), MoveItErrorCodes.ROBOT_STATE_STALE, "s in the future", "do the clocks")


# goals


@pytest.mark.parametrize("effort", [math.inf, math.nan])
def test_an_effort_that_is_no_number_is_refused(fake, caller, goal, effort):
    posture = goal.possible_grasps[0].grasp_posture
    posture.points[1].effort = [effort] * len(posture.joint_names)
    assert_refused(
        caller.pick(goal), MoveItErrorCodes.INVALID_GOAL_CONSTRAINTS, "grasp 'can/0': efforts", "finite"
    )
    assert fake.goals == []


@pytest.mark.parametrize(
    ("metres", "text"), [(1e5, "no arm is longer"), (math.inf, "inf"), (math.nan, "nan")]
)
@pytest.mark.parametrize("way", ["pre_grasp_approach", "post_grasp_retreat"])
def test_a_way_without_bounds_is_refused(fake, caller, goal, way, metres, text):
    getattr(goal.possible_grasps[0], way).desired_distance = metres
    began = time.monotonic()
    assert_refused(caller.pick(goal), MoveItErrorCodes.INVALID_GOAL_CONSTRAINTS, "grasp 'can/0'", text)
    assert time.monotonic() - began < 5.0 and fake.goals == []


@pytest.mark.parametrize("seconds", [1e9, math.inf, math.nan, -1.0])
def test_a_planning_time_out_of_range_is_refused(caller, goal, seconds):
    goal.allowed_planning_time = seconds
    texts = ("allowed_planning_time: planning_time_s:",)
    assert_refused(caller.pick(goal), MoveItErrorCodes.INVALID_GOAL_CONSTRAINTS, *texts)


def test_a_scene_of_5000_boxes_is_refused(system, fake, caller, goal, shown):
    boxes = [
        box_object(f"box {i}", (0.05,) * 3, make_transform((2.0 + 0.1 * (i % 100), 0.1 * (i // 100), 0.0)))
        for i in range(5000)
    ]
    caller.show(more=boxes)
    until(lambda: system[2]._scene._problem)
    texts = ("5002 objects with 5002 shapes, allowed are 300", "raise most_shapes")
    assert_refused(caller.pick(goal), MoveItErrorCodes.INVALID_GOAL_CONSTRAINTS, *texts)


def test_many_obstacles_are_planned_around(caller, goal, shown):
    boxes = [box_object(f"box {i}", (0.05,) * 3, make_transform((2.0, 0.1 * i, 0.0))) for i in range(200)]
    shown(more=boxes)
    goal.planning_options.plan_only = True
    assert caller.pick(goal)[0] == 4


def test_a_cancel_is_heard_while_planning(fake, caller, goal):
    far = copy.deepcopy(goal.possible_grasps[0])
    far.grasp_pose.pose.position.x += 0.35
    far.id = ""  # several of one id would be refused
    goal.possible_grasps = [far] * 1000
    handle = caller.send(goal)
    time.sleep(1.0)
    asked = time.monotonic()
    wait(handle.cancel_goal_async())
    status, result = outcome(handle)
    assert time.monotonic() - asked < LATE_S
    assert (status, result.error_code.val) == (5, MoveItErrorCodes.PREEMPTED), result.error_code.message
    assert "the client has cancelled. nothing was moved" in result.error_code.message
    assert fake.goals == []


def test_grasps_of_an_earlier_capture_are_refused(fake, caller, goal, shown):
    shown(stamp=Time(sec=20))
    goal.possible_grasps[0].grasp_pose.header.stamp = Time(sec=10)
    texts = ("planned for can as it was seen at 10.000 s", "seen again at 20.000 s; plan again")
    assert_refused(caller.pick(goal), CHANGED, *texts)
    goal.possible_grasps[0].grasp_pose.header.stamp = Time(sec=20)
    goal.planning_options.plan_only = True
    assert caller.pick(goal)[0] == 4


# controllers


@pytest.mark.parametrize(
    ("lie_at", "stage", "text"),
    [
        (2, "reach", "rad from the planned end"),
        (4, "close", "the hand has made 0 % of its way to the grasp"),
        (6, "lift", "rad from the planned end"),
    ],
)
def test_a_controller_that_lies_is_not_believed(fake, caller, goal, lie_at, stage, text):
    fake.reset("lie", lie_at)
    assert_refused(
        caller.pick(goal), MoveItErrorCodes.CONTROL_FAILED, f"{stage} failed.", text, "Arm: rh_forearm at ("
    )
    assert len(fake.goals) == lie_at


def test_an_object_that_has_gone_is_not_said_to_be_lifted(fake, caller, goal):
    fake.reset("empty")
    texts = ("squeeze failed. nothing is in the hand", "none of 4 pressing fingers is held up")
    assert_refused(caller.pick(goal), MoveItErrorCodes.FAILURE, *texts)
    assert len(fake.goals) == 5


def test_an_acceptance_that_the_client_library_loses_is_seen(fake, caller, goal, monkeypatch):
    sent = []

    def lossy(self, goal, *arguments, **more):
        sent.append(send(self, goal, *arguments, **more))
        return Future() if isinstance(goal, FollowJointTrajectory.Goal) else sent[-1]

    send = ActionClient.send_goal_async
    monkeypatch.setattr(ActionClient, "send_goal_async", lossy)
    status, result = caller.pick(goal)
    assert status == 4 and len(fake.goals) == 6, result.error_code.message


def test_a_motion_whose_acceptance_was_lost_is_stopped(fake, caller, goal, monkeypatch):
    send = ActionClient.send_goal_async

    def lossy(self, goal, *arguments, **more):
        answer = send(self, goal, *arguments, **more)
        return Future() if isinstance(goal, FollowJointTrajectory.Goal) else answer

    monkeypatch.setattr(ActionClient, "send_goal_async", lossy)
    handle = moving(caller, fake, goal, 3)
    wait(handle.cancel_goal_async())
    _, result = outcome(handle)
    assert "it has stopped" in result.error_code.message and len(fake.stopped) == 1


def test_a_result_that_is_lost_is_asked_for_again(fake, caller, goal, monkeypatch):
    ask, asked = ActionClient._get_result_async, set()

    def lossy(self, handle):
        first = bytes(handle.goal_id.uuid) not in asked
        asked.add(bytes(handle.goal_id.uuid))
        lost = first and "controller" in self._action_name
        return Future() if lost else ask(self, handle)

    monkeypatch.setattr(ActionClient, "_get_result_async", lossy)
    status, result = caller.pick(goal)
    assert status == 4 and len(asked) == 7, result.error_code.message


def test_a_motion_that_begins_after_all_is_stopped(fake, caller, goal):
    """The controller takes its time to accept, and nobody waits any more."""
    fake.reset("late wait", 2)
    texts = (
        "did not answer within",
        "it knows of no such motion, and will be stopped should it begin after all",
    )
    assert_refused(caller.pick(goal), MoveItErrorCodes.TIMED_OUT, *texts)
    until(lambda: len(fake.stopped) == 1, 10.0)


def test_controllers_that_go_during_a_motion_and_come_back(fake, caller, goal):
    """What they did is not waited for: nobody does it any more."""
    handle = moving(caller, fake, goal, 3)
    fake.withdraw()
    texts = ("arm_controller/follow_joint_trajectory has gone during a motion", "did NOT confirm within 2 s")
    assert_refused(outcome(handle), MoveItErrorCodes.CONTROL_FAILED, *texts)
    fake.offer()
    fake.reset()
    assert caller.pick(goal)[0] == 4


def test_what_somebody_else_moves_is_not_moved(system, fake, caller, goal):
    node = system[2]
    fake.reset("wait", 1)
    other = ActionClient(caller, FollowJointTrajectory, "hand_controller/follow_joint_trajectory")
    assert other.wait_for_server(5.0)
    home = list(fake.positions.values())
    motion = JointTrajectory(joint_names=list(fake.positions), points=[JointTrajectoryPoint(positions=home)])
    handle = wait(other.send_goal_async(FollowJointTrajectory.Goal(trajectory=motion)))
    until(lambda: node._client._actions[fake.robot.hand.names].does_another)
    texts = (
        "reach failed. controller is busy: hand_controller/follow_joint_trajectory does a motion of another",
    )
    assert_refused(caller.pick(goal), MoveItErrorCodes.CONTROL_FAILED, *texts)
    assert len(fake.goals) == 1
    wait(handle.cancel_goal_async())
    until(lambda: not node._client._actions[fake.robot.hand.names].does_another)
    fake.reset()
    assert caller.pick(goal)[0] == 4
    other.destroy()


# a world that changes


def test_an_obstacle_in_the_way_stops_the_arm(fake, caller, goal, shown):
    handle = moving(caller, fake, goal, 3)
    shown(more=[box_object("aside", (0.3,) * 3, make_transform((-1.0, 0.5, 1.0)))])
    time.sleep(0.3)
    assert not fake.stopped  # it is not in the way
    appeared = time.monotonic()
    shown(more=[box_object("person", (0.3,) * 3, make_transform(np.add(CAN, (0.0, 0.0, 0.27))))])
    texts = ("approach failed. the world has changed:", "would hit person", "it has stopped")
    assert_refused(outcome(handle), CHANGED, *texts)
    assert len(fake.stopped) == 1 and fake.stopped[0] - appeared < LATE_S


def test_an_obstacle_that_comes_between_two_motions_is_seen(fake, caller, goal, shown):
    handle = moving(caller, fake, goal, 1, mode="slow")
    shown(more=[box_object("person", (0.3,) * 3, make_transform(np.add(CAN, (0.0, 0.0, 0.27))))])
    assert_refused(outcome(handle), CHANGED, "reach failed.", "would hit person")
    assert len(fake.goals) == 1


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_target_that_moves_stops_the_arm(fake, caller, goal, shown, at):
    handle = moving(caller, fake, goal, at)
    shown(at=np.add(CAN, (0.01, 0.0, 0.0)))
    time.sleep(0.2)
    assert not fake.stopped
    shown(at=np.add(CAN, (0.1, 0.0, 0.0)))
    texts = (
        "can has moved by 0.100 m since the motion was planned, allowed 0.02; plan again",
        "it has stopped",
    )
    assert_refused(outcome(handle), CHANGED, *texts)


def test_a_target_that_goes_stops_the_arm(system, fake, caller, goal, shown):
    handle = moving(caller, fake, goal, 3)
    caller.scene_publisher.publish(PlanningSceneWorld())
    assert_refused(outcome(handle), CHANGED, "can is no longer there; plan again", "it has stopped")


def test_a_scene_that_is_none_stops_the_arm(fake, caller, goal, shown):
    handle = moving(caller, fake, goal, 3)
    caller.show(frame="camera_1")
    texts = ("what is around is not known any more", "'camera_1'", "it has stopped")
    assert_refused(outcome(handle), CHANGED, *texts)


def test_dry_run_that_is_switched_on_stops_the_arm(system, fake, caller, goal):
    handle = moving(caller, fake, goal, 3)
    system[2].set_parameters([Parameter("dry_run", value=True)])
    try:
        assert_refused(
            outcome(handle),
            MoveItErrorCodes.PREEMPTED,
            "dry_run has been switched on. approach failed.",
            "it has stopped",
        )
    finally:
        system[2].set_parameters([Parameter("dry_run", value=False)])
    assert len(fake.stopped) == 1 and len(fake.goals) == 3


# two executors


def test_a_second_executor_refuses_to_start(system, fake, caller, goal, monkeypatch):
    monkeypatch.setattr(
        rivals, "LISTEN_S", 20.0
    )  # it shares an interpreter with the first one, which is slow to report
    with pytest.raises(
        ConfigError, match=r"another executor \(executor\) already commands /arm_controller/follow"
    ):
        ExecutorNode()
    assert caller.pick(goal)[0] == 4  # the first one goes on


def test_an_executor_that_finds_an_earlier_one_refuses(system, fake, caller, goal):
    """As where two have started in parts of a network that have come together since."""
    node = system[2]
    said = dict(node._rivals.values) | {"began as": "0"}
    status = DiagnosticStatus(name="elsewhere: motions")
    status.values = [KeyValue(key=key, value=value) for key, value in said.items()]
    publisher = caller.create_publisher(DiagnosticArray, "/diagnostics", 10)
    until(lambda: publisher.get_subscription_count() > 0)
    publisher.publish(DiagnosticArray(status=[status]))
    until(node._rivals.first)
    texts = (
        "another executor (elsewhere) already commands /arm_controller/follow_joint_trajectory and",
        "end one",
    )
    assert_refused(caller.pick(goal), MoveItErrorCodes.FAILURE, *texts)
    assert fake.goals == []
    until(lambda: not node._rivals.first(), 10.0)
    assert caller.pick(goal)[0] == 4
