"""Where a hand touches an object: the contacts that the ε-metric is computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.shapes import SignedDistanceField

CONTACT_DISTANCE_M = 0.005  # a soft fingertip closes such a gap; protocols measure with the same


@dataclass(frozen=True)
class Contacts:
    """Touching points of a batch of grasps.

    Attributes:
        touching: (B, P) bool, whether the hand's contact point p touches.
        points: (B, P, 3) [m] contact points projected onto the object's surface; zero where nothing touches.
        normals: (B, P, 3) unit, into the object, the way a finger can push; zero where nothing touches.
    """

    touching: torch.Tensor
    points: torch.Tensor
    normals: torch.Tensor

    def of(self, grasp: int) -> tuple[np.ndarray, np.ndarray]:
        """Points (C, 3) [m] and inward normals (C, 3) of the contacts of one grasp."""
        mask = self.touching[grasp]
        return self.points[grasp, mask].double().cpu().numpy(), self.normals[
            grasp, mask
        ].double().cpu().numpy()


def contacts(
    hand: Hand,
    kinematics: Kinematics,
    field: SignedDistanceField,
    x: torch.Tensor,
    within_m: float = CONTACT_DISTANCE_M,
) -> Contacts:
    """Contacts of a batch of grasps: hand contact points within 5 mm of the surface, on either side.

    Args:
        hand: the hand.
        kinematics: its kinematics, in the dtype of x.
        field: the object's signed distance field.
        x: (B, 7 + J) pose vectors, object frame.
        within_m: what counts as touching; more than the default foretells where a hand is about to touch.
    """
    if hand is not kinematics.hand:
        raise ValueError(f"kinematics: expected those of hand {hand.name!r}, got {kinematics.hand.name!r}'s")
    with torch.no_grad():
        points, _ = kinematics.contacts(x)
        distance = field.distance(points)
        touching = distance.abs() <= within_m
        near = points[touching][None]  # (1, C, 3) of all grasps together
        on_surface = near - distance[touching][None, :, None] * field.normal(near)
        surface, normals = torch.zeros_like(points), torch.zeros_like(points)
        surface[touching] = on_surface[0]
        normals[touching] = -field.normal(on_surface)[0]
    return Contacts(touching, surface, normals)
