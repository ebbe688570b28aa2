"""Small corrections of the cameras' poses, from what the views share: the table first, then the objects.

Calibration is wrong by millimetres, and walls of a cup are as thin. The table's top fixes height and tilt of
each view (`levelling`); sliding and turning on the table follow from the surfaces that several views see
(`slides`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from grasp_pose_net.perception.table import MIN_TABLE_M2, main_plane
from grasp_pose_net.perception.views import Surface
from grasp_pose_net.world import Array

MAX_TILT_RAD = 0.03
TABLE_SAMPLES, SURFACE_SAMPLES = 4000, 1500
SAME_SIDE = 0.8  # cosine between the normals of two samples that may be the same place
ROUNDS = 5
LEVER_M = 0.1  # a turn counts as a slide at this distance
STIFFNESS = 0.02  # what a metre² of correction costs against a metre² of mean disagreement


def levelling(points: Array, max_align_m: float, area_m2: float) -> Array:
    """Motion (4, 4) that tilts and raises a view so that it sees the table's top at z = 0.

    None where it sees too little of the table, or would move by more than ``max_align_m`` or 1.7 degrees.

    Args:
        points: (N, 3) of the view [m], table frame.
        max_align_m: what is this close to z = 0 is the table's top.
        area_m2: surface that each point stands for.
    """
    on_table = points[np.abs(points[:, 2]) < max_align_m]
    if len(on_table) * area_m2 < MIN_TABLE_M2:
        return np.eye(4)
    T_level_view = _levelling(thinned(on_table, TABLE_SAMPLES))
    tilt = np.arccos(np.clip(T_level_view[2, 2], -1.0, 1.0))
    return T_level_view if abs(T_level_view[2, 3]) < max_align_m and tilt < MAX_TILT_RAD else np.eye(4)


def _levelling(points: Array) -> Array:
    """Smallest motion (4, 4) of the plane through points (N, 3) onto z = 0."""
    centre, normal = main_plane(points)
    T_level_view = np.eye(4)
    T_level_view[:3, :3] = Rotation.align_vectors([[0.0, 0.0, 1.0]], [normal])[0].as_matrix()
    T_level_view[:3, 3] = [*centre[:2], 0.0] - T_level_view[:3, :3] @ centre
    return T_level_view


def thinned(points: Array, count: int) -> Array:
    """At most ``count`` of points (N, ...), evenly through the array."""
    return points[:: max(1, -(-len(points) // count))]


def slides(parts: Sequence[Surface], max_align_m: float) -> list[Array]:
    """Motions (4, 4) on the table, one for each view, that bring their surfaces together.

    Gauss-Newton on the distances along normals between samples of different views that lie close and face the
    same way. What the samples do not fix stays as calibrated.

    Args:
        parts: surface of each view, levelled, table frame.
        max_align_m: samples farther apart do not belong together; a view that would move farther is not
            moved.
    """
    motion = np.zeros((len(parts), 3))  # x, y, turn about z
    samples = [Surface(*(thinned(a, SURFACE_SAMPLES) for a in (part.points, part.normals))) for part in parts]
    if sum(len(part.points) > 0 for part in parts) < 2:
        return [np.eye(4) for _ in parts]
    for _ in range(ROUNDS):
        motion += _step([_moved(s, m) for s, m in zip(samples, motion, strict=True)], motion, max_align_m)
    far = np.hypot(*motion[:, :2].T) + LEVER_M * np.abs(motion[:, 2]) > max_align_m
    motion[far] = 0.0
    return [_matrix(m) for m in motion]


def _step(parts: list[Surface], motion: Array, reach_m: float) -> Array:
    """Change (V, 3) of the motions of all views."""
    size = 3 * len(parts)
    normal_matrix, right = np.zeros((size, size)), np.zeros(size)
    count = 1
    trees = [cKDTree(part.points) if len(part.points) else None for part in parts]
    for a, part in enumerate(parts):
        for b, tree in enumerate(trees):
            if a == b or tree is None or len(part.points) == 0:
                continue
            distance, nearest = tree.query(part.points, distance_upper_bound=reach_m)
            found = np.isfinite(distance)
            p, q = part.points[found], parts[b].points[nearest[found]]
            n, m = part.normals[found], parts[b].normals[nearest[found]]
            same = (n * m).sum(1) > SAME_SIDE
            p, q, m = p[same], q[same], m[same]
            gap = ((p - q) * m).sum(1)
            row = np.column_stack([_slope(p, m), -_slope(q, m)])
            unknowns = np.r_[3 * a : 3 * a + 3, 3 * b : 3 * b + 3]
            normal_matrix[np.ix_(unknowns, unknowns)] += row.T @ row
            right[unknowns] -= row.T @ gap
            count += len(p)
    stiff = STIFFNESS * count * np.tile([1.0, 1.0, LEVER_M**2], len(parts))
    change = np.linalg.solve(normal_matrix + np.diag(stiff), right - stiff * motion.ravel())
    return change.astype(float).reshape(-1, 3)


def _slope(points: Array, normals: Array) -> Array:
    """Change (N, 3) of the distance along normals by a slide in x, in y, and a turn about z."""
    turn = normals[:, 1] * points[:, 0] - normals[:, 0] * points[:, 1]
    return np.column_stack([normals[:, :2], turn])


def _matrix(motion: Array) -> Array:
    T = np.eye(4)
    T[:3, :3] = Rotation.from_euler("z", motion[2]).as_matrix()
    T[:2, 3] = motion[:2]
    return T


def _moved(surface: Surface, motion: Array) -> Surface:
    return surface.moved(_matrix(motion))
