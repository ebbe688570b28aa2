"""Opening the hand and backing off after a failure."""

from __future__ import annotations

import numpy as np
import pytest
from robot_scenes import MOTION, NEVER, Recorder, box, pickup

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.execution import (
    OmplPlanner,
    PickupConfig,
    Recovery,
    Tried,
    check_limits,
    without_clearance,
)
from grasp_pose_net.execution.way_out import line
from grasp_pose_net.robot import ExecutionFailed, PlanningFailed, Problem, scene_checker
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
    return recovery(robot, controllers).retreat(planner, Tried(grasp, "can"), scene, NEVER)


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


def go_home(robot, controllers, tried, scene):
    return recovery(robot, controllers).home(OmplPlanner(robot, MOTION), tried, scene, NEVER)


def stopped_in(robot, home, scene, grasp, motion):
    """Controllers whose pick-up failed in the middle of a motion, and what is known of it then."""
    controllers = Recorder(robot, home, fail_at=motion)
    result = pickup(robot, controllers).run([grasp], scene, "can", ("table",), lambda stage: None, NEVER)
    assert result.problem is Problem.ABORTED
    controllers.fail_at = None
    controllers.asked.clear()
    return controllers, Tried(grasp, "can").after(result.done)


def at_home(robot, controllers, home):
    measured = robot.configuration(controllers.positions)
    return np.abs(measured - home)[robot.arm.indices].max() < 1e-3


def planner_end(robot, start, trajectory):
    return robot.configuration(
        dict(zip(trajectory.joint_names, trajectory.positions[-1], strict=True)), start
    )


def configurations(robot, start, motions):
    """Every configuration that motions pass from a start."""
    for motion in motions:
        for joints in motion.positions:
            start = robot.configuration(dict(zip(motion.joint_names, joints, strict=True)), start)
            yield start


# stopped: how many motions of the pick-up (reach: hand, arm; approach, close, squeeze, lift) were begun
@pytest.mark.parametrize("stopped", range(1, 7))
def test_home_from_wherever_a_pickup_stopped(robot, home, scene, grasp, stopped):
    controllers, tried = stopped_in(robot, home, scene, grasp, stopped)
    assert (tried.held is not None) == (
        stopped == 6
    )  # the squeeze ended as planned: the lift carries the can
    text = go_home(robot, controllers, tried, scene)
    assert text.startswith("at home. Arm: ") and at_home(robot, controllers, home)
    moved = [motion.joint_names == robot.hand.names for motion, _ in controllers.asked]
    if stopped in (4, 5):  # the fingers were closing around the can, and open as they closed
        assert moved == [True, False, False]
        np.testing.assert_allclose(controllers.asked[0][0].positions[-1], grasp.pre_grasp, atol=1e-6)
    else:
        assert not any(moved)


@pytest.fixture
def under_a_shelf(robot, home, scene):
    """A configuration of the robot whose forearm has come into a shelf from below, a scene with it, and how deep."""
    start = home.copy()
    start[robot.arm.indices[0]] += 0.9
    middle = (robot.link_pose(start, "forearm_link") + robot.link_pose(start, "wrist_1_link"))[:3, 3] / 2
    for away in np.arange(0.4, 0.0, -0.01):
        world = Scene((*scene.objects, box("shelf", (0.2, 0.2, 0.2), middle + np.array([0.0, 0.0, away]))))
        checker = scene_checker(robot, world, MOTION.clearance_m)
        depth = max(checker.contacts(start).values(), default=0.0)
        if depth > 0.02:
            break
    assert 0.02 < depth < 0.05 and checker.free(home)
    return start, world, depth


def test_on_the_way_out_nothing_is_pressed_and_nothing_new_is_touched(robot, under_a_shelf):
    start, world, _ = under_a_shelf
    planner = OmplPlanner(robot, MOTION)
    with pytest.raises(PlanningFailed, match=r"no path: on the way out .* would press into shelf"):
        planner.plan_leaving(start, line(robot, MOTION, start, np.array([0.0, 0.0, 0.05])), world)
    down = line(robot, MOTION, start, np.array([0.0, 0.0, -0.05]))
    end = robot.link_pose(planner_end(robot, start, planner.plan_leaving(start, down, world)), robot.tip)
    below = box("below", (0.4, 0.4, 0.02), end[:3, 3] - np.array([0.0, 0.0, 0.06]))
    with pytest.raises(PlanningFailed, match="would press into below"):
        planner.plan_leaving(start, down, Scene((*world.objects, below)))


