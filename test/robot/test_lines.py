from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from grasp_pose_net.execution import shake
from grasp_pose_net.robot import MotionConfig, PlanningFailed, Problem, line_poses
from grasp_pose_net.world import make_transform


def test_line_poses_are_close_evenly_spaced_and_end_at_the_goal():
    T_start = make_transform((0.0, 0.0, 0.0))
    T_goal = make_transform((0.1, 0.0, 0.0), Rotation.from_euler("z", 0.5).as_quat()[[3, 0, 1, 2]])
    poses = line_poses(T_start, T_goal, 0.005)
    assert len(poses) == 30  # 0.1 m, and 0.5 rad that count as 0.05 m
    np.testing.assert_allclose(poses[-1], T_goal, atol=1e-12)
    np.testing.assert_allclose(np.diff(poses[:, 0, 3]), 0.1 / 30, atol=1e-12)
    angles = Rotation.from_matrix(poses[:, :3, :3]).magnitude()
    np.testing.assert_allclose(np.diff(angles), 0.5 / 30, atol=1e-9)


@pytest.mark.parametrize("metres", [1e3, 1e9, np.inf, np.nan])
def test_a_line_longer_than_any_arm_is_refused(metres):
    T_goal = np.eye(4)
    T_goal[0, 3] = metres
    with pytest.raises(PlanningFailed, match="m is longer than any arm"):
        line_poses(np.eye(4), T_goal, 0.005)


def test_shake_moves_the_tip_by_its_amplitude_along_each_axis_and_back(robot, home):
    start = home[robot.arm.indices]
    limits = MotionConfig(velocity_scale=1.0, acceleration_scale=1.0).arm_limits(robot)
    trajectory = shake(
        robot.chain, robot.arm.names, start, limits, amplitude_m=0.03, frequency_hz=1.0, periods=2
    )
    T_world_tip = np.array([robot.chain.tip_pose(joints) for joints in trajectory.positions])
    offsets = T_world_tip[:, :3, 3] - T_world_tip[0, :3, 3]
    np.testing.assert_allclose(offsets.max(axis=0), 0.03, atol=5e-4)
    np.testing.assert_allclose(offsets.min(axis=0), -0.03, atol=5e-4)
    np.testing.assert_allclose(np.abs(np.sort(np.abs(offsets), axis=1)[:, :2]).max(), 0.0, atol=1e-4)
    np.testing.assert_allclose(
        T_world_tip[:, :3, :3], np.broadcast_to(T_world_tip[0, :3, :3], (len(offsets), 3, 3)), atol=1e-3
    )
    np.testing.assert_allclose(trajectory.positions[-1], start, atol=1e-4)
    # at 1 Hz two crests along x are one second apart
    x = offsets[trajectory.times < 4.0, 0]
    crests = [i for i in range(1, len(x) - 1) if x[i] > 0.029 and x[i] > x[i - 1] and x[i] >= x[i + 1]]
    assert (trajectory.times[crests[1]] - trajectory.times[crests[0]]) == pytest.approx(1.0, abs=0.05)


def test_shake_too_fast_for_the_arm_is_refused(robot, home):
    limits = MotionConfig(velocity_scale=0.02).arm_limits(robot)
    with pytest.raises(PlanningFailed) as raised:
        shake(robot.chain, robot.arm.names, home[robot.arm.indices], limits)
    assert raised.value.problem is Problem.OUTSIDE_LIMITS


def test_shake_out_of_reach_names_the_axis(robot, home):
    limits = MotionConfig().arm_limits(robot)
    with pytest.raises(PlanningFailed, match=r"shaking by 2\.5 m along x is out of reach"):
        shake(
            robot.chain, robot.arm.names, home[robot.arm.indices], limits, amplitude_m=2.5, frequency_hz=0.1
        )
