"""What is OMPL's own; what it shares with other planners is in ``test_planner_contract.py``."""

from __future__ import annotations

import numpy as np
import pytest
from robot_scenes import box

from grasp_pose_net.execution import OmplPlanner
from grasp_pose_net.robot import MotionConfig, PlanningFailed, Problem
from grasp_pose_net.world import Scene

CONFIG = MotionConfig(planning_time_s=2.0)


def test_same_seed_same_motion(robot, home, scene):
    cluttered = Scene((scene["table"], box("post", (0.08, 0.08, 0.5), (0.75, 0.0, 0.97))))
    T_world_tip = robot.chain.tip_pose(home[robot.arm.indices])
    T_world_tip[:3, 3] = 0.75, -0.35, 1.35
    planner = OmplPlanner(robot, CONFIG)
    first, second = (planner.plan_to_pose(home, T_world_tip, cluttered) for _ in range(2))
    np.testing.assert_array_equal(first.positions, second.positions)
    np.testing.assert_allclose(robot.chain.tip_pose(first.positions[-1]), T_world_tip, atol=2e-4)


def blocked_turn(robot, home):
    """The arm's joints before and after a turn of 1 rad at its base, and a scene whose post is in the way."""
    begin = home[robot.arm.indices]
    goal = np.add(begin, (1.0, 0.0, 0.0, 0.0, 0.0, 0.0))
    halfway = home.copy()
    halfway[robot.arm.indices] += (0.5, 0.0, 0.0, 0.0, 0.0, 0.0)
    in_the_way = Scene((box("post", (0.02, 0.02, 0.02), robot.link_pose(halfway, "rh_palm")[:3, 3]),))
    return begin, goal, in_the_way


def test_a_motion_that_is_not_clear_is_not_given_out(robot, home, monkeypatch):
    """The curve is checked again, whatever the search says of the path under it."""
    planner = OmplPlanner(robot, CONFIG)
    _, goal, in_the_way = blocked_turn(robot, home)
    monkeypatch.setattr(planner, "_search", lambda start, begin, end, *_: np.array([begin, end]))
    with pytest.raises(PlanningFailed, match="no smooth motion along it keeps clear") as raised:
        planner.plan_to_joints(home, goal, in_the_way)
    assert raised.value.problem is Problem.NO_PATH


def test_another_search_follows_a_motion_that_is_not_clear(robot, home, monkeypatch):
    planner = OmplPlanner(robot, CONFIG)
    begin, goal, in_the_way = blocked_turn(robot, home)
    searched, first = planner._search, iter([np.array([begin, goal])])

    def search(*given):
        for path in first:
            return path
        return searched(*given)

    monkeypatch.setattr(planner, "_search", search)
    trajectory = planner.plan_to_joints(home, goal, in_the_way)
    np.testing.assert_allclose(trajectory.positions[-1], goal, atol=1e-9)
