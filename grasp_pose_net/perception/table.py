"""The support: the largest near-horizontal plane, and its extent as a box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import open3d as o3d
import trimesh
from scipy import ndimage
from scipy.spatial.transform import Rotation

from grasp_pose_net.exceptions import PerceptionError
from grasp_pose_net.perception.config import PerceptionConfig
from grasp_pose_net.perception.views import cell_means
from grasp_pose_net.world import Array, Role, SceneObject

TABLE = "table"  # its id
SEARCH_STEP = 4  # every fourth point is enough for a cell of 16 of them
COARSE_M = 0.01  # the plane is searched in cells of this side
PLANE_BAND_M = 0.008  # calibration errors of 2 mm and 0.3 degrees put views this far apart at 0.7 m
PLACE_RADIUS_M, PLACE_TILT_RAD = 0.03, 0.2  # how level a place is, and by how much noise may turn it
EXTENT_CELL_M = 0.02  # the table's extent is followed over cells of this side
MIN_TABLE_M2 = 0.01  # a smaller plane is a box's lid rather than a table
TRIM_ROUNDS, TRIM_DEVIATIONS = 4, 2.0
RANSAC_ROUNDS, RANSAC_SEED, COUNTED_POINTS = 1000, 0, 2000


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

    @property
    def support(self) -> SceneObject:
        """The box as an object of a scene."""
        return SceneObject.box(TABLE, self.T_world_box, self.size, Role.SUPPORT)


def find_table(points_world: Array, config: PerceptionConfig) -> Table:
    """Largest near-horizontal plane in a cloud (N, 3) [m], world frame.

    Raises:
        PerceptionError: no plane is large and level enough.
    """
    coarse = cell_means(points_world[::SEARCH_STEP], COARSE_M)
    level = largest_plane(coarse, config.max_table_tilt_rad)
    table = _table(level, config) if len(level) else None
    if table is not None:
        return table
    largest = largest_plane(coarse, np.pi / 2)
    found = f"only {len(points_world)} points"
    if len(largest):
        tilt = np.degrees(np.arccos(np.clip(fit_plane(largest)[1][2], -1.0, 1.0)))
        found = f"{_area(level):.3f} m², and at any tilt {_area(largest):.3f} m² at {tilt:.0f}°"
    raise PerceptionError(
        f"no table: asked for a connected plane of at least {MIN_TABLE_M2} m² within "
        f"{np.degrees(config.max_table_tilt_rad):.0f}° of level, found {found}; "
        f"check the cameras' poses, the workspace and max_table_tilt_rad"
    )


def facing_plane(points_camera: Array) -> tuple[Array, Array]:
    """Centre (3,) and unit normal (3,) to the camera of the largest plane of a view (N, 3), its frame [m].

    Raises:
        PerceptionError: there is none.
    """
    on_plane = largest_plane(cell_means(points_camera, COARSE_M), np.pi / 2)
    if _area(on_plane) < MIN_TABLE_M2:
        raise PerceptionError(
            f"no table: the view's {len(points_camera)} points hold no plane of {MIN_TABLE_M2} m² within "
            f"{PLANE_BAND_M * 1000:.0f} mm; does it show the table, in metres?"
        )
    centre, normal = fit_plane(on_plane)
    return centre, -normal if normal @ centre > 0 else normal


def largest_plane(points: Array, max_tilt: float) -> Array:
    """Inliers (M, 3) of the plane with most of the points (N, 3) within PLANE_BAND_M, none where there is none.

    RANSAC (Fischler and Bolles, 1981) of our own, for Open3D's runs in threads and gives another plane each time. Its
    planes go through places that are about as level as asked for: beside a wall, few triples of any points would hit the table.

    Args:
        points: (N, 3), one for each occupied cell [m].
        max_tilt: largest angle between the plane's normal and z [rad].
    """
    if len(points) < 3:
        return np.empty((0, 3))
    places = points[_steepness(points) <= max_tilt + PLACE_TILT_RAD]
    if len(places) < 3:
        return np.empty((0, 3))
    corner = places[np.random.default_rng(RANSAC_SEED).integers(len(places), size=(RANSAC_ROUNDS, 3))]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    length = np.linalg.norm(normal, axis=1)
    usable = (length > 1e-9) & (np.abs(normal[:, 2]) >= np.cos(max_tilt) * length)
    if not usable.any():
        return np.empty((0, 3))
    normal, start = normal[usable] / length[usable, None], corner[usable, 0]
    some = points[:: max(1, len(points) // COUNTED_POINTS)].astype(np.float32)
    # (n, rounds)
    distance = np.abs(some @ normal.T.astype(np.float32) - (start * normal).sum(1, dtype=np.float32))
    best = int((distance < PLANE_BAND_M).sum(0).argmax())
    return points[np.abs((points - start[best]) @ normal[best]) < PLANE_BAND_M]


def _steepness(points: Array) -> Array:
    """Angle (N,) [rad] between z and the surface's normal around each point (N, 3)."""
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
    cloud.estimate_normals(o3d.geometry.KDTreeSearchParamHybrid(radius=PLACE_RADIUS_M, max_nn=30))
    return np.arccos(np.clip(np.abs(np.asarray(cloud.normals)[:, 2]), 0.0, 1.0))


def _area(cells: Array) -> float:
    """Area [m²] that points (N, 3), one for each cell, stand for."""
    return len(cells) * COARSE_M**2


def _table(points: Array, config: PerceptionConfig) -> Table | None:
    """Box of the largest connected part of the inliers (N, 3) of a plane, or None if that is too small."""
    centre, normal = main_plane(points)
    T_world_plane = np.eye(4)
    T_world_plane[:3, :3] = Rotation.align_vectors([normal], [[0.0, 0.0, 1.0]])[0].as_matrix()
    T_world_plane[:3, 3] = centre
    flat = _largest_part(((points - centre) @ T_world_plane[:3, :3])[:, :2])
    if _area(flat) < MIN_TABLE_M2:
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


def main_plane(points: Array) -> tuple[Array, Array]:
    """Centre and normal as of ``fit_plane``, of the plane that most of the points (N, 3) lie in.

    Points far off are left out, again and again: low parts of objects would raise a table's plane by 0.5 mm.
    """
    for _ in range(TRIM_ROUNDS):
        centre, normal = fit_plane(points)
        height = (points - centre) @ normal
        points = points[np.abs(height) < TRIM_DEVIATIONS * height.std() + 1e-9]
    return fit_plane(points)


def fit_plane(points: Array) -> tuple[Array, Array]:
    """Centre (3,) and unit normal (3,) with z >= 0 of the least-squares plane through points (N, 3)."""
    centre = points.mean(0)
    normal = np.linalg.eigh(np.cov((points - centre).T))[1][:, 0]
    return centre, normal * (np.sign(normal[2]) or 1.0)
