from __future__ import annotations

import numpy as np
import pytest

from grasp_pose_net.exceptions import WorldError
from grasp_pose_net.robot import MotionLimits
from grasp_pose_net.simulation.controller import Goal, ResultCode, TrajectoryController
from grasp_pose_net.world import Trajectory

LIMITS = MotionLimits(np.full(2, -1.0), np.full(2, 1.0), np.full(2, 2.0), np.full(2, np.inf))
ANY = np.full(2, np.inf)


def controller(at=(0.0, 0.0)):
    made = TrajectoryController(("a", "b"), LIMITS, start_tolerance_rad=0.05)
    made.hold(np.array(at))
    return made


def goal(end, names=("a", "b"), start=(0.0, 0.0), path=ANY, tolerance=ANY, goal_time=0.5):
    trajectory = Trajectory(names, np.array([0.0, 1.0]), np.array([start, end], float))
    return Goal(trajectory, np.asarray(path), np.asarray(tolerance), goal_time)


def follow(made, lag=0.0, start=0.0, end=3.0):
    """Joints that follow with an offset; the time and the outcome of the goal's end."""
    actual = made.update(start, np.zeros(2))[0] - lag
    for now in np.arange(start, end, 0.01):
        target, _, outcome = made.update(now, actual)
        actual = target - lag
        if outcome is not None:
            return now, outcome, target
    return end, None, actual


def test_a_goal_is_followed_to_its_end():
    made = controller()
    assert made.start(goal([0.5, -0.4]), 0.0, np.zeros(2)) is None
    target, velocity, _ = made.update(0.5, np.zeros(2))
    np.testing.assert_allclose(target, [0.25, -0.2])
    np.testing.assert_allclose(velocity, [0.5, -0.4])
    now, outcome, target = follow(made, start=0.5)
    assert outcome.code == ResultCode.SUCCESSFUL
    np.testing.assert_allclose(now, 1.0, atol=0.011)
    np.testing.assert_allclose(target, [0.5, -0.4])
    assert not made.active


def test_the_order_of_the_goals_joints_does_not_matter():
    made = controller()
    made.start(goal([0.5, -0.4], names=("b", "a")), 0.0, np.zeros(2))
    np.testing.assert_allclose(made.update(0.999999, np.zeros(2))[0], [-0.4, 0.5], atol=1e-5)


def test_missing_and_unknown_joints_are_named():
    for names in (("a",), ("a", "c")):
        outcome = controller().start(goal([0.1] * len(names), names, [0] * len(names)), 0.0, np.zeros(2))
        assert outcome.code == ResultCode.INVALID_JOINTS
    assert "missing: b; unknown: c" in controller().start(goal([0, 0], ("a", "c")), 0.0, np.zeros(2)).text
    with pytest.raises(WorldError, match="the trajectory names a joint twice"):
        goal([0.1] * 3, ("a", "b", "b"), [0] * 3)


def test_limits_and_start_state_are_checked():
    beyond = controller().start(goal([0.5, 1.5]), 0.0, np.zeros(2))
    assert beyond.code == ResultCode.INVALID_GOAL and "b would be at 1.5000" in beyond.text
    elsewhere = controller().start(goal([0.5, 0.5], start=[0.2, 0.0]), 0.0, np.zeros(2))
    assert elsewhere.code == ResultCode.INVALID_GOAL and "0.2000 rad from where a is" in elsewhere.text


def test_fingers_that_hold_something_may_start_from_their_target():
    made = controller(at=(0.3, 0.0))
    assert made.start(goal([0.5, 0.0], start=[0.3, 0.0]), 0.0, np.array([0.1, 0.0])) is None


def test_path_tolerance_aborts_and_holds_where_the_joints_are():
    made = controller()
    made.start(goal([0.5, 0.5], path=[0.1, 0.1]), 0.0, np.zeros(2))
    outcome = None
    for now in np.arange(0, 1, 0.01):
        target, velocity, outcome = made.update(now, np.zeros(2))
        if outcome:
            break
    assert outcome.code == ResultCode.PATH_TOLERANCE_VIOLATED
    np.testing.assert_allclose(now, 0.2, atol=0.02)
    np.testing.assert_array_equal(target, 0)
    np.testing.assert_array_equal(velocity, 0)


def test_goal_tolerance_waits_for_the_goal_time_and_no_longer():
    made = controller()
    made.start(goal([0.5, 0.5], tolerance=[0.01, 0.01]), 0.0, np.zeros(2))
    now, outcome, _ = follow(made, lag=0.05)
    assert outcome.code == ResultCode.GOAL_TOLERANCE_VIOLATED
    np.testing.assert_allclose(now, 1.5, atol=0.02)


def test_a_wrong_goal_leaves_the_running_one_alone():
    made = controller()
    made.start(goal([0.5, 0.5]), 0.0, np.zeros(2))
    assert made.start(goal([0.5, 5.0]), 0.5, np.zeros(2)).code == ResultCode.INVALID_GOAL
    np.testing.assert_allclose(made.update(0.8, np.zeros(2))[0], [0.4, 0.4])
