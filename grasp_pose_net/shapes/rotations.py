"""Rotations of an object that the network is asked about, and the same rotation applied to a grasp pose."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation

PAPER_ANGLES_DEG = (60.0, 120.0, 180.0)


def paper_rotations() -> np.ndarray:
    """The 27 rotations of the paper's augmentation: 60°, 120°, 180° about X, Y and Z, concatenated.

    Returns:
        (27, 3, 3) rotation matrices R = R_z R_y R_x, orthonormal, float64.
    """
    angles = np.stack(np.meshgrid(*[PAPER_ANGLES_DEG] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    return Rotation.from_euler("xyz", angles, degrees=True).as_matrix()


def random_rotations(count: int, *, rng: np.random.Generator) -> np.ndarray:
    """Rotations drawn uniformly from SO(3).

    Args:
        count: how many.
        rng: source of randomness.

    Returns:
        (count, 3, 3) rotation matrices, float64.
    """
    return Rotation.random(count, rng).as_matrix()


def rotate_pose(x: torch.Tensor, rotation: torch.Tensor) -> torch.Tensor:
    """Pose vector of the grasp after object and hand were turned together about the centre of mass.

    Args:
        x: (..., 7 + J) pose vectors: position [m], quaternion (w, x, y, z), joints [rad], object frame.
        rotation: (..., 3, 3) rotation R: a point p of the object goes to R p. Its transpose turns back.

    Returns:
        (..., 7 + J) pose vectors in the rotated object's frame; the quaternion keeps its length.
    """
    position = (rotation @ x[..., :3, None])[..., 0]
    quat_wxyz = quat_multiply(quat_from_rotation(rotation), x[..., 3:7])
    joints = x[..., 7:].expand(*position.shape[:-1], x.shape[-1] - 7)
    return torch.cat([position, quat_wxyz, joints], dim=-1)


def quat_multiply(a_wxyz: torch.Tensor, b_wxyz: torch.Tensor) -> torch.Tensor:
    """Hamilton product a b of quaternions (..., 4), (w, x, y, z): rotate by b, then by a."""
    aw, a = a_wxyz[..., :1], a_wxyz[..., 1:]
    bw, b = b_wxyz[..., :1], b_wxyz[..., 1:]
    w = aw * bw - (a * b).sum(-1, keepdim=True)
    a, b = torch.broadcast_tensors(a, b)
    return torch.cat([w, aw * b + bw * a + torch.linalg.cross(a, b, dim=-1)], dim=-1)


def quat_from_rotation(rotation: torch.Tensor) -> torch.Tensor:
    """Unit quaternions (..., 4), (w, x, y, z), of rotation matrices (..., 3, 3); no gradient goes through."""
    matrices = rotation.detach().cpu().double().reshape(-1, 3, 3).numpy()
    quat_xyzw = Rotation.from_matrix(matrices).as_quat()
    quat_wxyz = torch.from_numpy(np.roll(quat_xyzw, 1, axis=-1)).to(rotation)
    return quat_wxyz.reshape(*rotation.shape[:-2], 4)
