"""The executor node on real rclpy, with controllers that succeed, reject, abort, or never answer."""

from __future__ import annotations

import functools
import time

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from executor_rig import (
    ANSWER_S,
    STATE_AGE_S,
    assert_refused,
    pickup_goal,
    until,
    wait,
)
from moveit_msgs.msg import DisplayRobotState, DisplayTrajectory, MoveItErrorCodes
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from grasp_pose_net.nodes.messages.basics import duration_seconds
from grasp_pose_net.nodes.support.qos import LATCHED

pytestmark = pytest.mark.ros


def test_lifts_the_object(fake, caller, goal):
    status, result = caller.pick(goal)
    assert (status, result.error_code.val) == (4, MoveItErrorCodes.SUCCESS), result.error_code.message
    assert caller.feedback == ["reach", "approach", "close", "squeeze", "lift"]
    assert list(result.trajectory_descriptions) == ["reach", "reach", "approach", "close", "squeeze", "lift"]
    assert len(result.trajectory_stages) == 6
    assert result.grasp.id == "can/0" and 0 < result.planning_time < 10
    reached = fake.robot.link_pose(fake.robot.configuration(fake.positions), fake.robot.tip)[:3, 3]
    pose = goal.possible_grasps[0].grasp_pose.pose.position
    np.testing.assert_allclose(reached, (pose.x, pose.y, pose.z + 0.15), atol=1e-3)
    closing = [bool(g.goal_tolerance) and g.goal_tolerance[0].position == -1.0 for g in fake.goals]
    assert closing == [False, False, False, True, True, False]
    durations = [duration_seconds(g.trajectory.points[-1].time_from_start) for g in fake.goals]
    assert all(0.05 < seconds < 10 for seconds in durations)


def test_a_grasp_in_the_objects_frame_is_the_same(fake, caller, goal):
    caller.pick(goal)
    in_world = fake.goals[2].trajectory.points[-1].positions
    fake.reset()
    status, _ = caller.pick(pickup_goal(fake.robot, frame="can"))
    assert status == 4
    np.testing.assert_allclose(fake.goals[2].trajectory.points[-1].positions, in_world, atol=1e-4)


def test_plan_only_moves_nothing(fake, caller, goal):
    goal.planning_options.plan_only = True
    status, result = caller.pick(goal)
    assert status == 4 and len(result.trajectory_stages) == 6
    assert fake.goals == []


@pytest.mark.parametrize(("fail_at", "stage"), [(1, "reach"), (2, "reach"), (3, "approach"), (6, "lift")])
@pytest.mark.parametrize(
    ("mode", "code", "text"),
    [
        ("reject", MoveItErrorCodes.CONTROL_FAILED, "rejected a motion of"),
        ("abort", MoveItErrorCodes.CONTROL_FAILED, "the elbow is blocked (code -4)"),
        ("wait", MoveItErrorCodes.TIMED_OUT, "it has stopped"),
        ("slow answer", MoveItErrorCodes.TIMED_OUT, f"did not answer within {ANSWER_S:g} s"),
    ],
)
def test_a_controller_that_fails(fake, caller, goal, mode, code, text, fail_at, stage):
    fake.reset(mode, fail_at)
    began = time.monotonic()
    assert_refused(
        caller.pick(goal), code, f"{stage} failed.", text, "Arm: rh_forearm at (", "hand: nearest to"
    )
    assert time.monotonic() - began < 15
    assert len(fake.goals) == fail_at
    assert caller.feedback[-1] == stage


def test_the_next_pickup_after_a_failure_succeeds(fake, caller, goal):
    fake.reset("abort", 3)
    assert_refused(caller.pick(goal), MoveItErrorCodes.CONTROL_FAILED)
    fake.reset()
    assert caller.pick(goal)[0] == 4


@pytest.mark.parametrize("fail_at", [1, 2, 3, 4, 5, 6])
def test_cancel_stops_the_motion_at_every_stage(fake, caller, goal, fail_at):
    fake.reset("wait", fail_at)
    handle = caller.send(goal)
    until(lambda: len(fake.goals) == fail_at)
    time.sleep(0.05)
    asked = time.monotonic()
    wait(handle.cancel_goal_async())
    response = wait(handle.get_result_async())
    assert response.status == 5  # cancelled
    assert response.result.error_code.val == MoveItErrorCodes.PREEMPTED
    assert "it has stopped" in response.result.error_code.message
    assert len(fake.stopped) == 1 and fake.stopped[0] - asked < 2.0  # on a busy machine
    assert len(fake.goals) == fail_at


