"""How deep a hand is in the object and in itself: the figures of the protocols, for a batch of grasps."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.shapes import SignedDistanceField


@dataclass(frozen=True)
class Penetration:
    """Depths of B grasps.

    Attributes:
        penetrating_points: (B,) how many of the hand's contact points lie inside the object.
        mean_depth_m: (B,) mean depth of those points; 0 where there are none.
        hand_penetration_m: (B,) largest depth of the hand's collision surface in the object.
        self_penetration_m: (B,) largest overlap of two parts of the hand that must not meet.
    """

    penetrating_points: torch.Tensor
    mean_depth_m: torch.Tensor
    hand_penetration_m: torch.Tensor
    self_penetration_m: torch.Tensor


@torch.no_grad()
def penetration(
    hand: Hand, kinematics: Kinematics, field: SignedDistanceField, x: torch.Tensor
) -> Penetration:
    """Penetration of a batch of grasps.

    Args:
        hand: the hand.
        kinematics: its kinematics, in the dtype of x.
        field: the object's signed distance field.
        x: (B, 7 + J) pose vectors, object frame.
    """
    depth = (-field.distance(kinematics.contacts(x)[0])).clamp(min=0)  # (B, P)
    inside = depth > 0
    return Penetration(
        penetrating_points=inside.sum(1),
        mean_depth_m=depth.sum(1) / inside.sum(1).clamp(min=1),
        hand_penetration_m=hand_penetration(hand, kinematics, field, x),
        self_penetration_m=self_penetration(hand, kinematics, x),
    )


@torch.no_grad()
def hand_penetration(
    hand: Hand, kinematics: Kinematics, field: SignedDistanceField, x: torch.Tensor
) -> torch.Tensor:
    """Largest depth (B,) [m] of the hand's collision surface in the object; arguments as `penetration`."""
    return (-field.distance(kinematics.points(x, hand.surface))).amax(1).clamp(min=0)  # over (B, M)


@torch.no_grad()
def self_penetration(hand: Hand, kinematics: Kinematics, x: torch.Tensor) -> torch.Tensor:
    """Largest overlap (B,) [m] of two of the hand's spheres that must not meet, at x (B, 7 + J)."""
    centres = kinematics.points(x, hand.spheres)  # (B, S, 3)
    radius = torch.tensor(hand.spheres.radius).to(centres)
    first, second = torch.tensor(hand.self_pairs).unbind(1)
    gap = (centres[:, first] - centres[:, second]).norm(dim=-1) - radius[first] - radius[second]
    return (-gap).amax(1).clamp(min=0)
