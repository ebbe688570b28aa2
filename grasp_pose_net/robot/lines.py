"""Straight lines of the tip, as tip poses."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from grasp_pose_net.robot.problems import PlanningFailed, Problem
from grasp_pose_net.world import Array

LONGEST_M = 20.0
LEVER_M = 0.1  # turning by 1 rad counts as this length when a line is cut into steps


def line_poses(T_start: Array, T_goal: Array, step_m: float) -> Array:
    """Tip poses (K, 4, 4) on the straight line from a start (left out) to a goal (the last).

    Raises:
        PlanningFailed: the line is longer than any arm.
    """
    turn = Rotation.from_matrix(T_start[:3, :3].T @ T_goal[:3, :3]).magnitude()
    length = float(np.linalg.norm(T_goal[:3, 3] - T_start[:3, 3])) + LEVER_M * turn
    if not length <= LONGEST_M:
        raise PlanningFailed(
            Problem.NO_INVERSE_KINEMATICS, f"a straight line of {length:g} m is longer than any arm"
        )
    steps = max(1, int(np.ceil(length / step_m - 1e-9)))
    u = np.arange(1, steps + 1) / steps
    ends = Rotation.from_matrix(np.stack([T_start[:3, :3], T_goal[:3, :3]]))
    poses = np.tile(np.eye(4), (steps, 1, 1))
    poses[:, :3, :3] = Slerp([0.0, 1.0], ends)(u).as_matrix()
    poses[:, :3, 3] = T_start[:3, 3] + u[:, None] * (T_goal[:3, 3] - T_start[:3, 3])
    return poses
