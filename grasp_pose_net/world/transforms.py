"""Rigid transforms: ``p_a = T_a_b @ p_b``; quaternions are (w, x, y, z) everywhere but at the message border."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from trimesh import transformations

from grasp_pose_net.exceptions import WorldError
from grasp_pose_net.world.checks import FARTHEST_M, finite

Array = NDArray[np.float64]

RIGID_TOLERANCE = 1e-4  # of the entries of RᵀR: what single precision and printed digits leave
SHORTEST_QUATERNION = 1e-6


def make_transform(position: ArrayLike, quat_wxyz: ArrayLike = (1.0, 0.0, 0.0, 0.0)) -> Array:
    """Homogeneous transform from a position (3,) [m] and a quaternion (4,) of any length but zero.

    Raises:
        WorldError: a number is not finite, or the quaternion has no length.
    """
    position = finite(position, "position", (3,))
    quat_wxyz = finite(quat_wxyz, "quaternion (w, x, y, z)", (4,))
    if np.linalg.norm(quat_wxyz) < SHORTEST_QUATERNION:
        raise WorldError(
            f"quaternion (w, x, y, z) {tuple(quat_wxyz.tolist())} has no length: it is no rotation"
        )
    T_a_b: Array = transformations.quaternion_matrix(quat_wxyz / np.linalg.norm(quat_wxyz))
    T_a_b[:3, 3] = position
    return T_a_b


def rigid_transform(T_a_b: ArrayLike, name: str = "transform") -> Array:
    """A read-only copy (4, 4) of a transform that is finite and moves bodies without turning them inside out.

    Raises:
        WorldError: it is not (4, 4), not finite, farther than a laboratory is large, or no rotation and translation; the
            text calls it ``name``.
    """
    T_a_b = finite(T_a_b, name, (4, 4))
    rotation, last = T_a_b[:3, :3], T_a_b[3]
    lengths = np.linalg.norm(rotation, axis=0)
    problem = ""
    if not np.array_equal(last, (0.0, 0.0, 0.0, 1.0)):
        problem = f"its last row is {last.tolist()}"
        if not T_a_b[:3, 3].any():
            problem += "; is it transposed?"
    elif np.abs(lengths - 1.0).max() > RIGID_TOLERANCE:
        problem = f"it scales or shears: its columns are {', '.join(f'{n:.4g}' for n in lengths)} long"
    elif (off := np.abs(rotation.T @ rotation - np.eye(3)).max()) > RIGID_TOLERANCE:
        problem = f"it shears: its columns are not at right angles (RᵀR is off by {off:.2g})"
    elif np.linalg.det(rotation) < 0.0:
        problem = "it mirrors: its determinant is -1"
    if problem:
        raise WorldError(f"{name} is no rotation and translation: {problem}")
    finite(T_a_b[:3, 3], f"{name}: position", (3,), FARTHEST_M)
    return T_a_b


def split_transform(T_a_b: ArrayLike) -> tuple[Array, Array]:
    """Position (3,) [m] and unit quaternion (4,) with w >= 0 of a homogeneous transform (4, 4)."""
    T_a_b = np.asarray(T_a_b, float)
    return T_a_b[:3, 3].copy(), transformations.quaternion_from_matrix(T_a_b)


def multiply_quat(a_wxyz: ArrayLike, b_wxyz: ArrayLike) -> Array:
    """Quaternions (..., 4) of first turning by b, then by a."""
    w, x, y, z = np.moveaxis(np.asarray(a_wxyz, float), -1, 0)
    v, i, j, k = np.moveaxis(np.asarray(b_wxyz, float), -1, 0)
    parts = (
        w * v - x * i - y * j - z * k,
        w * i + x * v + y * k - z * j,
        w * j - x * k + y * v + z * i,
        w * k + x * j - y * i + z * v,
    )
    return np.stack(parts, axis=-1)


def moved_poses(T_a_b: ArrayLike, poses_b: ArrayLike, T_c_d: ArrayLike) -> Array:
    """Poses of d in a, of frames c whose poses are given in b; poses are (B, 7): position [m], unit quaternion wxyz.

    The same as one ``T_a_b @ T_b_c @ T_c_d`` after the other, without a loop.
    """
    poses_b = np.asarray(poses_b, float)
    position, quat_wxyz = split_transform(T_c_d)
    # p + R(q) v = p + 2 w (u x v) + 2 u x (u x v), u the vector part of q
    w, u = poses_b[:, 3:4], poses_b[:, 4:]
    across = 2.0 * np.cross(u, position)
    tips = poses_b[:, :3] + position + w * across + np.cross(u, across)
    quats = multiply_quat(multiply_quat(split_transform(T_a_b)[1], poses_b[:, 3:]), quat_wxyz)
    quats *= np.where(quats[:, :1] < 0.0, -1.0, 1.0)
    return np.concatenate([transform_points(T_a_b, tips), quats], axis=1)


def inverse_transform(T_a_b: ArrayLike) -> Array:
    """``T_b_a`` of a rigid transform (4, 4)."""
    T_a_b = np.asarray(T_a_b, float)
    T_b_a = np.eye(4)
    T_b_a[:3, :3] = T_a_b[:3, :3].T
    T_b_a[:3, 3] = -T_a_b[:3, :3].T @ T_a_b[:3, 3]
    return T_b_a


def transform_points(T_a_b: ArrayLike, points_b: ArrayLike) -> Array:
    """Points (..., 3) [m] from frame b into frame a."""
    T_a_b, points_b = np.asarray(T_a_b, float), np.asarray(points_b, float)
    return points_b @ T_a_b[:3, :3].T + T_a_b[:3, 3]
