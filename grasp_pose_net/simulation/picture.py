"""Pictures of a grasp, or of a hand alone, drawn with MuJoCo's renderer (no display needed)."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as imageio
import mujoco
import numpy as np
import torch
import trimesh

from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.hand.primitives import Solid
from grasp_pose_net.storage import whole
from grasp_pose_net.world import Array, split_transform

OBJECT_COLOUR = (0.90, 0.55, 0.18, 1.0)
TIP_COLOUR, PALM_COLOUR, LINK_COLOUR = (
    (0.20, 0.62, 0.56, 1.0),
    (0.28, 0.30, 0.34, 1.0),
    (0.55, 0.58, 0.62, 1.0),
)
CONTACT_COLOUR, SPHERE_COLOUR = (0.86, 0.16, 0.16, 1.0), (0.45, 0.60, 0.75, 1.0)
DOT_M, NEEDLE_M = 0.0022, 0.013
GEOMS = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
}


def draw_grasp(
    hand: Hand, x: Array, mesh: trimesh.Trimesh, path: Path, size: tuple[int, int] = (960, 720)
) -> None:
    """Write a PNG of a hand at a grasp pose holding an object, seen from three sides.

    Args:
        hand: the hand.
        x: (D,) pose vector, object frame.
        mesh: the object in its own frame [m].
        path: the PNG to write.
        size: width and height of the picture [px].
    """
    spec = _lit_scene(size)
    _add_floor(spec, float(min(mesh.bounds[0, 2], hand.mesh(x).bounds[0, 2])))
    _add_mesh(spec, mesh)
    _add_hand(spec, hand, x)
    model, data = _compiled(spec)
    _write(path, _three_views(model, data, size))


def draw_hand(hand: Hand, path: Path, size: tuple[int, int] = (1020, 600)) -> None:
    """Write a PNG of an open hand: contact points and normals from two sides, and its collision spheres.

    Args:
        hand: the hand.
        path: the PNG to write.
        size: width and height of the picture [px].
    """
    x = _upright(hand)
    points, normals = (
        t[0].numpy() for t in Kinematics(hand, torch.float64).contacts(torch.as_tensor(x)[None])
    )
    middle = (points.min(0) + points.max(0)) / 2
    distance = 2.8 * float(np.linalg.norm(points - middle, axis=1).max())
    large, small = (2 * size[0] // 3, size[1]), (size[0] - 2 * size[0] // 3, size[1] // 2)
    touching, filled = _lit_scene(size, shadows=False), _lit_scene(size, shadows=False)
    _add_hand(touching, hand, x)
    _add_contacts(touching, points, normals)
    _add_spheres(filled, hand, x)
    scene, spheres = _compiled(touching), _compiled(filled)
    left = _view(*scene, large, azimuth=210.0, elevation=-25.0, distance=distance, lookat=middle)
    right = [
        _view(*scene, small, azimuth=130.0, elevation=-25.0, distance=1.1 * distance, lookat=middle),
        _view(*spheres, small, azimuth=210.0, elevation=-25.0, distance=1.1 * distance, lookat=middle),
    ]
    _write(path, np.concatenate([left, np.concatenate(right)[: size[1]]], axis=1))


def _write(path: Path, picture: Array) -> None:
    """Write a picture (H, W, 3)."""
    with whole(path) as unfinished:
        imageio.imwrite(unfinished, picture)


def _upright(hand: Hand) -> Array:
    """Pose vector (D,) of the open hand, palm towards +x and the finger axis up."""
    side = np.cross(hand.finger_axis, hand.palm_normal)
    R_world_base = np.stack([hand.palm_normal, side, hand.finger_axis])  # rows: base axes along world x, y, z
    T_world_base = np.eye(4)
    T_world_base[:3, :3] = R_world_base
    return np.concatenate([*split_transform(T_world_base), hand.open_joints])


def _lit_scene(size: tuple[int, int], shadows: bool = True) -> mujoco.MjSpec:
    """Empty scene with a sky and a light, for pictures of at most this many pixels."""
    spec = mujoco.MjSpec()
    spec.visual.global_.offwidth, spec.visual.global_.offheight = size
    spec.visual.headlight.ambient = [0.35, 0.35, 0.35]
    spec.visual.headlight.diffuse = [0.35, 0.35, 0.35]
    spec.visual.quality.shadowsize = 4096
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.96, 0.97, 0.98],
        rgb2=[0.78, 0.83, 0.88],
        width=256,
        height=256,
    )
    spec.worldbody.add_light(
        pos=[0.4, -0.5, 1.2], dir=[-0.3, 0.4, -1.0], diffuse=[0.6, 0.6, 0.6], castshadow=shadows
    )
    return spec


def _compiled(spec: mujoco.MjSpec) -> tuple[mujoco.MjModel, mujoco.MjData]:
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


def _add_contacts(spec: mujoco.MjSpec, points: Array, normals: Array) -> None:
    """A dot at each contact point (P, 3) [m], and a needle along its normal (P, 3)."""
    for point, normal in zip(points, normals, strict=True):
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[DOT_M, 0, 0], pos=point, rgba=CONTACT_COLOUR
        )
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_CYLINDER,
            size=[DOT_M / 3, 0, 0],
            fromto=[*point, *(point + NEEDLE_M * normal)],
            rgba=CONTACT_COLOUR,
        )


def _add_spheres(spec: mujoco.MjSpec, hand: Hand, x: Array) -> None:
    centres = Kinematics(hand, torch.float64).points(torch.tensor(x)[None], hand.spheres)[0].numpy()
    for centre, radius in zip(centres, hand.spheres.radius, strict=True):
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[radius, 0, 0], pos=centre, rgba=SPHERE_COLOUR
        )


def _add_floor(spec: mujoco.MjSpec, height: float) -> None:
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[0.6, 0.6, 0.01],
        pos=[0, 0, height - 0.01],
        rgba=[0.93, 0.90, 0.85, 1],
    )


def _add_mesh(spec: mujoco.MjSpec, mesh: trimesh.Trimesh) -> None:
    spec.add_mesh(
        name="object", uservert=mesh.vertices.ravel(), userface=mesh.faces.ravel(), smoothnormal=False
    )
    # MuJoCo moves a mesh to its own centre of mass and keeps the geom's pose consistent, so zero is the object's frame
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname="object", rgba=OBJECT_COLOUR)


def _add_hand(spec: mujoco.MjSpec, hand: Hand, x: Array) -> None:
    T_object_link = (
        Kinematics(hand, dtype=torch.float64)
        .link_poses(torch.tensor(x, dtype=torch.float64)[None])[0]
        .numpy()
    )
    for shape in hand.shapes:
        position, quat_wxyz = split_transform(T_object_link[hand.tree.index(shape.link)] @ shape.T_link_shape)
        base = PALM_COLOUR if shape.link == hand.base_link else LINK_COLOUR
        colour = TIP_COLOUR if shape.link in hand.tip_links else base
        spec.worldbody.add_geom(
            type=GEOMS[shape.kind], size=_half_size(shape), pos=position, quat=quat_wxyz, rgba=colour
        )


def _half_size(shape: Solid) -> list[float]:
    """MuJoCo's sizes: half-extents of a box; radius, half-length of a cylinder or capsule; radius of a sphere."""
    sizes = [float(s) for s in np.atleast_1d(shape.size)]
    if shape.kind == "box":
        return [s / 2 for s in sizes]
    if shape.kind == "sphere":
        return [sizes[0], 0.0, 0.0]
    return [sizes[0], sizes[1] / 2, 0.0]


def _three_views(model: mujoco.MjModel, data: mujoco.MjData, size: tuple[int, int]) -> Array:
    """One large view and two small ones beside it."""
    width, height = size
    large, small = (2 * width // 3, height), (width - 2 * width // 3, height // 2)
    left = _view(model, data, large, azimuth=140.0, elevation=-22.0)
    right = [
        _view(model, data, small, azimuth=250.0, elevation=-20.0),
        _view(model, data, small, azimuth=20.0, elevation=-60.0),
    ]
    return np.concatenate([left, np.concatenate(right)[: left.shape[0]]], axis=1)


def _view(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    size: tuple[int, int],
    azimuth: float,
    elevation: float,
    distance: float = 0.62,
    lookat: Array | None = None,
) -> Array:
    camera = mujoco.MjvCamera()
    camera.azimuth, camera.elevation, camera.distance = azimuth, elevation, distance
    if lookat is not None:
        camera.lookat = lookat
    renderer = mujoco.Renderer(model, height=size[1], width=size[0])
    try:
        renderer.update_scene(data, camera)
        return renderer.render().copy()
    finally:
        renderer.close()
