"""Rigid transforms: ``p_a = T_a_b @ p_b``; quaternions are (w, x, y, z) everywhere but at the message border."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]


def make_transform(position: ArrayLike, quat_wxyz: ArrayLike = (1.0, 0.0, 0.0, 0.0)) -> Array:
    """Homogeneous transform from a position (3,) [m] and a quaternion (4,) of any length but zero."""
    T_a_b = np.eye(4)
    T_a_b[:3, :3] = Rotation.from_quat(np.asarray(quat_wxyz, float)[[1, 2, 3, 0]]).as_matrix()
    T_a_b[:3, 3] = np.asarray(position, float)
    return T_a_b


def split_transform(T_a_b: ArrayLike) -> tuple[Array, Array]:
    """Position (3,) [m] and unit quaternion (4,) with w >= 0 of a homogeneous transform (4, 4)."""
    T_a_b = np.asarray(T_a_b, float)
    quat_xyzw = Rotation.from_matrix(T_a_b[:3, :3]).as_quat(canonical=True)
    return T_a_b[:3, 3].copy(), quat_xyzw[[3, 0, 1, 2]]


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


def rotation_from_quat(quat_wxyz: torch.Tensor) -> torch.Tensor:
    """Rotation matrices (..., 3, 3) from quaternions (..., 4), which are normalised first; differentiable."""
    w, x, y, z = torch.nn.functional.normalize(quat_wxyz, dim=-1).unbind(-1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, -1) for row in rows], -2)
