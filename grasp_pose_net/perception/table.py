"""The support: the largest near-horizontal plane, and its extent as a box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import open3d as o3d
import trimesh
from scipy import ndimage
from scipy.spatial.transform import Rotation

from grasp_pose_net.exceptions import PerceptionError
from grasp_pose_net.geometry import Array
from grasp_pose_net.perception.config import PerceptionConfig
from grasp_pose_net.perception.views import cell_means

SEARCH_STEP = 4  # every fourth point is enough for a cell of 16 of them
COARSE_M = 0.01  # the plane is searched in cells of this side
PLANE_BAND_M = 0.008  # calibration errors of 2 mm and 0.3 degrees put views this far apart at 0.7 m
EXTENT_CELL_M = 0.02  # the table's extent is followed over cells of this side
MIN_TABLE_M2 = 0.01  # a smaller plane is a box's lid rather than a table
RANSAC_ROUNDS, RANSAC_SEED, MAX_PLANES = 400, 0, 6


@dataclass(frozen=True)
class Table:
    """Box under the objects.

    Attributes:
        T_world_table: (4, 4) frame in the middle of the top, z along its normal upwards, x along a side.
        size: (3,) sides of the box [m]; it reaches down from z = 0 by ``size[2]``.
    """

    T_world_table: Array
    size: Array

    @property
    def T_world_box(self) -> Array:
        """Pose (4, 4) of the middle of the box."""
        T_table_box = np.eye(4)
        T_table_box[2, 3] = -self.size[2] / 2
        return self.T_world_table @ T_table_box


def find_table(points_world: Array, config: PerceptionConfig) -> Table:
    """Largest near-horizontal plane in a cloud (N, 3) [m], world frame.

    Raises:
        PerceptionError: no plane is large and level enough.
    """
    rest = cell_means(points_world[::SEARCH_STEP], COARSE_M)
    found = []
    o3d.utility.random.seed(RANSAC_SEED)
    for _ in range(MAX_PLANES):
        if len(rest) < MIN_TABLE_M2 / COARSE_M**2:
            break
        mask, on_plane = _ransac(rest)
        tilt = float(np.arccos(np.clip(fit_plane(on_plane)[1][2], -1.0, 1.0)))
        if tilt <= config.max_table_tilt_rad and (table := _table(on_plane, config)) is not None:
            return table
        found.append(f"{len(on_plane) * COARSE_M**2:.3f} m² tilted by {np.degrees(tilt):.0f}°")
        rest = rest[~mask]
    raise PerceptionError(
        f"no table: asked for a plane of at least {MIN_TABLE_M2} m² within "
        f"{np.degrees(config.max_table_tilt_rad):.0f}° of level, "
        f"found {', '.join(found) or f'only {len(points_world)} points'}; "
        f"check the cameras' poses, the workspace and max_table_tilt_rad"
    )


def facing_plane(points_camera: Array) -> tuple[Array, Array]:
    """Centre (3,) and unit normal (3,) to the camera of the largest plane of a view (N, 3), its frame [m].

    Raises:
        PerceptionError: there is none.
    """
    o3d.utility.random.seed(RANSAC_SEED)
    coarse = cell_means(points_camera, COARSE_M)
    on_plane = np.empty((0, 3))
    if len(coarse) >= MIN_TABLE_M2 / COARSE_M**2:
        _, on_plane = _ransac(coarse)
    if len(on_plane) < MIN_TABLE_M2 / COARSE_M**2:
        raise PerceptionError(
            f"no table: the view's {len(points_camera)} points hold no plane of {MIN_TABLE_M2} m² within "
            f"{PLANE_BAND_M * 1000:.0f} mm; does it show the table, in metres?"
        )
    centre, normal = fit_plane(on_plane)
    return centre, -normal if normal @ centre > 0 else normal


def _ransac(points: Array) -> tuple[np.ndarray, Array]:
    """Mask (N,) of the inliers of the largest plane in points (N, 3), and the inliers."""
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
    _, inlier = cloud.segment_plane(PLANE_BAND_M, 3, RANSAC_ROUNDS)
    mask = np.zeros(len(points), bool)
    mask[np.asarray(inlier, int)] = True
    return mask, points[mask]


def _table(points: Array, config: PerceptionConfig) -> Table | None:
    """Box of the largest connected part of the inliers (N, 3) of a plane, or None if that is too small."""
    centre, normal = fit_plane(points)
    T_world_plane = np.eye(4)
    T_world_plane[:3, :3] = Rotation.align_vectors([normal], [[0.0, 0.0, 1.0]])[0].as_matrix()
    T_world_plane[:3, 3] = centre
    flat = _largest_part(((points - centre) @ T_world_plane[:3, :3])[:, :2])
    if len(flat) * COARSE_M**2 < MIN_TABLE_M2:
        return None
    T_box_plane, size = trimesh.bounds.oriented_bounds_2D(flat)
    T_plane_box = np.linalg.inv(T_box_plane)
    T_plane_table = np.eye(4)
    T_plane_table[:2, :2], T_plane_table[:2, 3] = T_plane_box[:2, :2], T_plane_box[:2, 2]
    if np.linalg.det(T_plane_box[:2, :2]) < 0:
        T_plane_table[:2, 1] *= -1
    return Table(T_world_plane @ T_plane_table, np.array([size[0], size[1], config.table_thickness_m]))


def _largest_part(flat: Array) -> Array:
    """Largest connected part of points (N, 2) [m]."""
    cell = np.floor((flat - flat.min(0)) / EXTENT_CELL_M).astype(int)
    occupied = np.zeros(cell.max(0) + 1, bool)
    occupied[cell[:, 0], cell[:, 1]] = True
    part = ndimage.label(occupied, np.ones((3, 3)))[0][cell[:, 0], cell[:, 1]]
    return flat[part == np.bincount(part).argmax()]


def fit_plane(points: Array) -> tuple[Array, Array]:
    """Centre (3,) and unit normal (3,) with z >= 0 of the least-squares plane through points (N, 3)."""
    centre = points.mean(0)
    normal = np.linalg.eigh(np.cov((points - centre).T))[1][:, 0]
    return centre, normal * (np.sign(normal[2]) or 1.0)
