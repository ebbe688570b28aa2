"""Forward kinematics of a batch of grasps in torch, one step for each level of the tree; differentiable."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch

from grasp_pose_net.hand.points import Contacts, LinkPoints
from grasp_pose_net.hand.tree import KinematicTree


class Articulated(Protocol):
    """What kinematics needs of a hand, which knows it; that this does not know the hand keeps them apart."""

    @property
    def name(self) -> str:
        """For what is said of a wrong pose vector."""

    @property
    def size(self) -> int:
        """Length of the pose vector."""

    @property
    def tree(self) -> KinematicTree:
        """Links and joints."""

    @property
    def contacts(self) -> Contacts:
        """Points that may touch an object."""


class Kinematics:
    """Where the links of a hand are for pose vectors x = [position (3) m, quat_wxyz (4), joints (J) rad].

    Axis letters: B batch, L links, P points, J independent joints. Everything is in the frame x is given in,
    the object's, and keeps the dtype and device given here.
    """

    def __init__(
        self, hand: Articulated, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> None:
        """Copy the hand's tree into tensors."""
        tree = hand.tree
        self.hand = hand
        self._dtype, self._device = dtype, device
        self._rotation = self._tensor(tree.rotation)  # (L, 3, 3)
        self._translation = self._tensor(tree.translation)[..., None]  # (L, 3, 1)
        self._ratio = self._tensor(tree.ratio)
        self._dof = torch.as_tensor(tree.dof.copy(), device=device)
        cross = self._tensor(np.cross(tree.axis[:, None], np.eye(3)).swapaxes(1, 2))  # cross @ v = axis x v
        self._cross, self._cross_squared = cross, cross @ cross  # (L, 3, 3) each
        self._levels, order = _levels(tree.parent)
        self._order = torch.as_tensor(np.argsort(order), device=device)

    def link_poses(self, x: torch.Tensor) -> torch.Tensor:
        """Poses (B, L, 4, 4) of all links, in the order of ``hand.tree.names``, for x (B, 7 + J)."""
        rotation, translation = self._frames(x)
        top = torch.cat([rotation, translation], dim=-1)
        bottom = self._tensor(np.array([0.0, 0.0, 0.0, 1.0])).expand(*top.shape[:2], 1, 4)
        return torch.cat([top, bottom], dim=-2)

    def points(self, x: torch.Tensor, points: LinkPoints) -> torch.Tensor:
        """Positions (B, P, 3) [m] of points fixed to links."""
        rotation, translation = self._frames(x)
        link = torch.as_tensor(points.link.copy(), device=rotation.device)
        position = self._tensor(points.position)[:, :, None]
        return (rotation[:, link] @ position + translation[:, link]).squeeze(-1)

    def contacts(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Positions (B, P, 3) [m] and outward unit normals (B, P, 3) of the hand's contact points."""
        rotation, translation = self._frames(x)
        contacts = self.hand.contacts
        link = torch.as_tensor(contacts.link.copy(), device=rotation.device)
        local = self._tensor(np.stack([contacts.position, contacts.normal], axis=-1))  # (P, 3, 2)
        moved = rotation[:, link] @ local  # (B, P, 3, 2)
        return moved[..., 0] + translation[:, link].squeeze(-1), moved[..., 1]

    def _frames(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Rotations (B, L, 3, 3) and origins (B, L, 3, 1) of all links."""
        if x.ndim != 2 or x.shape[1] != self.hand.size:
            expected = f"(B, {self.hand.size}) for hand {self.hand.name!r}"
            raise ValueError(f"x: expected {expected}, got {tuple(x.shape)}")
        local = self._local_rotations(x[:, 7:])
        rotations = [rotation_from_quat(x[:, 3:7])[:, None]]
        translations = [x[:, None, :3, None]]
        for links, parents in self._levels:
            rotation, translation = rotations[-1][:, parents], translations[-1][:, parents]
            rotations.append(rotation @ local[:, links])
            translations.append(rotation @ self._translation[links] + translation)
        return torch.cat(rotations, 1)[:, self._order], torch.cat(translations, 1)[:, self._order]

    def _local_rotations(self, joints: torch.Tensor) -> torch.Tensor:
        """Rotation (B, L, 3, 3) of each link in its parent, by Rodrigues' formula about the joint's axis."""
        still = torch.zeros_like(joints[:, :1])  # dof -1 picks this last column
        angle = (torch.cat([joints, still], dim=1)[:, self._dof] * self._ratio)[..., None, None]
        turn = torch.sin(angle) * self._cross + (1 - torch.cos(angle)) * self._cross_squared
        return self._rotation + self._rotation @ turn

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.tensor(array, dtype=self._dtype, device=self._device)


def _levels(parent: np.ndarray) -> tuple[list[tuple[list[int], list[int]]], list[int]]:
    """Links of each level with the places of their parents in the level above; and the whole order."""
    previous, levels, order = [0], [], [0]
    while links := [int(link) for link in np.flatnonzero(np.isin(parent, previous))]:
        levels.append((links, [previous.index(parent[link]) for link in links]))
        previous = links
        order += links
    return levels, order


def rotation_from_quat(quat_wxyz: torch.Tensor) -> torch.Tensor:
    """Rotation matrices (..., 3, 3) from quaternions (..., 4), which are normalised first; differentiable."""
    w, x, y, z = torch.nn.functional.normalize(quat_wxyz, dim=-1).unbind(-1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, -1) for row in rows], -2)
