"""``perceive`` on files: PCD or PLY views → one mesh and one occupancy grid per object."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open3d as o3d
import trimesh

from grasp_pose_net.exceptions import PerceptionError, WorldError
from grasp_pose_net.perception.capture import Capture
from grasp_pose_net.perception.cloud_files import FARTHEST_M, read_cloud
from grasp_pose_net.perception.config import PerceptionConfig
from grasp_pose_net.perception.from_views import perceive
from grasp_pose_net.perception.table import Table, facing_plane
from grasp_pose_net.perception.views import View
from grasp_pose_net.reading import brief, read_yaml
from grasp_pose_net.shapes import CELL_M, GRID_CELLS, SignedDistanceField, occupancy_grid
from grasp_pose_net.storage import prepare_folder, whole
from grasp_pose_net.world import Array, inverse_transform, make_transform, rigid_transform

FIELD_CELLS = 96
HALF_SIDE_M, BELOW_M, ABOVE_M = 0.6, 0.05, 0.6  # the workspace around a table whose pose nobody said

AROUND_VIEWS, AROUND_M = 6, 0.7  # of a fused cloud, and how far away
HIDDEN_RADIUS = 100.0  # of the sphere that hidden points are found with, in distances of the camera


def perceive_files(
    clouds: Sequence[Path],
    poses: Path | None,
    out: Path,
    config: PerceptionConfig | None = None,
    segmented: bool = False,
) -> Capture:
    """Objects in views from files, written to a folder as ``<id>.ply`` (mesh) and ``<id>.npz`` (grid).

    Without poses there must be one view, in its camera's frame; the world's z is then the normal of the table
    it shows, towards the camera, and the origin lies in the table's top.

    Args:
        clouds: PCD or PLY files, metres.
        poses: YAML or JSON: for each file (by name, with or without its ending) the pose of its camera in the
            world, ``[x, y, z, qw, qx, qy, qz]`` or a 4 x 4 matrix.
        out: folder to write to; made where it is missing.
        config: settings; None: the defaults, and without poses a workspace around the table.
        segmented: there is one cloud, of one object seen from all sides, z up, and nothing else; it stands on its
            lowest point.

    Returns:
        What the views show.

    Raises:
        PerceptionError: a file cannot be read, a pose is missing, or the views show no table, or nothing on it.
    """
    prepare_folder(out)
    points = {path: read_cloud(path) for path in clouds}
    table = None
    if poses is not None:
        T_world_camera = read_poses(poses, clouds)
        views = [View(path.stem, points[path], T_world_camera[path]) for path in clouds]
    elif len(clouds) != 1:
        raise PerceptionError(
            f"{len(clouds)} views but no poses; give --poses with T_world_camera of each view"
        )
    else:
        only = points[clouds[0]]
        around = (-HALF_SIDE_M, -HALF_SIDE_M, -BELOW_M), (HALF_SIDE_M, HALF_SIDE_M, ABOVE_M)
        config = config or PerceptionConfig(workspace_min=around[0], workspace_max=around[1])
        if segmented:
            views, table = views_around(only), Table(np.eye(4), np.full(3, 2 * HALF_SIDE_M))
        else:
            views = [View(clouds[0].stem, only, level_pose(only))]
    capture = perceive(views, config or PerceptionConfig(), table=table)
    for item in capture.scene.targets:
        with whole(out / f"{item.id}.ply") as unfinished:
            item.mesh.export(unfinished)
        with whole(out / f"{item.id}.npz") as unfinished:
            np.savez_compressed(unfinished, occupancy=occupancy(item.mesh), cell_m=CELL_M)
    return capture


def level_pose(points_camera: Array) -> Array:
    """``T_world_camera`` (4, 4) that makes the largest plane of a view level, with the origin in its middle.

    Raises:
        PerceptionError: the view shows no plane.
    """
    centre, normal = facing_plane(points_camera)
    x = np.cross(normal, [0.0, 0.0, 1.0] if abs(normal[2]) < 0.9 else [0.0, 1.0, 0.0])
    x /= np.linalg.norm(x)
    T_camera_world = np.eye(4)
    T_camera_world[:3, :3] = np.column_stack([x, np.cross(normal, x), normal])
    T_camera_world[:3, 3] = centre
    return inverse_transform(T_camera_world)


def views_around(points: Array) -> list[View]:
    """Views that cameras around an object's fused cloud (N, 3) would have, its lowest point at z = 0, world frame."""
    points = points - [*points[:, :2].mean(0), points[:, 2].min()]
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
    views = []
    for i in range(AROUND_VIEWS):
        angle = 2 * np.pi * i / AROUND_VIEWS
        eye = AROUND_M * np.array([np.cos(angle), np.sin(angle), 1.0])
        _, seen = cloud.hidden_point_removal(eye, HIDDEN_RADIUS * AROUND_M)
        views.append(View(f"around_{i + 1}", points[seen] - eye, make_transform(eye)))
    return views


