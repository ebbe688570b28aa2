"""How the open hand reaches a grasp: a straight line of the palm on which nothing but the target comes near."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import torch

from grasp_pose_net.compiled import compiled
from grasp_pose_net.hand import Hand, Kinematics, rotation_from_quat
from grasp_pose_net.refinement.arrays import scene_arrays
from grasp_pose_net.refinement.kernel import box_distance, distance
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.world import Array, HalfSpace, Part

# Directions of travel as weights of (palm normal, finger axis), preferred first; straight down comes after them.
DIRECTIONS = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
# How far the hand is open on the way in, preferred first: 0 is the grasp, 1 the pre-grasp, 2 the open hand. A tight
# pre-grasp often cannot pass the object's rim; a wide one often has no room between object and support.
OPENINGS = (1.0, 1.35, 1.7, 2.0, 0.5)
STEPS = 9  # places on the way that are looked at, both ends among them

# More room than this counts the same, so that the hand opens no wider than it must.
ENOUGH_M = 0.003


@dataclass(frozen=True, kw_only=True)
class Approaches:
    """The way in for each of B grasps.

    Attributes:
        clearance_m: (B,) smallest gap between hand and object, support or neighbours on the way; negative where it
            touches [m].
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
    plane: HalfSpace | None = None,
    obstacles: tuple[Part, ...] = (),
) -> Approaches:
    """Direction and opening of the hand with the most room on the way to each grasp.

    Every direction is tried with every opening; where several leave more than ``ENOUGH_M`` the first is taken, so that the
    hand opens no wider than it must. Over a support straight down is a direction, too.

    Args:
        hand: the hand.
        field: signed distance of the object.
        x: (B, D) grasps, object frame.
        pregrasp: (B, D - 7) joints a little outside the surface [rad].
        distance_m: length of the way [m].
        plane: support surface to stay clear of, object frame.
        obstacles: neighbours to stay clear of, object frame.
    """
    stations = np.stack([x[:, 7:], pregrasp, np.broadcast_to(hand.open_joints, pregrasp.shape)])
    openings = np.stack([_between(stations, opening) for opening in OPENINGS], axis=1)  # (B, O, D - 7)
    poses = np.concatenate([np.repeat(x[:, None, :7], len(OPENINGS), 1), openings], axis=2)
    R_object_palm = rotation_from_quat(torch.as_tensor(x[:, 3:7])).numpy()
    directions = _directions(hand) @ R_object_palm.transpose(0, 2, 1)  # (B, A, 3)
    if plane is not None:
        down = np.broadcast_to(-np.asarray(plane.normal), (len(x), 1, 3))
        directions = np.concatenate([directions, down], axis=1)
    clearance = _clearance(hand, field, poses, directions, distance_m, plane, obstacles)  # (B, A, O)
    flat = (
        np.minimum(clearance, ENOUGH_M).transpose(0, 2, 1).reshape(len(x), -1)
    )  # opening major: small ones first
    opening, direction = np.divmod(flat.argmax(1), directions.shape[1])
    rows = np.arange(len(x))
    return Approaches(
        clearance_m=clearance[rows, direction, opening],
        directions=directions[rows, direction],
        joints=openings[rows, opening],
    )


def _between(stations: Array, place: float) -> Array:
    """Row of stations (S, B, J) at a place from 0 to S - 1, linear between two."""
    first = min(int(place), len(stations) - 2)
    return stations[first] + (place - first) * (stations[first + 1] - stations[first])


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
    plane: HalfSpace | None,
    obstacles: tuple[Part, ...],
) -> Array:
    """Smallest gap (B, A, O) [m] over the way, for every direction (B, A, 3) and opening in poses (B, O, D)."""
    kinematics = Kinematics(hand, dtype=torch.float64)
    spheres = kinematics.points(torch.as_tensor(poses.reshape(-1, poses.shape[2])), hand.spheres).numpy()
    return _smallest_gaps(
        scene_arrays(field, plane, obstacles),
        spheres.reshape(*poses.shape[:2], -1, 3),
        hand.spheres.radius.copy(),
        directions,
        np.linspace(0.0, distance_m, STEPS),
    )


@compiled(parallel=True)
def _smallest_gaps(scene, centres, radius, directions, steps):
    """Smallest gap (B, A, O) [m] of spheres (B, O, S, 3) moved back by each of steps (K,) along (B, A, 3)."""
    grasps, ways, openings = len(centres), directions.shape[1], centres.shape[1]
    gaps = np.empty((grasps, ways, openings))
    for task in numba.prange(grasps * ways * openings):
        b, a, o = task // (ways * openings), task // openings % ways, task % openings
        smallest = np.inf
        for step in steps:
            back = -step * directions[b, a]
            for s in range(len(radius)):
                x, y, z = (
                    centres[b, o, s, 0] + back[0],
                    centres[b, o, s, 1] + back[1],
                    centres[b, o, s, 2] + back[2],
                )
                height = scene.plane[0] * x + scene.plane[1] * y + scene.plane[2] * z - scene.plane[3]
                gap = height - radius[s]
                if gap < smallest:
                    smallest = gap
                gap = distance(scene, x, y, z)[0] - radius[s]
                if gap < smallest:
                    smallest = gap
                for k in range(len(scene.boxes)):
                    gap = box_distance(scene.boxes[k], x, y, z)[0] - radius[s]
                    if gap < smallest:
                        smallest = gap
        gaps[b, a, o] = smallest
    return gaps
