"""Compiled loops of :mod:`chain`: one pose at a time, a few microseconds an iteration."""

from __future__ import annotations

import numpy as np
from numba import njit

from grasp_pose_net.geometry import Array

POSITION_TOLERANCE_M = 1e-5
ROTATION_TOLERANCE_RAD = 1e-4
LEVER_M = 0.3  # a rotation error of 1 rad counts as this length, about the size of the hand
LARGEST_STEP_RAD = 0.5


@njit(cache=True)
def joint_frames(offsets: Array, axes: Array, joints: Array) -> Array:
    """Poses in the world (J + 1, 4, 4) of the joint frames and then of the tip, at joints (J,) [rad]."""
    count = len(joints)
    frames = np.zeros((count + 1, 4, 4))
    pose = np.eye(4)
    turn = np.eye(3)
    for j in range(count + 1):
        before, pose = pose, frames[j]
        for row in range(3):
            for column in range(4):
                for k in range(4):
                    pose[row, column] += before[row, k] * offsets[j, k, column]
        pose[3, 3] = 1.0
        if j < count:
            x, y, z = axes[j]
            s, c = np.sin(joints[j]), np.cos(joints[j])
            turn[0, 0], turn[0, 1], turn[0, 2] = c + x * x * (1 - c), x * y * (1 - c) - z * s, x * z * (1 - c) + y * s
            turn[1, 0], turn[1, 1], turn[1, 2] = y * x * (1 - c) + z * s, c + y * y * (1 - c), y * z * (1 - c) - x * s
            turn[2, 0], turn[2, 1], turn[2, 2] = z * x * (1 - c) - y * s, z * y * (1 - c) + x * s, c + z * z * (1 - c)
            for row in range(3):
                a, b, d = pose[row, 0], pose[row, 1], pose[row, 2]
                for column in range(3):
                    pose[row, column] = a * turn[0, column] + b * turn[1, column] + d * turn[2, column]
    return frames


@njit(cache=True)
def rotation_vector(rotation: Array) -> Array:
    """Rotation vector (3,) [rad] of a rotation matrix (3, 3); at half a turn either of the two."""
    skew = 0.5 * np.array(
        [rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]]
    )
    sine, cosine = np.linalg.norm(skew), 0.5 * (rotation[0, 0] + rotation[1, 1] + rotation[2, 2] - 1)
    if cosine < 0 and sine < 1e-3:
        # the skew part fades at half a turn; R + Rᵀ = 2 cos + 2 (1 - cos) n nᵀ still knows the axis
        outer = 0.5 * (rotation + rotation.T) - cosine * np.eye(3)
        column = np.argmax(np.diag(outer))
        axis = outer[:, column] / np.linalg.norm(outer[:, column])
        if np.dot(axis, skew) < 0:
            axis = -axis
        return axis * np.arctan2(sine, cosine)
    return skew * (np.arctan2(sine, cosine) / sine if sine > 1e-12 else 1.0)


@njit(cache=True)
def error_and_jacobian(offsets: Array, axes: Array, joints: Array, T_world_goal: Array) -> tuple[Array, Array]:
    """What is missing to the goal (6,): translation [m], rotation vector [rad]; and the tip's jacobian (6, J)."""
    frames = joint_frames(offsets, axes, joints)
    tip = frames[-1]
    error = np.empty(6)
    error[:3] = T_world_goal[:3, 3] - tip[:3, 3]
    error[3:] = rotation_vector(np.ascontiguousarray(T_world_goal[:3, :3]) @ np.ascontiguousarray(tip[:3, :3].T))
    jacobian = np.empty((6, len(joints)))
    for j in range(len(joints)):
        R = frames[j]
        ax = R[0, 0] * axes[j, 0] + R[0, 1] * axes[j, 1] + R[0, 2] * axes[j, 2]
        ay = R[1, 0] * axes[j, 0] + R[1, 1] * axes[j, 1] + R[1, 2] * axes[j, 2]
        az = R[2, 0] * axes[j, 0] + R[2, 1] * axes[j, 1] + R[2, 2] * axes[j, 2]
        rx, ry, rz = tip[0, 3] - R[0, 3], tip[1, 3] - R[1, 3], tip[2, 3] - R[2, 3]
        jacobian[0, j], jacobian[1, j], jacobian[2, j] = ay * rz - az * ry, az * rx - ax * rz, ax * ry - ay * rx
        jacobian[3, j], jacobian[4, j], jacobian[5, j] = ax, ay, az
    return error, jacobian


@njit(cache=True)
def solve(
    offsets: Array, axes: Array, lower: Array, upper: Array, T_world_goal: Array, start: Array, iterations: int
) -> tuple[Array, bool]:
    """Damped least squares from ``start`` (J,) to a tip pose (4, 4), inside the limits.

    The damping falls with the error: far from the goal singular postures are harmless, near it the steps are
    Newton's.

    Returns:
        joints (J,) [rad], and whether the goal was met within the tolerances.
    """
    joints = np.minimum(np.maximum(start, lower), upper)
    weights = np.array([1.0, 1.0, 1.0, LEVER_M, LEVER_M, LEVER_M])
    for _ in range(iterations):
        error, jacobian = error_and_jacobian(offsets, axes, joints, T_world_goal)
        if np.linalg.norm(error[:3]) < POSITION_TOLERANCE_M and np.linalg.norm(error[3:]) < ROTATION_TOLERANCE_RAD:
            return joints, True
        for row in range(6):
            error[row] *= weights[row]
            jacobian[row] *= weights[row]
        damping = 0.02 * np.sum(error**2) + 1e-7
        transposed = np.ascontiguousarray(jacobian.T)
        normal = transposed @ jacobian + damping * np.eye(len(joints))
        step = np.linalg.solve(normal, transposed @ error)
        step *= min(1.0, LARGEST_STEP_RAD / max(np.abs(step).max(), 1e-12))
        joints = np.minimum(np.maximum(joints + step, lower), upper)
    return joints, False


@njit(cache=True)
def track(
    offsets: Array,
    axes: Array,
    lower: Array,
    upper: Array,
    T_world_goals: Array,
    start: Array,
    largest_step: float,
) -> tuple[Array, int]:
    """Follow close tip poses (K, 4, 4) from joints (J,), no joint moving more than ``largest_step`` [rad] at once.

    Returns:
        joints (K, J) [rad], and how many poses were reached; rows after those are not filled.
    """
    path = np.zeros((len(T_world_goals), len(start)))
    before = start
    for k in range(len(T_world_goals)):
        joints, solved = solve(offsets, axes, lower, upper, T_world_goals[k], before, 15)
        if not solved or np.abs(joints - before).max() > largest_step:
            return path, k
        path[k] = joints
        before = joints
    return path, len(T_world_goals)
