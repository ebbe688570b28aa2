"""Where descents begin: the palm over a point of the object's hull, fingers open, above the table if any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.hand import Hand
from grasp_pose_net.refinement import Energy, evaluate
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.world import HalfSpace


@dataclass(frozen=True)
class Starts(Settings):
    """How starts are drawn.

    Attributes:
        gap_m: the grasp centre lies this far outside the hull (least, most).
        tilt_rad: standard deviation of the palm's direction about the inward normal.
        bend: the fingers are closed by this much of their closing direction [rad] (least, most).
        spread_rad: standard deviation of every joint about the bent posture.
        tries: starts drawn for each one kept, where a support plane is in the way.
    """

    gap_m: tuple[float, float] = setting((0.02, 0.06), -0.5, 0.5)
    tilt_rad: float = setting(0.35, 0.0, 3.2)
    bend: tuple[float, float] = setting((0.1, 0.5), -3.2, 3.2)
    spread_rad: float = setting(0.1, 0.0, 3.2)
    tries: int = setting(6, 1, 1000)


def draw_starts(
    hand: Hand,
    mesh: trimesh.Trimesh,
    field: SignedDistanceField,
    count: int,
    *,
    rng: np.random.Generator,
    plane: HalfSpace | None = None,
    config: Starts | None = None,
) -> NDArray[np.float64]:
    """Random pose vectors around an object, palm facing it.

    Args:
        hand: the hand.
        mesh: the object, object frame.
        field: its signed distance field.
        count: how many.
        rng: random numbers.
        plane: support plane; starts that reach least below it are kept.
        config: distribution.

    Returns:
        (count, 7 + D) pose vectors, object frame.
    """
    config = config or Starts()
    total = count if plane is None else count * config.tries
    points, normals = _hull_points(mesh, total, rng)
    quat_wxyz, R_object_base = _palm_rotations(hand, normals, config.tilt_rad, rng)
    centre = points + rng.uniform(*config.gap_m, (total, 1)) * normals
    position = centre - R_object_base @ hand.grasp_centre
    bent = hand.open_joints + rng.uniform(*config.bend, (total, 1)) * hand.closing
    joints = np.clip(
        bent + rng.normal(0, config.spread_rad, bent.shape) * hand.variety, hand.lower, hand.upper
    )
    x = np.concatenate([position, quat_wxyz, joints], axis=1)
    if plane is None:
        return x
    depth = evaluate(hand, field, x, Energy(contact=0.0, normal=0.0), plane=plane).depths[:, 2]
    return x[np.sort(np.argsort(depth, kind="stable")[:count])]


def _hull_points(mesh: trimesh.Trimesh, count: int, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Points (count, 3) spread evenly over the convex hull, and outward normals (count, 3)."""
    hull = mesh.convex_hull
    face = rng.choice(len(hull.faces), size=count, p=hull.area_faces / hull.area_faces.sum())
    u, v = np.sort(rng.random((2, count)), axis=0)
    corners = hull.triangles[face]
    points = u[:, None] * corners[:, 0] + (v - u)[:, None] * corners[:, 1] + (1 - v)[:, None] * corners[:, 2]
    return points, hull.face_normals[face]


def _palm_rotations(
    hand: Hand, outward: NDArray, tilt_rad: float, rng: np.random.Generator
) -> tuple[NDArray, NDArray]:
    """Quaternions wxyz and matrices of bases whose palm faces against `outward` (N, 3), any roll."""
    facing = -outward + rng.normal(0, tilt_rad, outward.shape)
    facing /= np.linalg.norm(facing, axis=1, keepdims=True)
    side = np.cross(facing, rng.normal(size=facing.shape))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    R_object_palm = np.stack([facing, side, np.cross(facing, side)], axis=2)
    along = np.cross(hand.palm_normal, hand.finger_axis)
    R_base_palm = np.stack([hand.palm_normal, along, np.cross(hand.palm_normal, along)], axis=1)
    R_object_base = R_object_palm @ R_base_palm.T
    return Rotation.from_matrix(R_object_base).as_quat()[:, [3, 0, 1, 2]], R_object_base
