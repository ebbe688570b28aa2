"""Compiled loops of :mod:`chain`: one pose at a time, a few microseconds an iteration."""

from __future__ import annotations

import math

import numpy as np

from grasp_pose_net.compiled import compiled
from grasp_pose_net.world import Array

POSITION_TOLERANCE_M = 1e-5
ROTATION_TOLERANCE_RAD = 1e-4
LEVER_M = 0.3  # a rotation error of 1 rad counts as this length, about the size of the hand
LARGEST_STEP_RAD = 0.5


@compiled()
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
            s, c = math.sin(joints[j]), math.cos(joints[j])
            turn[0, 0], turn[0, 1], turn[0, 2] = (
                c + x * x * (1 - c),
                x * y * (1 - c) - z * s,
                x * z * (1 - c) + y * s,
            )
            turn[1, 0], turn[1, 1], turn[1, 2] = (
                y * x * (1 - c) + z * s,
                c + y * y * (1 - c),
                y * z * (1 - c) - x * s,
            )
            turn[2, 0], turn[2, 1], turn[2, 2] = (
                z * x * (1 - c) - y * s,
                z * y * (1 - c) + x * s,
                c + z * z * (1 - c),
            )
            for row in range(3):
                a, b, d = pose[row, 0], pose[row, 1], pose[row, 2]
                for column in range(3):
                    pose[row, column] = a * turn[0, column] + b * turn[1, column] + d * turn[2, column]
    return frames


@compiled()
def rotation_vector(goal: Array, now: Array) -> tuple[float, float, float]:
    """Rotation vector [rad] that turns frame ``now`` into ``goal`` (4, 4); at half a turn either of two."""
    turn = np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            for k in range(3):
                turn[i, j] += goal[i, k] * now[j, k]
    x, y, z = (
        0.5 * (turn[2, 1] - turn[1, 2]),
        0.5 * (turn[0, 2] - turn[2, 0]),
        0.5 * (turn[1, 0] - turn[0, 1]),
    )
    sine, cosine = math.sqrt(x * x + y * y + z * z), 0.5 * (turn[0, 0] + turn[1, 1] + turn[2, 2] - 1)
    angle = math.atan2(sine, cosine)
    if cosine > 0 or sine > 1e-3:
        scale = angle / sine if sine > 1e-12 else 1.0
        return x * scale, y * scale, z * scale
    # x, y, z fade at half a turn; (R + Rᵀ) / 2 = cos + (1 - cos) n nᵀ knows the axis: its longest column
    best = 0
    for i in range(3):
        if turn[i, i] > turn[best, best]:
            best = i
    nx, ny, nz = (
        0.5 * (turn[0, best] + turn[best, 0]) - (cosine if best == 0 else 0.0),
        0.5 * (turn[1, best] + turn[best, 1]) - (cosine if best == 1 else 0.0),
        0.5 * (turn[2, best] + turn[best, 2]) - (cosine if best == 2 else 0.0),
    )
    length = math.sqrt(nx * nx + ny * ny + nz * nz)
    scale = angle / (length if nx * x + ny * y + nz * z >= 0 else -length)
    return nx * scale, ny * scale, nz * scale


@compiled()
def error_and_jacobian(
    offsets: Array, axes: Array, joints: Array, T_world_goal: Array, error: Array, jacobian: Array
) -> None:
    """Fill in what is missing to a goal, translation [m] and rotation vector [rad]; and the jacobian."""
    frames = joint_frames(offsets, axes, joints)
    tip = frames[-1]
    for i in range(3):
        error[i] = T_world_goal[i, 3] - tip[i, 3]
    error[3], error[4], error[5] = rotation_vector(T_world_goal, tip)
    for j in range(len(joints)):
        R = frames[j]
        ax = R[0, 0] * axes[j, 0] + R[0, 1] * axes[j, 1] + R[0, 2] * axes[j, 2]
        ay = R[1, 0] * axes[j, 0] + R[1, 1] * axes[j, 1] + R[1, 2] * axes[j, 2]
        az = R[2, 0] * axes[j, 0] + R[2, 1] * axes[j, 1] + R[2, 2] * axes[j, 2]
        rx, ry, rz = tip[0, 3] - R[0, 3], tip[1, 3] - R[1, 3], tip[2, 3] - R[2, 3]
        jacobian[0, j], jacobian[1, j] = ay * rz - az * ry, az * rx - ax * rz
        jacobian[2, j] = ax * ry - ay * rx
        jacobian[3, j], jacobian[4, j], jacobian[5, j] = ax, ay, az


