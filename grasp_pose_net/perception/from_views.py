"""The whole way: depth views → table and objects."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
import trimesh

from grasp_pose_net.exceptions import PerceptionError
from grasp_pose_net.perception.capture import Capture, centimetres
from grasp_pose_net.perception.clusters import cluster
from grasp_pose_net.perception.config import PerceptionConfig
from grasp_pose_net.perception.freespace import DepthImage, most_free
from grasp_pose_net.perception.obstacles import boxed, may_be_several, why_not
from grasp_pose_net.perception.registration import levelling, slides
from grasp_pose_net.perception.surface import FREE_MARGIN_M, closed_mesh
from grasp_pose_net.perception.table import Table, find_table
from grasp_pose_net.perception.views import (
    Surface,
    View,
    ViewCloud,
    crop_views,
    limited,
    merged,
    oriented,
    side_by_side,
)
from grasp_pose_net.robot.body import Body
from grasp_pose_net.world import (
    Array,
    Mesh,
    Part,
    Role,
    Scene,
    SceneObject,
    inverse_transform,
    make_transform,
    transform_points,
)

BEYOND_EDGE_M = 0.03
LEVEL_POINTS = 15000  # of a view are enough to level it


def perceive(
    views: Sequence[View],
    config: PerceptionConfig,
    left_out: Mapping[str, str] | None = None,
    table: Table | None = None,
) -> Capture:
    """Find the table and the objects on it.

    Args:
        views: what each camera saw, with the camera's pose.
        config: settings.
        left_out: views that are missing already, with the reason, for the report.
        table: where it is known already; None: it is looked for.

    Raises:
        PerceptionError: too few usable views, no table, or nothing on it.
    """
    clock = _Clock()
    limits = [limited(view, config.max_view_points) for view in views]
    notes = [note for _, note in limits if note]
    clouds, left_out = crop_views([view for view, _ in limits], config, left_out or {})
    if own := sum(cloud.of_robot for cloud in clouds):
        notes.append(
            f"the robot is in view: {own} points are its own and left out; what it hides was not seen"
        )
    clock.stage("fuse")
    table = table or find_table(np.vstack([cloud.points for cloud in clouds]), config)
    clock.stage("table")
    seen, top, images = combined(table, clouds, config)
    clock.stage("combine")
    parts, small = cluster(seen, config)
    clock.stage("cluster")
    results = side_by_side(lambda part: _closed(part, table, top, images, config), parts)
    scene, points = _scene(table, parts, results)
    clock.stage("reconstruct")
    if not parts:
        raise PerceptionError(f"nothing on the table: {small or 'no cluster of points above its top'}")
    return Capture(
        scene,
        table,
        points,
        (*notes, *filter(None, [small])),
        left_out,
        {cloud.view.name: cloud.points for cloud in clouds},
        transform_points(table.T_world_table, top),
        clock.seconds,
    )


def warm_up() -> None:
    """Perceive a made-up heap, so that the first capture does not wait until loops are compiled: some seconds, once."""
    axis = np.arange(-0.2, 0.2, 0.002)
    x, y = (part.ravel() for part in np.meshgrid(axis, axis))
    depth = 0.6 - np.clip(0.08 - np.hypot(x, y), 0.0, 0.05)
    T_world_camera = make_transform((0.0, 0.0, 0.6))
    T_world_camera[:3, :3] = np.diag([1.0, -1.0, -1.0])  # looks down
    points = np.column_stack([x, -y, depth])
    nothing, aside = np.zeros((1, 3)), np.ones((1, 3))
    body = Body(np.eye(4)[None], nothing, np.zeros(1), np.ones(1, bool), aside, aside)
    views = [View(name, points, T_world_camera, body) for name in ("one", "two")]
    perceive(views, PerceptionConfig())


def combined(
    table: Table, clouds: Sequence[ViewCloud], config: PerceptionConfig
) -> tuple[Surface, Array, list[DepthImage]]:
    """Views brought together in the table frame.

    Returns:
        Everything above the table's top; points (N, 3) of the top [m]; what each camera saw through.

    Raises:
        PerceptionError: nothing is above the top.
    """
    clouds = side_by_side(lambda cloud: _on_table(table, cloud, config), clouds)
    parts = side_by_side(lambda cloud: above(table, cloud, config), clouds)
    tops = [cloud.points[np.abs(cloud.points[:, 2]) < config.table_band_m] for cloud in clouds]
    poses = [cloud.T_a_camera for cloud in clouds]
    if config.max_align_m > 0:
        motions = slides(parts, config.max_align_m)
        poses = [motion @ pose for motion, pose in zip(motions, poses, strict=True)]
        parts = [part.moved(motion) for part, motion in zip(parts, motions, strict=True)]
        tops = [transform_points(motion, top) for top, motion in zip(tops, motions, strict=True)]
    images = side_by_side(DepthImage.from_points, [cloud.view.points_camera for cloud in clouds], poses)
    seen = merged(
        [part.part(most_free(images, part.points) < FREE_MARGIN_M) for part in parts], config.voxel_m
    )
    if len(seen.points) < config.min_object_points:
        raise PerceptionError(
            f"nothing on the table: {len(seen.points)} points lie more than {config.table_band_m * 1000:.0f} mm "
            f"above its top of {centimetres(table.size[:2])}; put an object on it, or check the workspace"
        )
    return seen, np.vstack(tops), images


def _on_table(table: Table, cloud: ViewCloud, config: PerceptionConfig) -> ViewCloud:
    """A view in the table frame, levelled."""
    T_table_world = inverse_transform(table.T_world_table)
    if config.max_align_m > 0:
        step = max(1, len(cloud.points) // LEVEL_POINTS)
        some = transform_points(T_table_world, cloud.points[::step])
        T_table_world = levelling(some, config.max_align_m, step * config.voxel_m**2) @ T_table_world
    return cloud.moved(T_table_world)


def above(table: Table, cloud: ViewCloud, config: PerceptionConfig) -> Surface:
    """What one view sees above the table's top, and a little beyond its edges: what hangs over shall be noticed."""
    high = cloud.points[:, 2] > config.table_band_m
    candidates = cloud.points[high]
    over = (np.abs(candidates[:, :2]) < table.size[:2] / 2 + BEYOND_EDGE_M).all(1)
    return oriented(candidates[over], cloud.T_a_camera[:3, 3], config.voxel_m)


