"""How the open hand reaches a grasp: a straight line of the palm on which nothing but the target comes near."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from grasp_pose_net.geometry import Array, rotation_from_quat
from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.refinement import Plane
from grasp_pose_net.shapes import SignedDistanceField

# Directions of travel as weights of (palm normal, finger axis), preferred first.
DIRECTIONS = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
# How far the joints go from the pre-grasp towards the open hand; a tight pre-grasp often cannot pass the object's rim.
OPENINGS = (0.0, 0.35, 0.7, 1.0)
STEPS = 9
# More room than this counts the same, so that the hand opens no wider than it must.
ENOUGH_M = 0.003


@dataclass(frozen=True, kw_only=True)
class Approaches:
    """The way in for each of B grasps.

    Attributes:
        clearance_m: (B,) smallest gap between hand and object or support on the way; negative where it touches [m].
        directions: (B, 3) unit direction of travel, object frame.
        joints: (B, D - 7) hand joints while approaching [rad].
    """

    clearance_m: Array
    directions: Array
    joints: Array


def find_approaches(
    hand: Hand,
    field: SignedDistanceField,
    x: Array,
    pregrasp: Array,
    distance_m: float,
    plane: Plane | None = None,
) -> Approaches:
    """Direction and opening of the hand with the most room on the way to each grasp.

    Every direction is tried with every opening; where several leave more than ``ENOUGH_M`` the first is taken, so that the
    hand opens no wider than it must.

    Args:
        hand: the hand.
        field: signed distance of the object.
        x: (B, D) grasps, object frame.
        pregrasp: (B, D - 7) joints a little outside the surface [rad].
        distance_m: length of the way [m].
        plane: support surface to stay clear of, object frame.
    """
    spread = hand.open_joints
    openings = np.stack([(1 - a) * pregrasp + a * spread for a in OPENINGS], axis=1)  # (B, O, D - 7)
    poses = np.concatenate([np.repeat(x[:, None, :7], len(OPENINGS), 1), openings], axis=2)
    R_object_palm = rotation_from_quat(torch.as_tensor(x[:, 3:7])).numpy()
    directions = _directions(hand) @ R_object_palm.transpose(0, 2, 1)  # (B, A, 3)
    clearance = _clearance(hand, field, poses, directions, distance_m, plane)  # (B, A, O)
    flat = (
        np.minimum(clearance, ENOUGH_M).transpose(0, 2, 1).reshape(len(x), -1)
    )  # opening major: small ones first
    opening, direction = np.divmod(flat.argmax(1), len(DIRECTIONS))
    rows = np.arange(len(x))
    return Approaches(
        clearance_m=clearance[rows, direction, opening],
        directions=directions[rows, direction],
        joints=openings[rows, opening],
    )


def _directions(hand: Hand) -> Array:
    """Unit directions of travel (A, 3) in the base link's frame."""
    directions = DIRECTIONS @ np.stack([hand.palm_normal, hand.finger_axis])
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def _clearance(
    hand: Hand,
    field: SignedDistanceField,
    poses: Array,
    directions: Array,
    distance_m: float,
    plane: Plane | None,
) -> Array:
    """Smallest gap (B, A, O) [m] over the way, for every direction (B, A, 3) and opening in poses (B, O, D)."""
    grasps, openings, size = poses.shape
    kinematics = Kinematics(hand, dtype=torch.float32)
    spheres = kinematics.points(torch.as_tensor(poses.reshape(-1, size), dtype=torch.float32), hand.spheres)
    radius = torch.tensor(hand.spheres.radius, dtype=torch.float32)
    back = (
        -torch.linspace(0.0, distance_m, STEPS)[:, None]
        * torch.as_tensor(directions, dtype=torch.float32)[:, :, None]
    )
    # (B, A, O, K, S, 3): every sphere of every opening at every step of every direction
    centres = spheres.reshape(grasps, 1, openings, 1, -1, 3) + back[:, :, None, :, None, :]
    gap = field.distance(centres.reshape(grasps, -1, 3)).reshape(centres.shape[:-1]) - radius
    if plane is not None:
        normal, offset = torch.as_tensor(plane.normal, dtype=torch.float32), plane.offset
        gap = torch.minimum(gap, centres @ normal - offset - radius)
    return gap.amin(dim=(3, 4)).double().numpy()