def test_who_ends_the_executor_ends_the_motion(system, fake, caller, goal):
    node = system[2]
    fake.reset("wait", 2)
    handle = caller.send(goal)
    until(lambda: len(fake.goals) == 2)
    assert not node.end()  # as on Ctrl-C
    until(node.end)
    node._ended.clear()
    result = wait(handle.get_result_async()).result
    assert len(fake.stopped) == 1 and "it has stopped" in result.error_code.message


def test_one_at_a_time(fake, caller, goal):
    fake.reset("wait", 2)
    first = caller.send(goal)
    until(lambda: len(fake.goals) == 2)
    assert_refused(caller.pick(goal), MoveItErrorCodes.FAILURE, "another motion is under way (reach)")
    wait(first.cancel_goal_async())
    assert wait(first.get_result_async()).status == 5


def test_joint_states_that_stop_during_a_motion_stop_it(fake, caller, goal):
    fake.reset("mute", 3)
    assert_refused(
        caller.pick(goal),
        MoveItErrorCodes.ROBOT_STATE_STALE,
        "approach failed. stale joint state: joint states on /joint_states are",
        "it has stopped",
        "State of arm and hand unknown: stale joint state",
    )
    assert len(fake.stopped) == 1 and len(fake.goals) == 3


def test_a_dry_run_plans_and_shows_and_moves_nothing(system, fake, caller, goal):
    node = system[2]
    shown = {}
    for kind, topic in ((DisplayTrajectory, "planned_motion"), (DisplayRobotState, "grasp_states")):
        take = functools.partial(shown.__setitem__, topic)
        caller.create_subscription(kind, f"/executor/{topic}", take, LATCHED)
    node.set_parameters([Parameter("dry_run", value=True)])
    try:
        status, result = caller.pick(goal)
        refused = [wait(client.call_async(Trigger.Request())) for client in caller.triggers]
    finally:
        node.set_parameters([Parameter("dry_run", value=False)])
    assert status == 4 and "nothing was moved" in result.error_code.message
    assert [answer.success for answer in refused] == [False, False]
    assert all("nothing was moved. dry_run is on" in answer.message for answer in refused)
    assert fake.goals == []
    until(lambda: len(shown) == 2)
    motion, at_grasp = shown["planned_motion"], shown["grasp_states"].state.joint_state
    assert len(motion.trajectory) == 6 and len(motion.trajectory_start.joint_state.name) == 30
    reached = fake.robot.link_pose(
        fake.robot.configuration(dict(zip(at_grasp.name, at_grasp.position, strict=True))), fake.robot.tip
    )
    pose = goal.possible_grasps[0].grasp_pose.pose.position
    np.testing.assert_allclose(reached[:3, 3], (pose.x, pose.y, pose.z), atol=1e-3)


def test_hand_and_arm_come_free_after_a_failure(fake, caller, goal):
    open_hand, retreat = caller.triggers
    fake.reset("abort", 6)
    assert_refused(caller.pick(goal), MoveItErrorCodes.CONTROL_FAILED, "lift failed")
    opened = wait(open_hand.call_async(Trigger.Request()))
    assert opened.success and "nearest to the open posture" in opened.message
    away = wait(retreat.call_async(Trigger.Request()))
    assert away.success and "moved back by 0.10 m. Arm: rh_forearm at (" in away.message, away.message
    joints = [len(g.trajectory.joint_names) for g in fake.goals[6:]]
    assert joints == [24, 6]


def test_services_refuse_while_a_pickup_is_under_way(fake, caller, goal):
    fake.reset("wait", 3)
    handle = caller.send(goal)
    until(lambda: len(fake.goals) == 3)
    for client in caller.triggers:
        answer = wait(client.call_async(Trigger.Request()))
        assert not answer.success and "another motion is under way (approach)" in answer.message
    wait(handle.cancel_goal_async())
    assert wait(handle.get_result_async()).status == 5
    assert len(fake.goals) == 3


def test_a_service_that_fails_says_where_things_are(fake, caller, goal):
    fake.reset("reject", 1)
    answer = wait(caller.triggers[0].call_async(Trigger.Request()))
    assert not answer.success
    assert "open_hand failed. controller rejected the motion:" in answer.message
    assert "Arm: rh_forearm at (" in answer.message


def test_an_unexpected_error_ends_the_action_and_says_where_the_arm_is(
    system, fake, caller, goal, monkeypatch
):
    def broken(*_):
        raise RuntimeError("out of range")

    monkeypatch.setattr(system[2], "_planner", broken)
    assert_refused(
        caller.pick(goal), MoveItErrorCodes.FAILURE, "RuntimeError('out of range')", "Arm: rh_forearm at ("
    )
    monkeypatch.undo()
    assert caller.pick(goal)[0] == 4