def read_poses(path: Path, clouds: Sequence[Path]) -> dict[Path, Array]:
    """``T_world_camera`` (4, 4) of each view.

    Raises:
        PerceptionError: the file cannot be read, or has no usable pose for a view.
    """
    entries = read_yaml(path, PerceptionError)  # JSON is YAML
    return {cloud: _pose(path, entries, cloud) for cloud in clouds}


def _pose(path: Path, entries: dict[str, Any], cloud: Path) -> Array:
    entry = entries.get(cloud.name, entries.get(cloud.stem))
    if entry is None:
        raise PerceptionError(
            f"{path}: no pose for {cloud.name}; poses for: {', '.join(map(str, entries)) or 'none'}"
        )
    try:
        numbers = np.array(entry, float)
    except (TypeError, ValueError, OverflowError):
        numbers = np.empty(0)
    if (np.abs(numbers) > FARTHEST_M).any():
        raise PerceptionError(
            f"{path}: pose of {cloud.name}: a number is beyond {FARTHEST_M:g}: {brief(entry)}"
        )
    try:
        if numbers.shape == (7,):
            return rigid_transform(make_transform(numbers[:3], numbers[3:]), "the pose")
        if numbers.shape == (4, 4):
            return rigid_transform(numbers, "the 4 x 4 matrix")
    except WorldError as error:
        raise PerceptionError(f"{path}: pose of {cloud.name}: {error}") from error
    raise PerceptionError(
        f"{path}: pose of {cloud.name}: expected [x, y, z, qw, qx, qy, qz] or a 4 x 4 matrix, "
        f"got {brief(entry)}"
    )


def occupancy(mesh: trimesh.Trimesh) -> np.ndarray:
    """Grid (64, 64, 64) uint8 of an object, as the network sees it."""
    field = SignedDistanceField.from_mesh(mesh, FIELD_CELLS)
    return occupancy_grid(field, np.eye(3)[None])[0].numpy()


def occupied_cells(mesh: trimesh.Trimesh) -> Array:
    """Centres (C, 3) of the occupied cells of an object's grid [m], object frame."""
    cells = np.argwhere(occupancy(mesh)).astype(float)
    return (cells - (GRID_CELLS - 1) / 2) * CELL_M


def report(capture: Capture) -> dict[str, Any]:
    """What a capture shows, as plain numbers for JSON."""
    return {
        "table": {
            "T_world_table": capture.table.T_world_table.tolist(),
            "size_m": capture.table.size.tolist(),
        },
        "objects": [
            {
                "id": item.id,
                "T_world_object": item.T_world_object.tolist(),
                "size_m": item.mesh.extents.tolist(),
                "volume_m3": float(item.mesh.volume),
                "faces": len(item.mesh.faces),
                "points": len(capture.points[item.id]),
                "may_be_several": item.several,
            }
            for item in capture.scene.targets
        ],
        "obstacles": [
            {
                "id": item.id,
                "reason": item.reason,
                "T_world_box": item.T_world_object.tolist(),
                "size_m": item.sides.tolist(),
            }
            for item in capture.scene.obstacles
        ],
        "notes": list(capture.notes),
        "left_out": capture.left_out,
        "seconds": capture.seconds,
    }