@compiled()
def damped_step(error: Array, jacobian: Array, step: Array) -> None:
    """Fill in the joint steps (J,) [rad] that shrink the error (6,), by damped normal equations.

    The damping falls with the error: far from the goal singular postures are harmless, near it the steps are
    Newton's. The matrix is positive definite, so that Cholesky needs no pivots.
    """
    size = len(step)
    normal = np.zeros((size, size))
    damping = 1e-7
    for row in range(6):
        weight = 1.0 if row < 3 else LEVER_M**2
        damping += 0.02 * weight * error[row] ** 2
        for i in range(size):
            for j in range(i + 1):
                normal[i, j] += weight * jacobian[row, i] * jacobian[row, j]
    for i in range(size):
        step[i] = 0.0
        for row in range(6):
            step[i] += (1.0 if row < 3 else LEVER_M**2) * jacobian[row, i] * error[row]
        normal[i, i] += damping
        for j in range(i + 1):
            for k in range(j):
                normal[i, j] -= normal[i, k] * normal[j, k]
            normal[i, j] = math.sqrt(normal[i, i]) if i == j else normal[i, j] / normal[j, j]
    for i in range(size):
        for k in range(i):
            step[i] -= normal[i, k] * step[k]
        step[i] /= normal[i, i]
    for i in range(size - 1, -1, -1):
        for k in range(i + 1, size):
            step[i] -= normal[k, i] * step[k]
        step[i] /= normal[i, i]


@compiled()
def solve(
    offsets: Array,
    axes: Array,
    lower: Array,
    upper: Array,
    T_world_goal: Array,
    joints: Array,
    iterations: int,
) -> bool:
    """Move joints (J,) [rad] in place towards a tip pose (4, 4), inside the limits; whether it was met."""
    size = len(joints)
    error, jacobian, step = np.empty(6), np.empty((6, size)), np.empty(size)
    for _ in range(iterations):
        error_and_jacobian(offsets, axes, joints, T_world_goal, error, jacobian)
        away = error[0] ** 2 + error[1] ** 2 + error[2] ** 2
        turned = error[3] ** 2 + error[4] ** 2 + error[5] ** 2
        if away < POSITION_TOLERANCE_M**2 and turned < ROTATION_TOLERANCE_RAD**2:
            return True
        damped_step(error, jacobian, step)
        largest = LARGEST_STEP_RAD
        for i in range(size):
            largest = max(largest, abs(step[i]))
        for i in range(size):
            moved = joints[i] + step[i] * LARGEST_STEP_RAD / largest
            joints[i] = min(max(moved, lower[i]), upper[i])
    return False


@compiled()
def track(
    offsets: Array,
    axes: Array,
    lower: Array,
    upper: Array,
    T_world_goals: Array,
    path: Array,
    largest_step: float,
) -> int:
    """Follow close tip poses (K, 4, 4), no joint moving more than ``largest_step`` [rad] between two.

    Args:
        offsets: see :class:`chain.Chain`, as ``axes``, ``lower`` and ``upper``.
        axes: (J, 3).
        lower: (J,) [rad].
        upper: (J,) [rad].
        T_world_goals: (K, 4, 4) tip poses.
        path: (K + 1, J) joints [rad]; row 0 is the start, the others are filled in.
        largest_step: [rad].

    Returns:
        How many poses were reached.
    """
    for k in range(len(T_world_goals)):
        for i in range(path.shape[1]):
            path[k + 1, i] = path[k, i]
        if not solve(offsets, axes, lower, upper, T_world_goals[k], path[k + 1], 15):
            return k
        for i in range(path.shape[1]):
            if abs(path[k + 1, i] - path[k, i]) > largest_step:
                return k
    return len(T_world_goals)