def test_diagnostics_say_how_robot_and_last_motion_are(fake, caller, goal):
    heard = {}

    def take(message):
        heard.update({status.name: status for status in message.status})

    subscription = caller.create_subscription(DiagnosticArray, "/diagnostics", take, 10)
    fake.reset("abort", 2)
    caller.pick(goal)
    heard.clear()
    until(lambda: {"executor: robot", "executor: motions"} <= set(heard))
    robot, motions = heard["executor: robot"], heard["executor: motions"]
    assert robot.level == DiagnosticStatus.OK and "controllers are there" in robot.message
    assert motions.level == DiagnosticStatus.WARN and "the elbow is blocked" in motions.message
    values = {entry.key: entry.value for entry in motions.values}
    assert (values["doing"], values["planner"], values["dry run"]) == ("idle", "OMPL", "False")
    fake.silent = True
    until(lambda: heard["executor: robot"].level == DiagnosticStatus.ERROR)
    assert "s old, allowed" in heard["executor: robot"].message
    caller.destroy_subscription(subscription)


def test_joint_states_that_stopped(fake, caller, goal):
    fake.silent = True
    time.sleep(STATE_AGE_S + 0.2)
    assert_refused(
        caller.pick(goal),
        MoveItErrorCodes.ROBOT_STATE_STALE,
        f"s old, allowed {STATE_AGE_S:g} s",
        "nothing was moved",
    )
    assert fake.goals == []


def test_unknown_target_names_those_that_there_are(fake, caller, goal):
    goal.target_name = "cup"
    assert_refused(caller.pick(goal), MoveItErrorCodes.INVALID_OBJECT_NAME, "no object 'cup'", "can, table")


def test_unknown_support(fake, caller, goal):
    goal.support_surface_name = "shelf"
    assert_refused(caller.pick(goal), MoveItErrorCodes.INVALID_OBJECT_NAME, "no object 'shelf'")


def test_unknown_group(fake, caller, goal):
    goal.group_name = "left_arm"
    assert_refused(
        caller.pick(goal), MoveItErrorCodes.INVALID_GOAL_CONSTRAINTS, "'left_arm'; valid: 'right_arm'"
    )


def test_no_grasps(fake, caller, goal):
    goal.possible_grasps = []
    assert_refused(caller.pick(goal), MoveItErrorCodes.INVALID_GOAL_CONSTRAINTS, "ask /plan_grasp for some")


def test_grasp_in_an_unknown_frame(fake, caller, goal):
    goal.possible_grasps[0].grasp_pose.header.frame_id = "camera_1"
    texts = ("grasp 'can/0': grasp_pose is in frame 'camera_1'; accepted: world, can, table",)
    assert_refused(caller.pick(goal), MoveItErrorCodes.INVALID_GOAL_CONSTRAINTS, *texts)


def test_direction_in_an_unknown_frame(fake, caller, goal):
    goal.possible_grasps[0].pre_grasp_approach.direction.header.frame_id = ""
    text = "pre_grasp_approach is in frame ''; accepted: world, can, table, rh_forearm"
    assert_refused(caller.pick(goal), MoveItErrorCodes.INVALID_GOAL_CONSTRAINTS, text)


def test_posture_that_lacks_joints(fake, caller, goal):
    wanting = goal.possible_grasps[0].pre_grasp_posture
    wanting.joint_names = wanting.joint_names[2:]
    wanting.points[0].positions = wanting.points[0].positions[2:]
    text = "pre_grasp_posture lacks rh_THJ2, rh_THJ1"
    assert_refused(caller.pick(goal), MoveItErrorCodes.INVALID_GOAL_CONSTRAINTS, text)


def test_grasp_out_of_reach(fake, caller, goal):
    goal.possible_grasps[0].grasp_pose.pose.position.x += 2.0
    assert_refused(caller.pick(goal), MoveItErrorCodes.NO_IK_SOLUTION, "out of reach", "nothing was moved")
    assert fake.goals == []


def test_object_in_another_frame(system, fake, caller, goal):
    caller.show(frame="camera_1")
    until(lambda: system[2]._scene._problem)
    outcome = caller.pick(goal)
    caller.show()
    until(lambda: not system[2]._scene._problem)
    assert_refused(outcome, MoveItErrorCodes.INVALID_GOAL_CONSTRAINTS, "'can' is given in frame 'camera_1'")
