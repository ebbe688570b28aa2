"""One suite for every motion planner; OMPL is the one that needs no ROS."""

from __future__ import annotations

import numpy as np
import pytest
from execution_scenes import box

from grasp_pose_net.execution import (
    MotionConfig,
    OmplPlanner,
    PlanningFailed,
    Problem,
    Scene,
    check_limits,
    scene_checker,
)

CONFIG = MotionConfig(planning_time_s=2.0)


@pytest.fixture(scope="module", params=[OmplPlanner])
def planner(request, robot):
    return request.param(robot, CONFIG)


@pytest.fixture(scope="module")
def cluttered(scene):
    return Scene((scene["table"], box("post", (0.08, 0.08, 0.5), (0.75, 0.0, 0.97))))


def with_arm(robot, configuration, arm):
    configuration = configuration.copy()
    configuration[robot.arm.indices] = arm
    return configuration


def assert_sound(robot, trajectory, start, scene):
    """Starts where the arm is, and is within limits and free at every sample."""
    assert trajectory.joint_names == robot.arm.names
    np.testing.assert_allclose(trajectory.positions[0], start[robot.arm.indices], atol=1e-9)
    np.testing.assert_array_equal(trajectory.velocities[[0, -1]], 0.0)
    check_limits(trajectory, CONFIG.arm_limits(robot))
    checker = scene_checker(robot, scene, CONFIG.clearance_m)
    for arm in trajectory.positions:
        assert checker.collision(with_arm(robot, start, arm)) is None


def pose_at(robot, home, x, y, z):
    T_world_tip = robot.chain.tip_pose(home[robot.arm.indices])
    T_world_tip[:3, 3] = x, y, z
    return T_world_tip


def test_to_pose_around_an_obstacle(robot, home, planner, cluttered):
    start = home
    for goal in ((0.75, -0.35, 1.35), (0.75, 0.35, 1.35), (0.5, 0.0, 1.4)):
        T_world_tip = pose_at(robot, home, *goal)
        trajectory = planner.plan_to_pose(start, T_world_tip, cluttered)
        assert_sound(robot, trajectory, start, cluttered)
        np.testing.assert_allclose(robot.chain.tip_pose(trajectory.positions[-1]), T_world_tip, atol=2e-4)
        start = with_arm(robot, start, trajectory.positions[-1])


def test_to_joints(robot, home, planner, cluttered):
    goal = home[robot.arm.indices] + (1.0, 0.3, -0.3, 0.5, 0.2, -1.0)
    trajectory = planner.plan_to_joints(home, goal, cluttered)
    assert_sound(robot, trajectory, home, cluttered)
    np.testing.assert_allclose(trajectory.positions[-1], goal, atol=1e-9)


def test_same_seed_same_motion(robot, home, planner, cluttered):
    T_world_tip = pose_at(robot, home, 0.75, -0.35, 1.35)
    first, second = (planner.plan_to_pose(home, T_world_tip, cluttered) for _ in range(2))
    np.testing.assert_array_equal(first.positions, second.positions)


def test_nowhere_to_go(robot, home, planner, cluttered):
    trajectory = planner.plan_to_joints(home, home[robot.arm.indices], cluttered)
    np.testing.assert_allclose(
        trajectory.positions, np.broadcast_to(home[robot.arm.indices], trajectory.positions.shape)
    )


def failure(problem, match):
    class Expected:
        def __enter__(self):
            self.raises = pytest.raises(PlanningFailed, match=match)
            self.info = self.raises.__enter__()

        def __exit__(self, *error):
            caught = self.raises.__exit__(*error)
            assert self.info.value.problem is problem
            return caught

    return Expected()


def test_goal_out_of_reach(robot, home, planner, scene):
    with failure(Problem.NO_INVERSE_KINEMATICS, r"rh_forearm cannot reach \[3\. *0\. *1\. *\] m"):
        planner.plan_to_pose(home, pose_at(robot, home, 3.0, 0.0, 1.0), scene)


def test_goal_in_collision(robot, home, planner, scene):
    with failure(Problem.GOAL_IN_COLLISION, "at the goal .* hits table"):
        planner.plan_to_pose(home, pose_at(robot, home, 0.7, 0.0, 0.9), scene)


def test_goal_outside_limits(robot, home, planner, scene):
    goal = home[robot.arm.indices].copy()
    goal[2] = 4.0
    with failure(Problem.OUTSIDE_LIMITS, r"the goal has elbow_joint = 4\.000"):
        planner.plan_to_joints(home, goal, scene)


def test_start_outside_limits(robot, home, planner, scene):
    start = home.copy()
    start[2] = 4.0
    with failure(Problem.OUTSIDE_LIMITS, r"the start has elbow_joint = 4\.000"):
        planner.plan_to_joints(start, home[robot.arm.indices], scene)


def test_start_in_collision(robot, home, planner):
    around = Scene((box("crate", (0.3, 0.3, 0.3), robot.link_pose(home, "rh_palm")[:3, 3]),))
    with failure(Problem.START_IN_COLLISION, "with crate"):
        planner.plan_to_joints(home, home[robot.arm.indices] + 0.1, around)


