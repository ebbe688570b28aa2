"""A table, shapes on it, and what depth cameras around it measure: by ray casting, with Gaussian noise."""

from __future__ import annotations

import numpy as np
import open3d as o3d
import pytest
import trimesh

from grasp_pose_net.perception import PerceptionConfig, View

TOP = 0.70  # height of the table's top [m]
CENTRE = np.array([0.6, 0.1, TOP])
TABLE_SIDE = 0.7
CONFIG = PerceptionConfig(workspace_min=(0.2, -0.3, 0.6), workspace_max=(1.0, 0.5, 1.2))


def ray_scene(meshes):
    scene = o3d.t.geometry.RaycastingScene()
    for mesh in meshes:
        vertices, faces = np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.uint32)
        scene.add_triangles(o3d.core.Tensor(vertices), o3d.core.Tensor(faces))
    return scene


def camera_pose(azimuth, elevation=0.7, distance=0.7):
    """``T_world_camera``, z towards the table's centre, y down."""
    cos = np.cos(elevation)
    eye = CENTRE + distance * np.array([cos * np.cos(azimuth), cos * np.sin(azimuth), np.sin(elevation)])
    z = (CENTRE - eye) / distance
    x = np.cross(z, [0, 0, 1])
    x /= np.linalg.norm(x)
    T_world_camera = np.eye(4)
    T_world_camera[:3] = np.column_stack([x, np.cross(z, x), z, eye])
    return T_world_camera


def depth_points(scene, T_world_camera, width=640, height=480, noise=0.0, rng=None):
    """Organised points (H * W, 3), camera frame; NaN where there is nothing."""
    focal = width / 2 / np.tan(np.radians(29))
    u, v = np.meshgrid(np.arange(width) + 0.5 - width / 2, np.arange(height) + 0.5 - height / 2)
    ray = np.stack([u / focal, v / focal, np.ones_like(u)], -1).reshape(-1, 3)
    start = np.broadcast_to(T_world_camera[:3, 3], ray.shape)
    rays = np.hstack([start, ray @ T_world_camera[:3, :3].T]).astype(np.float32)
    depth = scene.cast_rays(o3d.core.Tensor(rays))["t_hit"].numpy().astype(float)
    depth[~np.isfinite(depth)] = np.nan
    if noise:
        depth += rng.normal(0, noise, depth.shape)
    return ray * depth[:, None]


@pytest.fixture(scope="session")
def config():
    return CONFIG


@pytest.fixture(scope="session")
def centre():
    """Middle of the table's top, world frame."""
    return CENTRE


@pytest.fixture(scope="session")
def table_mesh():
    mesh = trimesh.creation.box([TABLE_SIDE, TABLE_SIDE, 0.04])
    mesh.apply_translation(CENTRE - [0, 0, 0.02])
    return mesh


@pytest.fixture(scope="session")
def put():
    """Function that stands a mesh on the table, at a place relative to its centre."""

    def place(mesh, x=0.0, y=0.0, yaw=0.0):
        mesh = mesh.copy()
        mesh.apply_transform(trimesh.transformations.rotation_matrix(yaw, [0, 0, 1]))
        mesh.apply_translation([CENTRE[0] + x, CENTRE[1] + y, TOP - mesh.bounds[0, 2]])
        return mesh

    return place


@pytest.fixture(scope="session")
def scan(table_mesh):
    """Function that makes views of meshes on the table."""

    def look(meshes, cameras=4, noise=0.0, seed=0, **image):
        scene, rng = ray_scene([table_mesh, *meshes]), np.random.default_rng(seed)
        views = []
        for i in range(cameras):
            T = camera_pose(np.pi / 4 + 2 * np.pi * i / cameras)
            views.append(View(f"camera_{i + 1}", depth_points(scene, T, noise=noise, rng=rng, **image), T))
        return views

    return look


@pytest.fixture(scope="session")
def cup():
    """Open cup, 8 cm wide and high, walls and floor of 5 mm."""
    outline = [[0, 0], [0.04, 0], [0.04, 0.08], [0.035, 0.08], [0.035, 0.005], [0, 0.005]]
    mesh = trimesh.creation.revolve(np.array(outline), sections=48)
    mesh.fix_normals()
    return mesh


@pytest.fixture(scope="session")
def inside():
    """Function: which points (N, 3) of the world lie inside a perceived object, or a mesh in the world."""

    def check(thing, points):
        mesh = thing if isinstance(thing, trimesh.Trimesh) else thing.mesh
        local = np.asarray(points, float) - (0 if thing is mesh else thing.T_world_object[:3, 3])
        occupancy = ray_scene([mesh]).compute_occupancy(o3d.core.Tensor(local.astype(np.float32)), nsamples=3)
        return occupancy.numpy() > 0

    return check
