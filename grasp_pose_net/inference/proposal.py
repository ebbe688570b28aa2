"""Object → candidate grasps: the network asked once for all rotations of the object, as one batch."""

from __future__ import annotations

import numpy as np
import torch

from grasp_pose_net.geometry import Array
from grasp_pose_net.hand import Hand
from grasp_pose_net.inference.network import load_network
from grasp_pose_net.shapes import SignedDistanceField, occupancy_grid, paper_rotations, rotate_pose


def retry_rotations(count: int) -> Array:
    """Rotations under which the network sees the object: identity, the paper's 27, then a fixed low-discrepancy set.

    Args:
        count: how many, at least 1.

    Returns:
        (count, 3, 3) rotation matrices.
    """
    rotations = np.concatenate([np.eye(3)[None], paper_rotations()])
    if count > len(rotations):
        rotations = np.concatenate([rotations, super_fibonacci_rotations(count - len(rotations))])
    return rotations[:count]


def super_fibonacci_rotations(count: int) -> Array:
    """Evenly spread rotations (count, 3, 3): super-Fibonacci spirals (Alexa, CVPR 2022, Algorithm 1)."""
    from scipy.spatial.transform import Rotation

    phi, psi = np.sqrt(2.0), 1.533751168755204288118041
    s = np.arange(count) + 0.5
    r, big = np.sqrt(s / count), np.sqrt(1.0 - s / count)
    alpha, beta = 2 * np.pi * s / phi, 2 * np.pi * s / psi
    quat = np.stack([r * np.sin(alpha), r * np.cos(alpha), big * np.sin(beta), big * np.cos(beta)], axis=1)
    return Rotation.from_quat(quat).as_matrix()


class Proposer:
    """The network f with its hand: x = f(o) for every rotation of an object."""

    def __init__(self, hand: Hand, network: str, rotations: int) -> None:
        """Load the weights.

        Args:
            hand: the hand that the weights must belong to.
            network: name in ``models/networks/`` or a path.
            rotations: how many rotations of the object are tried.

        Raises:
            CheckpointError: the weights are missing or belong to another hand.
        """
        self._network = load_network(network, hand).eval()
        self._rotations = retry_rotations(rotations)

    def __call__(self, field: SignedDistanceField) -> Array:
        """Candidates x (R, D), one for each rotation, in the object's own frame."""
        grids = occupancy_grid(field, self._rotations)
        with torch.inference_mode():
            rotated = self._network(grids.float())
        # candidates were found on the object rotated by R, so R⁻¹ brings them back
        back = torch.as_tensor(self._rotations.transpose(0, 2, 1))
        return rotate_pose(rotated.double(), back).numpy()
