"""The whole way: depth views → table and objects."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import trimesh

from grasp_pose_net.exceptions import PerceptionError
from grasp_pose_net.geometry import Array, inverse_transform, make_transform, transform_points
from grasp_pose_net.perception.clusters import cluster
from grasp_pose_net.perception.config import PerceptionConfig
from grasp_pose_net.perception.freespace import DepthImage, most_free
from grasp_pose_net.perception.registration import levelled, slides
from grasp_pose_net.perception.surface import FREE_MARGIN_M, closed_mesh
from grasp_pose_net.perception.table import Table, find_table
from grasp_pose_net.perception.views import (
    Surface,
    View,
    ViewCloud,
    crop_views,
    merged,
    oriented,
    without_outliers,
)


@dataclass(frozen=True)
class PerceivedObject:
    """One object on the table.

    Attributes:
        id: ``object_0``, ``object_1``, ... from the largest to the smallest.
        mesh: watertight, outward, object frame: origin at its centre of mass, axes parallel to the world's.
        T_world_object: (4, 4).
        points: (N, 3) what was seen of it [m], world frame.
    """

    id: str
    mesh: trimesh.Trimesh = field(repr=False)
    T_world_object: Array
    points: Array = field(repr=False)


@dataclass(frozen=True)
class Scene:
    """What the views show.

    Attributes:
        table: the support.
        objects: what stands on it.
        rejected: why each other cluster of points is no object.
        left_out: why each view that was not used was left out.
        table_points: (N, 3) points of the table's top [m], world frame.
        seconds: wall time of each stage.
    """

    table: Table
    objects: tuple[PerceivedObject, ...]
    rejected: tuple[str, ...]
    left_out: dict[str, str]
    table_points: Array = field(repr=False)
    seconds: dict[str, float]

    def summary(self) -> str:
        """One line: objects with their sizes, the table, what was left out, and the time of each stage."""
        objects = ", ".join(f"{o.id} {_centimetres(o.mesh.extents)}" for o in self.objects)
        text = f"{len(self.objects)} object(s): {objects}; table {_centimetres(self.table.size[:2])}"
        if self.rejected:
            text += f"; no object: {' | '.join(self.rejected)}"
        if self.left_out:
            text += f"; left out: {' | '.join(f'{name}: {reason}' for name, reason in self.left_out.items())}"
        return f"{text}; {', '.join(f'{stage} {1e3 * s:.0f} ms' for stage, s in self.seconds.items())}"


def perceive(
    views: Sequence[View], config: PerceptionConfig, left_out: Mapping[str, str] | None = None
) -> Scene:
    """Find the table and the objects on it.

    Args:
        views: what each camera saw, with the camera's pose.
        config: settings.
        left_out: views that are missing already, with the reason, for the report.

    Raises:
        PerceptionError: too few usable views, no table, or nothing on it.
    """
    clock = _Clock()
    clouds, left_out = crop_views(views, config, left_out or {})
    clock.stage("fuse")
    table = find_table(np.vstack([cloud.points for cloud in clouds]), config)
    clock.stage("table")
    seen, top, images = combined(table, clouds, config)
    clock.stage("combine")
    clusters, rejected = cluster(seen, table, config)
    clock.stage("cluster")
    objects: list[PerceivedObject] = []
    for part in clusters:
        try:
            mesh = closed_mesh(part, top, images, config.voxel_m, config.max_faces)
            objects.append(_object(f"object_{len(objects)}", mesh, part, table))
        except PerceptionError as error:
            rejected.append(str(error))
    clock.stage("reconstruct")
    if not objects:
        raise PerceptionError(f"nothing on the table that is an object: {'; '.join(rejected)}")
    top_world = transform_points(table.T_world_table, top)
    return Scene(table, tuple(objects), tuple(rejected), left_out, top_world, clock.seconds)


def combined(
    table: Table, clouds: Sequence[ViewCloud], config: PerceptionConfig
) -> tuple[Surface, Array, list[DepthImage]]:
    """Views brought together in the table frame.

    Returns:
        Everything above the table's top; points (N, 3) of the top [m]; what each camera saw through.

    Raises:
        PerceptionError: nothing is above the top.
    """
    T_table_world = inverse_transform(table.T_world_table)
    clouds = [cloud.moved(T_table_world) for cloud in clouds]
    if config.max_align_m > 0:
        clouds = [levelled(cloud, config.max_align_m, config.voxel_m) for cloud in clouds]
    parts = [above(table, cloud, config) for cloud in clouds]
    if config.max_align_m > 0:
        motions = slides(parts, config.max_align_m)
        clouds = [cloud.moved(T) for cloud, T in zip(clouds, motions, strict=True)]
        parts = [part.moved(T) for part, T in zip(parts, motions, strict=True)]
    images = [DepthImage.from_points(cloud.view.points_camera, cloud.T_a_camera) for cloud in clouds]
    seen = merged(
        [part.part(most_free(images, part.points) < FREE_MARGIN_M) for part in parts], config.voxel_m
    )
    if len(seen.points) < config.min_object_points:
        raise PerceptionError(
            f"nothing on the table: {len(seen.points)} points lie more than {config.table_band_m * 1000:.0f} mm "
            f"above its top of {_centimetres(table.size[:2])}; put an object on it, or check the workspace"
        )
    top = np.vstack([cloud.points[np.abs(cloud.points[:, 2]) < config.table_band_m] for cloud in clouds])
    return without_outliers(seen), top, images


def above(table: Table, cloud: ViewCloud, config: PerceptionConfig) -> Surface:
    """What one view sees above the table's top."""
    high = cloud.points[:, 2] > config.table_band_m
    candidates = cloud.points[high]
    over = (np.abs(candidates[:, :2]) < table.size[:2] / 2).all(1)
    return oriented(candidates[over], cloud.T_a_camera[:3, 3], config.voxel_m)


def _object(name: str, mesh_table: trimesh.Trimesh, part: Surface, table: Table) -> PerceivedObject:
    vertices = transform_points(table.T_world_table, mesh_table.vertices)
    mesh = trimesh.Trimesh(vertices, mesh_table.faces, process=False)
    centre = np.array(mesh.center_mass)
    mesh.apply_translation(-centre)
    return PerceivedObject(
        name, mesh, make_transform(centre), transform_points(table.T_world_table, part.points)
    )


def _centimetres(sides: Array) -> str:
    return " x ".join(f"{100 * side:.1f}" for side in sides) + " cm"


class _Clock:
    """Wall time between stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stage(self, name: str) -> None:
        """End the stage ``name``."""
        now = time.perf_counter()
        self.seconds[name], self._last = now - self._last, now
