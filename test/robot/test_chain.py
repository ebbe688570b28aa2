from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from grasp_pose_net.robot import line_poses
from grasp_pose_net.robot.chain_kernels import rotation_vector


def poses_apart(T_a, T_b):
    turn = Rotation.from_matrix(T_a[:3, :3].T @ T_b[:3, :3]).magnitude()
    return np.linalg.norm(T_a[:3, 3] - T_b[:3, 3]), turn


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-4, 1.0, 3.1, np.pi - 1e-5, np.pi - 1e-9, np.pi])
def test_rotation_vector_turns_one_frame_into_the_other(angle):
    rng = np.random.default_rng(0)
    for _ in range(20):
        axis = rng.normal(size=3)
        now, goal = np.eye(4), np.eye(4)
        now[:3, :3] = Rotation.random(rng=rng).as_matrix()
        goal[:3, :3] = Rotation.from_rotvec(angle * axis / np.linalg.norm(axis)).as_matrix() @ now[:3, :3]
        turned = Rotation.from_rotvec(rotation_vector(goal, now)).as_matrix() @ now[:3, :3]
        np.testing.assert_allclose(turned, goal[:3, :3], atol=1e-7)


def test_tip_pose_agrees_with_the_whole_robot(robot, home):
    rng = np.random.default_rng(1)
    for _ in range(50):
        configuration = home.copy()
        configuration[robot.arm.indices] = rng.uniform(robot.arm.lower, robot.arm.upper)
        expected = robot.link_pose(configuration, robot.tip)
        np.testing.assert_allclose(
            robot.chain.tip_pose(configuration[robot.arm.indices]), expected, atol=1e-9
        )


def test_jacobian_agrees_with_central_differences(robot):
    rng, step = np.random.default_rng(2), 1e-6
    for _ in range(10):
        joints = rng.uniform(robot.arm.lower, robot.arm.upper)
        jacobian = robot.chain.jacobian(joints)
        for j in range(6):
            delta = np.eye(6)[j] * step
            after, before = robot.chain.tip_pose(joints + delta), robot.chain.tip_pose(joints - delta)
            turn = Rotation.from_matrix(after[:3, :3] @ before[:3, :3].T).as_rotvec()
            numeric = np.concatenate([after[:3, 3] - before[:3, 3], turn]) / (2 * step)
            np.testing.assert_allclose(jacobian[:, j], numeric, atol=1e-6)


def test_turning_is_the_largest_over_directions_of_the_tip(robot, home):
    """Joints that follow small steps of the tip in many directions turn as much as said, and no more."""
    joints, step = home[robot.arm.indices], 1e-4
    directions = np.random.default_rng(4).normal(size=(400, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    turned = []
    for direction in directions:
        T_world_goal = robot.chain.tip_pose(joints)
        T_world_goal[:3, 3] += step * direction
        turned.append(np.abs(robot.chain.track(joints, T_world_goal[None], 0.1)[0] - joints).max() / step)
    assert 0.97 * robot.chain.turning(joints) < max(turned) < 1.01 * robot.chain.turning(joints)


def test_turning_grows_towards_a_straight_wrist(robot, home):
    joints = home[robot.arm.indices].copy()
    turnings = []
    for angle in (np.pi / 2, 0.3, 0.05, 0.0):
        joints[4] = angle
        turnings.append(robot.chain.turning(joints))
    assert turnings == sorted(turnings) and turnings[0] < 4.0 < 20.0 < turnings[2] and turnings[3] > 1e6


def test_inverse_of_200_reachable_poses(robot, home):
    rng = np.random.default_rng(3)
    near = home[robot.arm.indices]
    starts = robot.chain.spread_starts(32, np.random.default_rng(0))
    for _ in range(200):
        T_world_goal = robot.chain.tip_pose(rng.uniform(-3.0, 3.0, 6))
        solutions = robot.chain.inverse(T_world_goal, near, starts)
        assert len(solutions) >= 1
        assert (solutions >= robot.arm.lower).all() and (solutions <= robot.arm.upper).all()
        distances = np.linalg.norm(solutions - near, axis=1)
        assert (np.diff(distances) >= 0).all()
        for joints in solutions:
            metres, radians = poses_apart(robot.chain.tip_pose(joints), T_world_goal)
            assert metres < 2e-5 and radians < 2e-4


def test_inverse_returns_different_configurations(robot, home):
    starts = robot.chain.spread_starts(32, np.random.default_rng(0))
    near = home[robot.arm.indices]
    solutions = robot.chain.inverse(robot.chain.tip_pose(near), near, starts)
    np.testing.assert_allclose(solutions[0], near, atol=1e-4)
    assert len(solutions) >= 4
    for i, joints in enumerate(solutions):
        assert all(np.abs(joints - other).max() > 1e-2 for other in solutions[:i])


def test_inverse_out_of_reach_is_empty(robot, home):
    T_world_goal = robot.chain.tip_pose(home[robot.arm.indices])
    T_world_goal[0, 3] += 3.0
    starts = robot.chain.spread_starts(8, np.random.default_rng(0))
    assert robot.chain.inverse(T_world_goal, home[robot.arm.indices], starts).shape == (0, 6)


def test_unwind_takes_the_nearest_revolution_within_the_limits(robot):
    near = np.array([3.0, 0.0, 3.0, 6.0, -6.0, 0.0])
    joints = np.array([-3.0, 0.1, -3.0, 0.0, 0.0, 6.2])
    expected = [-3.0 + 2 * np.pi, 0.1, -3.0, 2 * np.pi, -2 * np.pi, 6.2 - 2 * np.pi]  # the elbow stops at ±π
    np.testing.assert_allclose(robot.chain.unwind(joints, near), expected, atol=1e-5)


def test_track_follows_a_line_and_stops_at_its_end_of_reach(robot, home):
    near = home[robot.arm.indices]
    T_start = robot.chain.tip_pose(near)
    T_goal = T_start.copy()
    T_goal[0, 3] += 2.0
    poses = line_poses(T_start, T_goal, 0.005)
    path = robot.chain.track(near, poses, largest_step=0.1)
    assert 10 < len(path) < len(poses)
    assert np.abs(np.diff(np.vstack([near, path]), axis=0)).max() <= 0.1
    for joints, pose in zip(path, poses, strict=False):
        assert poses_apart(robot.chain.tip_pose(joints), pose)[0] < 2e-5


def test_arguments_stay_as_they_are(robot, home):
    near = home[robot.arm.indices].copy()
    starts = robot.chain.spread_starts(4, np.random.default_rng(0))
    T_world_goal = robot.chain.tip_pose(near + 0.1)
    copies = near.copy(), starts.copy(), T_world_goal.copy()
    robot.chain.inverse(T_world_goal, near, starts)
    robot.chain.track(near, T_world_goal[None], 1.0)
    for before, after in zip(copies, (near, starts, T_world_goal), strict=True):
        np.testing.assert_array_equal(before, after)
