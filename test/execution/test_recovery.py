"""Opening the hand and backing off after a failure."""

from __future__ import annotations

import numpy as np
import pytest
from robot_scenes import MOTION, NEVER, Recorder, box, pickup

from grasp_pose_net.execution import OmplPlanner, PickupConfig, Recovery, check_limits, without_clearance
from grasp_pose_net.robot import ExecutionFailed, PlanningFailed, Problem
from grasp_pose_net.world import Scene


@pytest.fixture
def after_closing(robot, home, scene, grasp):
    """Controllers whose pick-up failed as the fingers were pressing."""
    controllers = Recorder(robot, home, fail_at=5)
    result = pickup(robot, controllers).run([grasp], scene, "can", ("table",), lambda stage: None, NEVER)
    assert result.problem is Problem.ABORTED and result.stage == "squeeze"
    controllers.asked.clear()
    return controllers


def recovery(robot, controllers):
    return Recovery(robot, controllers, MOTION, PickupConfig())


def back(robot, controllers, grasp, scene):
    planner = OmplPlanner(robot, without_clearance(MOTION))
    return recovery(robot, controllers).retreat(planner, grasp, scene, NEVER)


def test_open_hand_opens_it_and_moves_nothing_else(robot, after_closing):
    text = recovery(robot, after_closing).open_hand(NEVER)
    ((motion, may_stop_short),) = after_closing.asked
    assert motion.joint_names == robot.hand.names and may_stop_short
    np.testing.assert_allclose(motion.positions[-1], robot.named_states["open"][robot.hand.indices])
    check_limits(motion, MOTION.hand_limits(robot))
    assert text.startswith("opened the hand. Arm: rh_forearm at (") and "nearest to the open posture" in text


def test_retreat_goes_straight_back_along_the_approach(robot, after_closing, scene, grasp):
    before = robot.link_pose(robot.configuration(after_closing.positions), robot.tip)
    text = back(robot, after_closing, grasp, scene)
    after = robot.link_pose(robot.configuration(after_closing.positions), robot.tip)
    np.testing.assert_allclose(after[:3, 3] - before[:3, 3], -0.10 * grasp.approach, atol=1e-4)
    np.testing.assert_allclose(after[:3, :3], before[:3, :3], atol=1e-3)
    ((motion, _),) = after_closing.asked
    assert motion.joint_names == robot.arm.names
    check_limits(motion, MOTION.arm_limits(robot))
    assert text.startswith("moved back by 0.10 m. Arm: rh_forearm at (") and "m from its grasp pose" in text


def test_retreat_does_not_go_through_things(robot, after_closing, scene, grasp):
    behind = robot.link_pose(robot.configuration(after_closing.positions), robot.tip)[:3, 3]
    wall = box("wall", (0.05, 0.05, 0.05), behind - 0.17 * grasp.approach)
    with pytest.raises(PlanningFailed, match="wall"):
        back(robot, after_closing, grasp, Scene((*scene.objects, wall)))
    assert after_closing.asked == []


def test_nothing_moves_on_stale_joint_states(robot, after_closing, scene, grasp):
    after_closing.age_s = 2.0
    with pytest.raises(ExecutionFailed, match="stale joint state"):
        recovery(robot, after_closing).open_hand(NEVER)
    with pytest.raises(ExecutionFailed, match="stale joint state"):
        back(robot, after_closing, grasp, scene)
    assert after_closing.asked == []