def _closed(
    part: Surface, table: Table, top: Array, images: Sequence[DepthImage], config: PerceptionConfig
) -> trimesh.Trimesh | str:
    """Mesh of a cluster in the table frame, or why it is not to be grasped."""
    if reason := why_not(part, table, config):
        return reason
    try:
        return closed_mesh(part, top, images, config.voxel_m, config.max_faces)
    except PerceptionError as error:
        return f"is not understood: {error}"


def _scene(
    table: Table, parts: Sequence[Surface], results: Sequence[trimesh.Trimesh | str]
) -> tuple[Scene, dict[str, Array]]:
    """Scene of clusters with their meshes, or the reason why they have none; and each target's points in the world."""
    targets: list[SceneObject] = []
    obstacles: list[SceneObject] = []
    points: dict[str, Array] = {}
    for part, result in zip(parts, results, strict=True):
        points_world = transform_points(table.T_world_table, part.points)
        if isinstance(result, str):
            obstacles.append(boxed(f"obstacle_{len(obstacles)}", points_world, table, result))
        else:
            targets.append(_target(f"object_{len(targets)}", result, points_world, table))
            points[targets[-1].id] = points_world
    return Scene((*targets, *obstacles, table.support)), points


def _target(name: str, mesh_table: trimesh.Trimesh, points: Array, table: Table) -> SceneObject:
    vertices = transform_points(table.T_world_table, mesh_table.vertices)
    mesh = trimesh.Trimesh(vertices, mesh_table.faces, process=False)
    centre = np.array(mesh.center_mass)
    mesh.apply_translation(-centre)
    parts = (Part(Mesh(mesh)),)
    return SceneObject(name, make_transform(centre), parts, Role.TARGET, several=may_be_several(points))


class _Clock:
    """Wall time between stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stage(self, name: str) -> None:
        """End the stage ``name``."""
        now = time.perf_counter()
        self.seconds[name], self._last = now - self._last, now
