"""Where a hand touches an object: the contacts that the ε-metric is computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from grasp_pose_net.compiled import compiled
from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.shapes.field_kernels import look_up, slope

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
        return self.points[grasp, mask].numpy(), self.normals[grasp, mask].numpy()


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

    Raises:
        ValueError: the kinematics are of another hand.
    """
    if hand is not kinematics.hand:
        raise ValueError(f"kinematics: expected those of hand {hand.name!r}, got {kinematics.hand.name!r}'s")
    with torch.no_grad():
        points, _ = kinematics.contacts(x)
    return contacts_at(field, points.double().cpu().numpy(), within_m)


def contacts_at(
    field: SignedDistanceField, points: np.ndarray, within_m: float = CONTACT_DISTANCE_M
) -> Contacts:
    """Contacts of hand contact points (B, P, 3) [m], object frame; otherwise as `contacts`."""
    touching = np.zeros(points.shape[:2], np.bool_)
    surface, normals = np.zeros_like(points), np.zeros_like(points)
    _touch(field.values, field.origin, field.spacing, points, within_m, touching, surface, normals)
    return Contacts(*map(torch.from_numpy, (touching, surface, normals)))


@compiled(nogil=True)
def _touch(values, origin, spacing, points, within, touching, surface, normals):
    """Fill in which of points (B, P, 3) touch, where they meet the surface, and the inward normals there."""
    for b in range(points.shape[0]):
        for p in range(points.shape[1]):
            x, y, z = points[b, p]
            gap = look_up(values, origin, spacing, x, y, z)
            if abs(gap) > within:
                continue
            gx, gy, gz = slope(values, origin, spacing, x, y, z)
            x, y, z = x - gap * gx, y - gap * gy, z - gap * gz
            gx, gy, gz = slope(values, origin, spacing, x, y, z)
            touching[b, p] = True
            surface[b, p, 0], surface[b, p, 1], surface[b, p, 2] = x, y, z
            normals[b, p, 0], normals[b, p, 1], normals[b, p, 2] = -gx, -gy, -gz
