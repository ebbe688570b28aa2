"""Objects at rest on a table as depth cameras see them: by ray casting, without physics, robot or graphics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import open3d as o3d
import trimesh
from scipy.spatial import ConvexHull, cKDTree
from scipy.spatial.transform import Rotation

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.perception import View
from grasp_pose_net.simulation.cameras import (
    CameraConfig,
    DepthImage,
    camera_ring,
    depth_to_cloud,
    miscalibrated,
    rays,
)
from grasp_pose_net.simulation.noise import add_depth_noise
from grasp_pose_net.simulation.placement import stable_poses
from grasp_pose_net.world import Array

OUTLINE_STEP_M = 0.004
TRIES = 300


@dataclass(frozen=True, kw_only=True)
class TabletopConfig(Settings):
    """A table and where objects may stand on it."""

    table_center_m: tuple[float, float, float] = setting(
        (0.70, 0.0, 0.72), -10.0, 10.0
    )  # the middle of its top
    table_size_m: tuple[float, float] = setting((0.8, 0.8), 0.05, 10.0)
    area_m: tuple[float, float] = setting(
        (0.6, 0.6), 0.0, 10.0
    )  # objects stand within this part, in its middle
    gap_m: float = setting(0.02, 0.0, 1.0)  # least distance between outlines, seen from above


@dataclass(frozen=True)
class Tabletop:
    """Objects on a table.

    Attributes:
        config: the table.
        meshes: the objects where they stand, world frame [m].
    """

    config: TabletopConfig
    meshes: tuple[trimesh.Trimesh, ...] = field(repr=False)

    def depth(self, T_world_optical: Array, cameras: CameraConfig) -> DepthImage:
        """What a camera without noise measures: (H, W) [m], NaN beyond its range."""
        scene = o3d.t.geometry.RaycastingScene()
        for mesh in (*self.meshes, *_furniture(self.config)):
            scene.add_triangles(
                o3d.core.Tensor.from_numpy(np.asarray(mesh.vertices, np.float32)),
                o3d.core.Tensor.from_numpy(np.asarray(mesh.faces, np.uint32)),
            )
        direction = rays(cameras) @ T_world_optical[:3, :3].T.astype(np.float32)
        start = np.broadcast_to(T_world_optical[:3, 3].astype(np.float32), direction.shape)
        hit = scene.cast_rays(o3d.core.Tensor.from_numpy(np.concatenate([start, direction], -1)))[
            "t_hit"
        ].numpy()
        return np.where(hit < cameras.range_m, hit, np.float32(np.nan))

    def measured(
        self, cameras: CameraConfig, rng: np.random.Generator
    ) -> dict[str, tuple[DepthImage, Array]]:
        """Depth images (H, W) [m] by camera, and the poses ``T_world_optical`` that a calibration would say."""
        images = {}
        for name, T_world_optical in camera_ring(cameras, np.array(self.config.table_center_m)).items():
            depth = self.depth(miscalibrated(T_world_optical, cameras, rng), cameras)
            if cameras.noise:
                depth = add_depth_noise(depth, cameras.focal_px, rng)
            images[name] = depth, T_world_optical
        return images

    def views(self, cameras: CameraConfig, rng: np.random.Generator) -> list[View]:
        """The same as clouds."""
        return [
            View(name, depth_to_cloud(depth, cameras), T_world_optical)
            for name, (depth, T_world_optical) in self.measured(cameras, rng).items()
        ]


def random_tabletop(
    meshes: Sequence[trimesh.Trimesh], config: TabletopConfig, rng: np.random.Generator
) -> Tabletop:
    """Objects in random stable poses at random places that keep their distance from each other.

    Args:
        meshes: objects in their own frames [m].
        config: table and area.
        rng: source of poses and places.

    Raises:
        ConfigError: no free place was found for an object.
    """
    placed: list[trimesh.Trimesh] = []
    outlines: list[Array] = []
    for mesh in meshes:
        for _ in range(TRIES):
            candidate = _dropped(mesh, config, rng)
            outline = _outline(candidate)
            room = np.array(config.area_m) / 2 - np.abs(outline - config.table_center_m[:2]).max(0)
            if (room >= 0).all() and all(_apart(outline, other, config.gap_m) for other in outlines):
                placed.append(candidate)
                outlines.append(outline)
                break
        else:
            raise ConfigError(f"no free place for object {len(placed) + 1} of {len(meshes)} in {TRIES} tries")
    return Tabletop(config, tuple(placed))


def _dropped(mesh: trimesh.Trimesh, config: TabletopConfig, rng: np.random.Generator) -> trimesh.Trimesh:
    """A mesh on its lowest points in a random stable pose, yaw and place."""
    rotations, probabilities = stable_poses(mesh)
    yaw = Rotation.from_euler("z", rng.uniform(0, 2 * np.pi)).as_matrix()
    rotation = yaw @ rotations[rng.choice(len(rotations), p=probabilities)]
    vertices = np.asarray(mesh.vertices) @ rotation.T
    place = np.array(config.table_center_m)
    place[:2] += rng.uniform(-0.5, 0.5, 2) * config.area_m
    place[2] -= vertices[:, 2].min()
    return trimesh.Trimesh(vertices + place, mesh.faces, process=False)


def _outline(mesh: trimesh.Trimesh) -> Array:
    """Points (N, 2) along a mesh's convex outline seen from above."""
    flat = np.asarray(mesh.vertices)[:, :2]
    corner = flat[ConvexHull(flat).vertices]
    side = np.roll(corner, -1, 0) - corner
    steps = np.maximum(1, np.ceil(np.linalg.norm(side, axis=1) / OUTLINE_STEP_M)).astype(int)
    parts = [
        c + np.linspace(0, 1, n, endpoint=False)[:, None] * s
        for c, s, n in zip(corner, side, steps, strict=True)
    ]
    return np.vstack(parts)


def _apart(a: Array, b: Array, gap: float) -> bool:
    """Whether two outlines keep a distance and neither lies within the other."""
    if cKDTree(a).query(b)[0].min() < gap:
        return False
    return not (_within(a[:1], b) or _within(b[:1], a))


def _within(point: Array, outline: Array) -> bool:
    sides = ConvexHull(outline).equations
    return bool((point @ sides[:, :2].T + sides[:, 2] < 0).all())


def _furniture(config: TabletopConfig) -> list[trimesh.Trimesh]:
    """Table top and floor."""
    x, y, z = config.table_center_m
    table = trimesh.creation.box([*config.table_size_m, 0.03])
    table.apply_translation([x, y, z - 0.015])
    floor = trimesh.creation.box([8.0, 8.0, 0.1])
    floor.apply_translation([0.0, 0.0, -0.05])
    return [table, floor]