def test_home_touches_less_and_less_of_what_the_arm_has_come_into(robot, home, under_a_shelf):
    start, world, depth = under_a_shelf
    checker = scene_checker(robot, world, MOTION.clearance_m)
    controllers = Recorder(robot, start)
    go_home(robot, controllers, None, world)
    assert at_home(robot, controllers, home)
    left = False
    for configuration in configurations(robot, start, [motion for motion, _ in controllers.asked]):
        now = checker.contacts(configuration)
        deepest = max(now.values(), default=0.0)
        assert deepest <= depth + 2e-4 and set(now) <= {
            ("forearm_link", "shelf"),
            ("upper_arm_link", "shelf"),
        }
        assert not (left and now)
        left, depth = not now, deepest
    assert left


def test_where_no_way_leads_out_home_says_what_is_touched_and_moves_nothing(robot, home, scene):
    x, y, z = robot.link_pose(home, "rh_palm")[:3, 3]
    walls = [
        box(f"wall_{i}", np.where(np.eye(3)[axis] > 0, 0.04, 0.6), (x, y, z) + sign * 0.04 * np.eye(3)[axis])
        for i, (axis, sign) in enumerate((axis, sign) for axis in range(3) for sign in (-1, 1))
    ]
    controllers = Recorder(robot, home)
    with pytest.raises(
        PlanningFailed, match=r"start in collision: .*rh_palm touches wall_\d \(\d+ mm\).* no short way"
    ) as failure:
        go_home(robot, controllers, None, Scene((*scene.objects, *walls)))
    assert failure.value.problem is Problem.START_IN_COLLISION
    assert controllers.asked == []


def test_what_comes_into_the_way_home_stops_the_arm(robot, home, scene, grasp):
    controllers, tried = stopped_in(robot, home, scene, grasp, 2)
    wall = box("wall", (0.3, 0.3, 0.3), robot.link_pose(home, "rh_palm")[:3, 3])

    def execute(trajectory, may_stop_short, cancelled):
        cancelled()
        Recorder.execute(controllers, trajectory, may_stop_short, cancelled)

    controllers.execute = execute
    planner = OmplPlanner(robot, MOTION)
    with pytest.raises(ExecutionFailed, match="would hit wall on what was left") as failure:
        recovery(robot, controllers).home(planner, tried, scene, NEVER, lambda: Scene((*scene.objects, wall)))
    assert failure.value.problem is Problem.WORLD_CHANGED
    assert not at_home(robot, controllers, home)
    assert "at home" in recovery(robot, controllers).home(planner, tried, scene, NEVER, lambda: scene)


def test_what_is_held_goes_home_with_the_hand(robot, home, scene, grasp):
    controllers, tried = stopped_in(robot, home, scene, grasp, 6)
    posture = robot.configuration(controllers.positions)[robot.hand.indices]
    go_home(robot, controllers, tried, scene)
    np.testing.assert_array_equal(robot.configuration(controllers.positions)[robot.hand.indices], posture)


def test_fingers_that_do_not_open_keep_the_hand_where_it_is(robot, home, scene, grasp):
    controllers, tried = stopped_in(robot, home, scene, grasp, 5)
    arm = robot.configuration(controllers.positions)[robot.arm.indices]
    stuck = {name: controllers.positions[name] for name in robot.hand.names}
    do = controllers.execute

    def execute(*asked):
        do(*asked)
        controllers.positions.update(stuck)

    controllers.execute = execute
    with pytest.raises(ExecutionFailed, match=r"a part of the hand is .* does something hold it") as failure:
        go_home(robot, controllers, tried, scene)
    assert failure.value.problem is Problem.NOT_AT_START
    np.testing.assert_array_equal(robot.configuration(controllers.positions)[robot.arm.indices], arm)


def test_a_hand_that_was_opened_goes_back_as_it_is(robot, home, scene, grasp):
    controllers, tried = stopped_in(robot, home, scene, grasp, 5)
    recovery(robot, controllers).open_hand(NEVER)
    controllers.asked.clear()
    go_home(robot, controllers, tried, scene)
    assert [motion.joint_names for motion, _ in controllers.asked] == [robot.arm.names] * 2
    assert at_home(robot, controllers, home)


def test_the_home_posture_must_be_there(robot, home):
    with pytest.raises(ConfigError, match="no group_state 'garage' of the arm; it has: home"):
        Recovery(robot, Recorder(robot, home), MOTION, PickupConfig(home="garage"))
