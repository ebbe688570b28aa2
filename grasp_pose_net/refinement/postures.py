"""Pre-grasp and squeeze: finger joints that open a grasp, and that press with balanced forces; palm fixed.

Opening is damped least squares on the contact points: the joints dq that minimise
sum |J_i dq - s n_i|^2 + damping^2 |dq|^2 over the points i near the surface, n_i the outward normal there
and s the wanted travel, in a few small steps so that fingers follow their arcs.

The squeeze is where position control must aim so that its springs give the torques sum_i J_i^T f_i of forces
that leave the object where it is (`forces.balanced_forces`). A travel along all normals alike would shove an
object that more fingers touch on one side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.hand import Hand
from grasp_pose_net.refinement import kernel
from grasp_pose_net.refinement.arrays import hand_arrays, scene_arrays
from grasp_pose_net.refinement.descent import checked, over_threads
from grasp_pose_net.refinement.forces import balanced_forces
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.world import HalfSpace


@dataclass(frozen=True)
class Postures(Settings):
    """How far a hand opens and how hard it presses.

    Attributes:
        open_m: travel of the contacts from grasp to pre-grasp.
        open_within_m: contacts this close to the surface travel.
        finger_m: a finger's thickness: what is behind a contact that moves towards the plane.
        damping_m: of the least squares.
        steps: of the travel.
        press_n: mean normal force of the contacts that press.
        press_within_m: contacts this close to the surface press.
        press_friction: half-width of the cones of these forces; less than the real friction is a reserve.
        stiffness_nm: position gain of the hand's joints [N m/rad].
    """

    open_m: float = setting(0.010, 0.0, 0.2)
    open_within_m: float = setting(0.012, 0.0, 0.2)
    finger_m: float = setting(0.025, 0.0, 0.2)
    damping_m: float = setting(0.005, 1e-6, 1.0)
    steps: int = setting(3, 1, 1000)
    press_n: float = setting(3.0, 0.0, 1000.0)
    press_within_m: float = setting(0.005, 0.0, 0.2)
    press_friction: float = setting(0.3, 0.0, 2.0)
    stiffness_nm: float = setting(5.0, 0.1, 50.0)


def postures(
    hand: Hand,
    field: SignedDistanceField,
    x: NDArray[np.floating],
    plane: HalfSpace | None = None,
    config: Postures | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Joints just before and after a grasp.

    Args:
        hand: the hand.
        field: signed distance field of the object.
        x: (B, 7 + D) grasps, object frame.
        plane: support plane; fingers between object and plane open no further than the plane lets them.
        config: travel and forces.

    Returns:
        Pre-grasp joints (B, D) [rad], fingers clear of the surface, and squeeze joints (B, D) [rad],
        targets for position control that lie inside the object so that the fingers press. Both inside the
        limits.
    """
    config, grasp = config or Postures(), checked(hand, x)
    points, distances, normals, jacobian = contact_jacobian(hand, field, grasp)
    touching = np.abs(distances) <= config.press_within_m
    forces = config.press_n * balanced_forces(points, normals, touching, field.radius, config.press_friction)
    torques = np.einsum("bpij,bpi->bj", jacobian, forces)
    # A joint moves what is coupled to it, too, and so works against the gains of all of these.
    gains = config.stiffness_nm * (hand.joint_ratios**2).sum(0)
    squeeze = np.clip(grasp[:, 7:] + torques / gains, hand.lower, hand.upper)
    return pregrasp_joints(hand, field, x, plane, config), squeeze


def pregrasp_joints(
    hand: Hand,
    field: SignedDistanceField,
    x: NDArray[np.floating],
    plane: HalfSpace | None = None,
    config: Postures | None = None,
) -> NDArray[np.float64]:
    """Joints (B, D) [rad] just before a grasp; see `postures`."""
    config, grasp = config or Postures(), checked(hand, x)
    _, distances, normals, _ = contact_jacobian(hand, field, grasp)
    way = config.open_m * normals * (np.abs(distances) <= config.open_within_m)[..., None]
    # a contact that goes no way does not count
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


def _above(points: NDArray, step: NDArray, plane: HalfSpace | None, finger_m: float) -> NDArray:
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
    hand_data, scene_data = hand_arrays(hand), scene_arrays(field)
    shape = (len(x), len(hand_data.contact_link))
    points, distances, normals = np.empty((*shape, 3)), np.empty(shape), np.empty((*shape, 3))
    jacobian = np.empty((*shape, 3, len(hand_data.lower)))

    over_threads(kernel.contact_batch, (hand_data, scene_data), x, points, distances, normals, jacobian)
    return points, distances, normals, jacobian
