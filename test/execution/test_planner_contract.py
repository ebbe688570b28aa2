"""What every motion planner has to keep, whoever searches: OMPL here, and MoveIt wherever it can be imported."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from robot_scenes import box

from grasp_pose_net.execution import (
    MoveItPlanner,
    MoveItSession,
    OmplPlanner,
    moveit_parameters,
    moveit_problem,
)
from grasp_pose_net.models import robot_srdf, robot_urdf
from grasp_pose_net.robot import MotionConfig, PlanningFailed, Problem, scene_checker
from grasp_pose_net.world import Scene, Trajectory

CONFIG = MotionConfig(planning_time_s=2.0)
ROBOT = "ur10_shadow"


@pytest.fixture(scope="module")
def moveit(robot):
    """One MoveIt for all tests of this file: a process can have only one."""
    from grasp_pose_net.nodes.messages import moveit as moveit_messages

    parameters = moveit_parameters(ROBOT, robot_urdf(ROBOT), robot_srdf(ROBOT), robot, CONFIG)
    session = MoveItSession(robot, CONFIG, parameters, moveit_messages)
    yield session
    session.shutdown()


@pytest.fixture(scope="module", params=["ompl", "moveit"])
def make_planner(request, robot):
    """Makes planners from a configuration and, where it matters, a function that says when to give up."""
    if request.param == "ompl":
        return lambda *arguments: OmplPlanner(robot, *arguments)
    if problem := moveit_problem():
        pytest.skip(f"needs MoveIt's moveit_py: {problem}")
    session = request.getfixturevalue("moveit")
    return lambda config, *cancelled: MoveItPlanner(robot, config, session, *cancelled)


@pytest.fixture
def planner(make_planner):
    return make_planner(CONFIG)


@pytest.fixture(scope="module")
def table(scene):
    return Scene((scene["table"],))


@pytest.fixture(scope="module")
def cluttered(table):
    return Scene((*table.objects, box("post", (0.08, 0.08, 0.5), (0.75, 0.0, 0.97))))


def with_arm(robot, configuration, arm):
    configuration = configuration.copy()
    configuration[robot.arm.indices] = arm
    return configuration


def pose_at(robot, home, *position):
    T_world_tip = robot.chain.tip_pose(home[robot.arm.indices])
    T_world_tip[:3, 3] = position
    return T_world_tip


def lower(robot, home, distance_m):
    x, y, z = robot.chain.tip_pose(home[robot.arm.indices])[:3, 3]
    return pose_at(robot, home, x, y, z - distance_m)


def assert_sound(robot, trajectory, start, scene, config=CONFIG):
    """A motion of the arm from where it is, from rest to rest, within all limits and free at every sample."""
    assert type(trajectory) is Trajectory
    assert trajectory.joint_names == robot.arm.names
    samples = (len(trajectory.times), len(robot.arm.names))
    assert len(trajectory.times) >= 2 and trajectory.times[0] == 0.0
    for values in (trajectory.positions, trajectory.velocities, trajectory.accelerations):
        assert values.shape == samples and np.isfinite(values).all()
    np.testing.assert_allclose(trajectory.positions[0], start[robot.arm.indices], atol=1e-6)
    np.testing.assert_array_equal(trajectory.velocities[[0, -1]], 0.0)
    assert_within_limits(robot, trajectory, config)
    checker = scene_checker(robot, scene, config.clearance_m)
    for arm in trajectory.positions:
        assert checker.collision(with_arm(robot, start, arm)) is None


def assert_within_limits(robot, trajectory, config):
    """Positions, speeds and accelerations at each sample, as given and as the samples themselves have them."""
    speed = config.velocity_scale * robot.arm.velocity * (1 + 1e-6)
    acceleration = config.acceleration_scale * config.arm_acceleration_rad_s2 * (1 + 1e-6)
    assert (trajectory.positions >= robot.arm.lower - 1e-6).all()
    assert (trajectory.positions <= robot.arm.upper + 1e-6).all()
    assert (np.abs(trajectory.velocities) <= speed).all()
    assert (np.abs(trajectory.accelerations) <= acceleration).all()
    steps = np.diff(trajectory.times)[:, None]
    assert (steps > 0).all()
    assert (np.abs(np.diff(trajectory.positions, axis=0)) <= speed * steps + 1e-6).all()
    # a message has its times in nanoseconds, and the last sample's speed is rounded to rest
    assert (np.abs(np.diff(trajectory.velocities, axis=0)) <= acceleration * steps * 1.01 + 1e-3).all()


@contextmanager
def failure(problem, match=None):
    with pytest.raises(PlanningFailed, match=match) as raised:
        yield
    assert raised.value.problem is problem


def test_to_poses_around_an_obstacle(robot, home, planner, cluttered):
    start = home
    for goal in ((0.75, -0.35, 1.35), (0.75, 0.35, 1.35), (0.5, 0.0, 1.4)):
        T_world_tip = pose_at(robot, home, *goal)
        trajectory = planner.plan_to_pose(start, T_world_tip, cluttered)
        assert_sound(robot, trajectory, start, cluttered)
        np.testing.assert_allclose(robot.chain.tip_pose(trajectory.positions[-1]), T_world_tip, atol=1e-3)
        start = with_arm(robot, start, trajectory.positions[-1])


def test_to_joints(robot, home, planner, cluttered):
    goal = home[robot.arm.indices] + (1.0, 0.3, -0.3, 0.5, 0.2, -1.0)
    trajectory = planner.plan_to_joints(home, goal, cluttered)
    assert_sound(robot, trajectory, home, cluttered)
    np.testing.assert_allclose(trajectory.positions[-1], goal, atol=1e-4)


@pytest.mark.parametrize(("velocity", "acceleration"), [(0.1, 0.1), (1.0, 0.2), (1.0, 1.0)])
def test_limits_at_every_scale(robot, home, make_planner, table, velocity, acceleration):
    config = replace(CONFIG, velocity_scale=velocity, acceleration_scale=acceleration)
    goal = home[robot.arm.indices] + (-0.8, 0.2, -0.3, 0.4, 0.2, 1.5)
    planner = make_planner(config)
    assert_sound(robot, planner.plan_to_joints(home, goal, table), home, table, config)
    line = planner.plan_cartesian(home, lower(robot, home, 0.15), table)
    assert_sound(robot, line, home, table, config)


def test_nowhere_to_go(robot, home, planner, table):
    trajectory = planner.plan_to_joints(home, home[robot.arm.indices], table)
    assert_sound(robot, trajectory, home, table)
    np.testing.assert_allclose(trajectory.positions[-1], home[robot.arm.indices], atol=1e-4)


def test_unreachable_goal(robot, home, planner, table):
    with failure(Problem.NO_INVERSE_KINEMATICS, r"rh_forearm cannot reach \[3\. *0\. *1\. *\] m"):
        planner.plan_to_pose(home, pose_at(robot, home, 3.0, 0.0, 1.0), table)


def test_goal_in_collision(robot, home, planner, table):
    with failure(Problem.GOAL_IN_COLLISION, "at the goal .* hits table"):
        planner.plan_to_pose(home, pose_at(robot, home, 0.7, 0.0, 0.9), table)


def test_start_in_collision(robot, home, planner):
    around = Scene((box("crate", (0.3, 0.3, 0.3), robot.link_pose(home, "rh_palm")[:3, 3]),))
    with failure(Problem.START_IN_COLLISION, "with crate"):
        planner.plan_to_joints(home, home[robot.arm.indices] + 0.1, around)
    with failure(Problem.START_IN_COLLISION, "with crate"):
        planner.plan_to_pose(home, lower(robot, home, 0.1), around)
    with failure(Problem.START_IN_COLLISION, "with crate"):
        planner.plan_cartesian(home, lower(robot, home, 0.1), around)


def test_start_and_goal_outside_limits(robot, home, planner, table):
    outside = home.copy()
    outside[2] = 4.0
    with failure(Problem.OUTSIDE_LIMITS, r"the goal has elbow_joint = 4\.000"):
        planner.plan_to_joints(home, outside[robot.arm.indices], table)
    with failure(Problem.OUTSIDE_LIMITS, r"the start has elbow_joint = 4\.000"):
        planner.plan_to_joints(outside, home[robot.arm.indices], table)


def test_straight_line(robot, home, planner, table):
    T_start = robot.chain.tip_pose(home[robot.arm.indices])
    T_goal = T_start.copy()
    T_goal[:3, 3] += (0.1, 0.0, -0.15)
    trajectory = planner.plan_cartesian(home, T_goal, table)
    assert_sound(robot, trajectory, home, table)
    poses = np.array([robot.chain.tip_pose(joints) for joints in trajectory.positions])
    along = (T_goal - T_start)[:3, 3] / np.linalg.norm((T_goal - T_start)[:3, 3])
    offsets = poses[:, :3, 3] - T_start[:3, 3]
    np.testing.assert_allclose(offsets - np.outer(offsets @ along, along), 0.0, atol=2e-4)
    np.testing.assert_allclose(
        poses[:, :3, :3], np.broadcast_to(T_start[:3, :3], (len(poses), 3, 3)), atol=1e-3
    )
    np.testing.assert_allclose(poses[-1], T_goal, atol=2e-4)


def test_straight_line_out_of_reach(robot, home, planner, table):
    with failure(Problem.NO_INVERSE_KINEMATICS, r"only \d+ % of the straight line are in reach"):
        planner.plan_cartesian(home, pose_at(robot, home, 2.0, 0.16, 1.6), table)


def test_approach_blocked(robot, home, planner, table):
    """The way to a free pose is straight through a board: all of the line, or none."""
    palm = robot.link_pose(home, "rh_palm")[:3, 3]
    board = Scene((*table.objects, box("board", (0.4, 0.02, 0.4), np.add(palm, (0.0, 0.25, 0.0)))))
    x, y, z = robot.chain.tip_pose(home[robot.arm.indices])[:3, 3]
    beyond = pose_at(robot, home, x, y + 0.5, z)
    assert_sound(robot, planner.plan_cartesian(home, beyond, table), home, table)
    with failure(Problem.NO_PATH, "on the straight line (.* hits board|board hits .*)"):
        planner.plan_cartesian(home, beyond, board)
    around = planner.plan_to_pose(home, beyond, board)
    assert_sound(robot, around, home, board)


def test_hand_may_touch_what_is_allowed(robot, home, planner, table):
    """As on the way to a grasp: fingers over the object, its surface between them."""
    palm = robot.link_pose(home, "rh_palm")
    reached = palm[:3, 3] + palm[:3, :3] @ (0.0, 0.0, 0.12)  # among the knuckles
    around = Scene((*table.objects, box("held", (0.04, 0.04, 0.04), reached)))
    up = lower(robot, home, -0.05)
    with failure(Problem.START_IN_COLLISION):
        planner.plan_cartesian(home, up, around)
    touching = around.allow(robot.hand_links, "held")
    assert_sound(robot, planner.plan_cartesian(home, up, touching), home, touching)
    goal = home[robot.arm.indices] + (0.3, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert_sound(robot, planner.plan_to_joints(home, goal, touching), home, touching)


def test_attached_object_moves_with_the_hand(robot, home, planner, table):
    T_world_tip = robot.link_pose(home, robot.tip)
    pole = box("pole", (0.02, 0.02, 0.5), robot.link_pose(home, "rh_palm")[:3, 3] - (0, 0, 0.35))
    held = Scene((*table.objects, pole)).attach("pole", robot.tip, T_world_tip, robot.hand_links)
    down = lower(robot, home, 0.2)
    assert_sound(robot, planner.plan_cartesian(home, down, table), home, table)
    with failure(Problem.NO_PATH, "(pole hits table|table hits pole)"):
        planner.plan_cartesian(home, down, held)
    with failure(Problem.GOAL_IN_COLLISION, "(pole hits table|table hits pole)"):
        planner.plan_to_pose(home, down, held)
    goal = home[robot.arm.indices] + (0.8, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert_sound(robot, planner.plan_to_joints(home, goal, held), home, held)


def test_a_scene_leaves_nothing_behind(robot, home, planner, table):
    T_world_tip = robot.link_pose(home, robot.tip)
    pole = box("pole", (0.02, 0.02, 0.5), robot.link_pose(home, "rh_palm")[:3, 3] - (0, 0, 0.35))
    held = Scene((*table.objects, pole)).attach("pole", robot.tip, T_world_tip, robot.hand_links)
    planner.show(held)
    planner.plan_cartesian(home, lower(robot, home, -0.05), held)
    planner.show(table)
    down = lower(robot, home, 0.2)
    assert_sound(robot, planner.plan_cartesian(home, down, table), home, table)


def test_cancelled_before_the_search(robot, home, make_planner, table):
    planner = make_planner(CONFIG, lambda: True)
    with failure(Problem.CANCELLED):
        planner.plan_to_pose(home, lower(robot, home, 0.1), table)
    with failure(Problem.CANCELLED):
        planner.plan_cartesian(home, lower(robot, home, 0.1), table)


def threaded(robot, home):
    """Walls around the arm's forearm, which has to draw the whole hand through their window to reach the goal."""
    T_world_forearm = robot.link_pose(home, "forearm_link")
    centre = T_world_forearm[:3, 3] + T_world_forearm[:3, :3] @ (-0.42, 0.0, 0.05)
    half, wide = 0.13, 1.2
    aside = half + wide / 2
    walls = (
        box("above", (0.02, 2 * wide, wide), np.add(centre, (0.0, 0.0, aside))),
        box("below", (0.02, 2 * wide, wide), centre - (0.0, 0.0, aside)),
        box("left", (0.02, wide, 2 * half), np.add(centre, (0.0, aside, 0.0))),
        box("right", (0.02, wide, 2 * half), centre - (0.0, aside, 0.0)),
    )
    return Scene(walls), robot.named_states["up"][robot.arm.indices]


def test_cancelled_while_searching(robot, home, make_planner):
    around, goal = threaded(robot, home)
    asked = count()
    planner = make_planner(replace(CONFIG, planning_time_s=60.0), lambda: next(asked) >= 20)
    began = time.monotonic()
    with failure(Problem.CANCELLED):
        planner.plan_to_joints(home, goal, around)
    assert time.monotonic() - began < 30.0


def test_no_way(robot, home, make_planner):
    around, goal = threaded(robot, home)
    with failure(Problem.NO_PATH, "none found in 0.3 s"):
        make_planner(replace(CONFIG, planning_time_s=0.3)).plan_to_joints(home, goal, around)
