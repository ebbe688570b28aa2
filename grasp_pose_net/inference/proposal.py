"""Object → candidate grasps: the network asked once for all rotations of the object, as one batch; or none asked."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import trimesh

from grasp_pose_net.exceptions import CheckpointError, ConfigError
from grasp_pose_net.hand import Hand, rotation_from_quat
from grasp_pose_net.inference.network import load_network
from grasp_pose_net.inference.starts import draw_starts
from grasp_pose_net.models import network_file
from grasp_pose_net.shapes import (
    RUN_TIME_RESOLUTION,
    SignedDistanceField,
    occupancy_grid,
    paper_rotations,
    rotate_pose,
)
from grasp_pose_net.world import Array, HalfSpace

SAMPLED = "sampled"  # what is named instead of a network where none is wanted


def retry_rotations(count: int) -> Array:
    """Rotations under which the network sees the object: the paper's 27, identity first, then a fixed low-discrepancy set.

    Args:
        count: how many, at least 1.

    Returns:
        (count, 3, 3) rotation matrices.
    """
    # three half turns are the identity again, the last of the paper's
    rotations = np.concatenate([np.eye(3)[None], paper_rotations()[:-1]])
    if count > len(rotations):
        rotations = np.concatenate([rotations, super_fibonacci_rotations(count - len(rotations))])
    return rotations[:count]


def super_fibonacci_rotations(count: int) -> Array:
    """Evenly spread rotations (count, 3, 3): super-Fibonacci spirals (Alexa, 2022, algorithm 1)."""
    from scipy.spatial.transform import Rotation

    phi, psi = np.sqrt(2.0), 1.533751168755204288118041
    s = np.arange(count) + 0.5
    r, big = np.sqrt(s / count), np.sqrt(1.0 - s / count)
    alpha, beta = 2 * np.pi * s / phi, 2 * np.pi * s / psi
    quat = np.stack([r * np.sin(alpha), r * np.cos(alpha), big * np.sin(beta), big * np.cos(beta)], axis=1)
    return Rotation.from_quat(quat).as_matrix()


class Proposer(Protocol):
    """What gives candidates x (R, D) of an object, in its own frame: one for each of R rotations.

    Attributes:
        description: who proposes, in words for a log.
    """

    description: str

    def __call__(
        self,
        field: SignedDistanceField,
        rotations: Array,
        *,
        rng: np.random.Generator,
        plane: HalfSpace | None = None,
    ) -> Array:
        """Candidates.

        Args:
            field: signed distance of the object.
            rotations: (R, 3, 3) of the object, for a proposer that sees it.
            rng: random numbers, for a proposer that draws.
            plane: support surface, object frame, for a proposer that can stay above it.
        """

    def palm_direction(self) -> Array:
        """Mean direction (3,) of the palm in the frame of the rotated object, of length 0 (none) to 1."""


def make_proposer(hand: Hand, network: str) -> Proposer:
    """Proposer by the name of a network.

    Args:
        hand: the hand.
        network: name in ``models/networks/`` or a path; empty: the hand's own, ``<hand>_compact``, or none where
            there is no such file; ``sampled``: none.

    Raises:
        CheckpointError: the weights that were asked for are missing, or some belong to another hand.
    """
    if network == SAMPLED:
        return SampledProposer(hand)
    own = f"{hand.name}_compact"
    if not network and not _is_there(own):
        return SampledProposer(hand, f"there is no network {own}")
    try:
        return NetworkProposer(hand, network or own)
    except CheckpointError as error:
        raise CheckpointError(f"{error}; or plan without a network: {SAMPLED!r}") from error


def weights(hand: str, network: str) -> list[Path]:
    """The file that a proposer of these names takes its network from; none where it takes none."""
    own = network or f"{hand}_compact"
    return [network_file(own)] if own != SAMPLED and _is_there(own) else []


def _is_there(network: str) -> bool:
    try:
        return network_file(network).exists()
    except ConfigError:
        return False


class SampledProposer:
    """No network: candidates are drawn as the ground-truth planner draws its starts, so any hand has them.

    What refinement makes of them is the baseline that a network must beat.
    """

    def __init__(self, hand: Hand, reason: str = "as asked") -> None:
        """Keep the hand, and why no network is used."""
        self._hand = hand
        self.description = f"candidates are sampled around the object, without a network ({reason})"

    def __call__(
        self,
        field: SignedDistanceField,
        rotations: Array,
        *,
        rng: np.random.Generator,
        plane: HalfSpace | None = None,
    ) -> Array:
        """Open hands that face the object's convex hull, as many as there are rotations; see `Proposer`."""
        cells = np.argwhere(
            field.values <= 1.1 * field.spacing
        )  # a cell too large: the thinnest plate has a hull
        hull = trimesh.convex.convex_hull(field.origin + field.spacing * cells)
        return draw_starts(self._hand, hull, field, len(rotations), rng=rng, plane=plane)

    def palm_direction(self) -> Array:
        """No preference: zeros (3,)."""
        return np.zeros(3)


class NetworkProposer:
    """The network f with its hand: x = f(o) for every rotation of an object."""

    def __init__(self, hand: Hand, network: str) -> None:
        """Load the weights.

        Args:
            hand: the hand that the weights must belong to.
            network: name in ``models/networks/`` or a path.

        Raises:
            CheckpointError: the weights are missing or belong to another hand.
        """
        self._network = load_network(network, hand).eval()
        self.description = f"candidates come from network {network}"
        self._palm_normal = torch.as_tensor(hand.palm_normal.copy())

    def __call__(
        self,
        field: SignedDistanceField,
        rotations: Array,
        *,
        rng: np.random.Generator | None = None,
        plane: HalfSpace | None = None,
    ) -> Array:
        """The network's answers, turned back; it needs no random numbers and knows no plane; see `Proposer`."""
        # candidates were found on the object rotated by R, so R⁻¹ brings them back
        back = torch.as_tensor(rotations.transpose(0, 2, 1).copy())
        return rotate_pose(self._rotated(field, rotations), back).numpy()

    def _rotated(self, field: SignedDistanceField, rotations: Array) -> torch.Tensor:
        """The network's answers (R, D) in the frames of the rotated grids.

        Raises:
            CheckpointError: they are not finite.
        """
        with torch.inference_mode():
            x = self._network(occupancy_grid(field, rotations)).double()
        if not torch.isfinite(x).all():
            raise CheckpointError("the network answers with numbers that are not finite; train it again")
        return x

    def palm_direction(self) -> Array:
        """Where the palm looks in the frame of the grid, (3,), averaged over turned boxes; of length 0 to 1.

        A network that learns the nearest of all grasps of rotated objects comes to prefer one direction of the
        grid. Its length says how much: the rotation of the object then chooses where the hand comes from.
        """
        box = SignedDistanceField.from_mesh(trimesh.creation.box((0.05, 0.07, 0.12)), RUN_TIME_RESOLUTION)
        rotated = self._rotated(box, retry_rotations(28))
        return (rotation_from_quat(rotated[:, 3:7]) @ self._palm_normal).mean(0).numpy()