def test_walled_in(robot, home, scene):
    planner = OmplPlanner(robot, MotionConfig(planning_time_s=0.3))
    tip = robot.link_pose(home, "rh_palm")[:3, 3]
    walls = [box("wall", (0.02, 3.0, 3.0), np.add(tip, (x, 0, 0))) for x in (0.3,)]
    beyond = pose_at(robot, home, 0.95, 0.16, 1.5)
    with pytest.raises(PlanningFailed) as raised:
        planner.plan_to_pose(home, beyond, Scene(tuple(walls)))
    assert raised.value.problem in (Problem.NO_PATH, Problem.GOAL_IN_COLLISION)


def test_a_motion_that_is_not_clear_is_not_given_out(robot, home, scene, monkeypatch):
    """The curve is checked again, whatever the search says of the path under it."""
    planner = OmplPlanner(robot, CONFIG)
    goal = home[robot.arm.indices] + (1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    halfway = with_arm(robot, home, home[robot.arm.indices] + (0.5, 0.0, 0.0, 0.0, 0.0, 0.0))
    in_the_way = Scene((box("post", (0.02, 0.02, 0.02), robot.link_pose(halfway, "rh_palm")[:3, 3]),))
    monkeypatch.setattr(planner, "_search", lambda start, begin, end, checker: np.array([begin, end]))
    with failure(Problem.NO_PATH, "no smooth motion along it keeps clear"):
        planner.plan_to_joints(home, goal, in_the_way)


def test_straight_line(robot, home, planner, scene):
    T_start = robot.chain.tip_pose(home[robot.arm.indices])
    T_goal = T_start.copy()
    T_goal[:3, 3] += (0.1, 0.0, -0.15)
    trajectory = planner.plan_cartesian(home, T_goal, scene)
    assert_sound(robot, trajectory, home, scene)
    poses = np.array([robot.chain.tip_pose(joints) for joints in trajectory.positions])
    along = (T_goal - T_start)[:3, 3] / np.linalg.norm((T_goal - T_start)[:3, 3])
    offsets = poses[:, :3, 3] - T_start[:3, 3]
    np.testing.assert_allclose(offsets - np.outer(offsets @ along, along), 0.0, atol=2e-4)
    np.testing.assert_allclose(
        poses[:, :3, :3], np.broadcast_to(T_start[:3, :3], (len(poses), 3, 3)), atol=1e-3
    )
    np.testing.assert_allclose(poses[-1], T_goal, atol=2e-4)


def test_straight_line_out_of_reach(robot, home, planner, scene):
    with failure(Problem.NO_INVERSE_KINEMATICS, r"only \d+ % of the straight line are in reach"):
        planner.plan_cartesian(home, pose_at(robot, home, 2.0, 0.16, 1.6), scene)


def test_straight_line_blocked(robot, home, planner, scene):
    T_goal = robot.chain.tip_pose(home[robot.arm.indices])
    T_goal[:3, 3] += (0.1, 0.0, -0.6)
    with failure(Problem.NO_PATH, "on the straight line .* hits table"):
        planner.plan_cartesian(home, T_goal, scene)


def test_an_attached_object_is_kept_clear(robot, home, planner, scene):
    T_world_tip = robot.link_pose(home, robot.tip)
    pole = box("pole", (0.02, 0.02, 0.5), robot.link_pose(home, "rh_palm")[:3, 3] - (0, 0, 0.35))
    held = Scene((scene["table"], pole)).attach("pole", robot.tip, T_world_tip, robot.hand_links)
    T_goal = T_world_tip.copy()
    T_goal[2, 3] -= 0.2
    empty_handed = planner.plan_cartesian(home, T_goal, Scene((scene["table"],)))
    assert_sound(robot, empty_handed, home, Scene((scene["table"],)))
    with pytest.raises(PlanningFailed, match=r"(pole hits table|table hits pole)"):
        planner.plan_cartesian(home, T_goal, held)


@pytest.mark.slow
def test_many_goals_around_the_table(robot, home, planner, cluttered, record_property):
    import time

    rng, seconds, failed = np.random.default_rng(5), [], 0
    checker = scene_checker(robot, cluttered, CONFIG.clearance_m)
    starts = robot.chain.spread_starts(32, np.random.default_rng(0))
    while len(seconds) + failed < 100:
        T_world_tip = pose_at(robot, home, *rng.uniform((0.45, -0.35, 1.1), (0.9, 0.35, 1.4)))
        solutions = robot.chain.inverse(T_world_tip, home[robot.arm.indices], starts)
        if not any(checker.free(with_arm(robot, home, joints)) for joints in solutions):
            continue
        began = time.perf_counter()
        try:
            trajectory = planner.plan_to_pose(home, T_world_tip, cluttered)
        except PlanningFailed:
            failed += 1
            continue
        seconds.append(time.perf_counter() - began)
        assert_sound(robot, trajectory, home, cluttered)
    record_property("planning_p50_s", float(np.median(seconds)))
    record_property("planning_p95_s", float(np.quantile(seconds, 0.95)))
    assert failed <= 2
    assert np.median(seconds) < 0.5
