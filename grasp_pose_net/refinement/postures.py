"""Pre-grasp and squeeze: finger joints that open or press a grasp along the object's normals, palm fixed.

Damped least squares on the contact points: the joints dq that minimise
sum |J_i dq - s n_i|^2 + damping^2 |dq|^2 over the points i near the surface, n_i the outward normal there
and s the wanted travel (outwards to open, inwards to squeeze), in a few small steps so that fingers follow
their arcs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grasp_pose_net.hand import Hand
from grasp_pose_net.refinement import kernel
from grasp_pose_net.refinement.arrays import Plane, hand_arrays, scene
from grasp_pose_net.refinement.descent import checked, over_threads
from grasp_pose_net.shapes import SignedDistanceField


@dataclass(frozen=True)
class Postures:
    """How far contacts travel from grasp to pre-grasp and to squeeze; measured in `docs` by force trials."""

    open_m: float = 0.010
    open_within_m: float = 0.012
    squeeze_m: float = 0.010
    squeeze_within_m: float = 0.005
    finger_m: float = 0.025  # a finger's thickness: what is behind a contact that moves towards the plane
    damping_m: float = 0.005
    steps: int = 3


def postures(
    hand: Hand,
    field: SignedDistanceField,
    x: NDArray[np.floating],
    plane: Plane | None = None,
    config: Postures | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Joints just before and after a grasp.

    Args:
        hand: the hand.
        field: signed distance field of the object.
        x: (B, 7 + D) grasps, object frame.
        plane: support plane; fingers between object and plane open no further than the plane lets them.
        config: travel and damping.

    Returns:
        Pre-grasp joints (B, D) [rad], fingers clear of the surface, and squeeze joints (B, D) [rad],
        targets for position control that lie inside the object so that the fingers press. Both inside the
        limits.
    """
    config = config or Postures()
    grasp = checked(hand, x)
    _, distances, normals, _ = contact_jacobian(hand, field, grasp)
    open_way = config.open_m * normals * (np.abs(distances) <= config.open_within_m)[..., None]
    squeeze_way = -config.squeeze_m * normals * (np.abs(distances) <= config.squeeze_within_m)[..., None]
    opened = _travel(hand, field, grasp, open_way, plane, config)
    squeezed = _travel(hand, field, grasp, squeeze_way, None, config)
    return opened, squeezed


def _travel(
    hand: Hand,
    field: SignedDistanceField,
    grasp: NDArray,
    way: NDArray,
    plane: Plane | None,
    config: Postures,
) -> NDArray[np.float64]:
    """Joints (B, D) after the contacts travelled along `way` (B, P, 3) [m]; a zero does not count."""
    moved, used = grasp.copy(), np.asarray(way.any(-1))[..., None]
    identity = config.damping_m**2 * np.eye(len(hand.lower))
    for _ in range(config.steps):
        points, _, _, jacobian = contact_jacobian(hand, field, moved)
        wanted = _above(points, way / config.steps, plane, config.finger_m).reshape(len(grasp), -1, 1)
        stacked = (jacobian * used[..., None]).reshape(len(grasp), -1, len(hand.lower))
        transposed = stacked.transpose(0, 2, 1)
        turn = np.linalg.solve(transposed @ stacked + identity, transposed @ wanted)[..., 0]
        moved[:, 7:] = np.clip(moved[:, 7:] + turn, hand.lower, hand.upper)
    return moved[:, 7:]


def _above(points: NDArray, step: NDArray, plane: Plane | None, finger_m: float) -> NDArray:
    """Steps (B, P, 3) shortened along the plane's normal where a finger's back would go through the plane."""
    if plane is None:
        return step
    normal = np.array(plane.normal)
    room = np.maximum(points @ normal - plane.offset - finger_m, 0.0)
    excess = np.maximum(-(step @ normal) - room, 0.0)
    return step + excess[..., None] * normal


def contact_jacobian(
    hand: Hand, field: SignedDistanceField, x: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Contact points in the object frame and how the joints move them.

    Args:
        hand: the hand.
        field: signed distance field of the object.
        x: (B, 7 + D) pose vectors with unit quaternions.

    Returns:
        Points (B, P, 3) [m], signed distances (B, P) [m], object normals there (B, P, 3), and Jacobian
        (B, P, 3, D) [m/rad].
    """
    hand_data, scene_data = hand_arrays(hand), scene(field)
    shape = (len(x), len(hand_data.contact_link))
    points, distances, normals = np.empty((*shape, 3)), np.empty(shape), np.empty((*shape, 3))
    jacobian = np.empty((*shape, 3, len(hand_data.lower)))

    def run(part: slice) -> None:
        kernel.contact_batch(
            hand_data, scene_data, x[part], points[part], distances[part], normals[part], jacobian[part]
        )

    over_threads(run, len(x))
    return points, distances, normals, jacobian
