"""Draws a ``MarkerArray`` without RViz: every marker becomes a geom of MuJoCo, text is written over the picture."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as imageio
import mujoco
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.spatial.transform import Rotation
from visualization_msgs.msg import Marker, MarkerArray

SIZE = (900, 675)
DISTANCE_M, AZIMUTH, ELEVATION = 0.75, 130.0, -25.0
FOV_DEG = 45.0
GEOMS = {
    Marker.CUBE: mujoco.mjtGeom.mjGEOM_BOX,
    Marker.SPHERE: mujoco.mjtGeom.mjGEOM_SPHERE,
    Marker.CYLINDER: mujoco.mjtGeom.mjGEOM_CYLINDER,
}


def draw(markers: MarkerArray, path: Path, hidden: set[str] = frozenset()) -> np.ndarray:
    """Picture (H, W, 3) of what RViz would show with some namespaces switched off; also written as PNG."""
    shown = [m for m in markers.markers if m.action == Marker.ADD and m.ns not in hidden]
    spec = mujoco.MjSpec()
    spec.visual.global_.offwidth, spec.visual.global_.offheight = SIZE
    spec.visual.global_.fovy = FOV_DEG
    spec.visual.headlight.ambient = [0.5, 0.5, 0.5]
    for marker in shown:
        _add(spec, marker)
    centre = np.mean([_position(m) for m in markers.markers if m.type in GEOMS], axis=0)
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    camera = mujoco.MjvCamera()
    camera.azimuth, camera.elevation, camera.distance, camera.lookat = (
        AZIMUTH,
        ELEVATION,
        DISTANCE_M,
        centre,
    )
    with mujoco.Renderer(model, height=SIZE[1], width=SIZE[0]) as renderer:
        renderer.update_scene(data, camera)
        picture = Image.fromarray(renderer.render().copy())
    pen = ImageDraw.Draw(picture)
    for marker in shown:
        if marker.type == Marker.TEXT_VIEW_FACING:
            scale = SIZE[1] / 2 / np.tan(np.deg2rad(FOV_DEG) / 2) / DISTANCE_M  # pixels a metre
            font = ImageFont.load_default(marker.scale.z * scale)
            pen.text(_pixel(_position(marker), centre), marker.text, _rgb(marker), font, anchor="mm")
    imageio.imwrite(path, np.asarray(picture))
    return np.asarray(picture)


def _add(spec: mujoco.MjSpec, marker: Marker) -> None:
    scale = np.array([marker.scale.x, marker.scale.y, marker.scale.z])
    paint = [marker.color.r, marker.color.g, marker.color.b, marker.color.a]
    points = [np.array([p.x, p.y, p.z]) for p in marker.points]
    if marker.type in GEOMS:
        size = scale / 2
        if marker.type == Marker.CYLINDER:
            size = np.array([size[0], size[2], 0.0])
        q = marker.pose.orientation
        quat = [q.w, q.x, q.y, q.z]
        spec.worldbody.add_geom(
            type=GEOMS[marker.type], size=size, pos=_position(marker), quat=quat, rgba=paint
        )
    elif marker.type == Marker.SPHERE_LIST:
        for point in points:
            spec.worldbody.add_geom(
                type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[scale[0] / 2, 0, 0], pos=point, rgba=paint
            )
    elif marker.type == Marker.LINE_LIST:
        for start, end in zip(points[::2], points[1::2], strict=True):
            spec.worldbody.add_geom(
                type=mujoco.mjtGeom.mjGEOM_CYLINDER,
                size=[scale[0] / 2, 0, 0],
                fromto=[*start, *end],
                rgba=paint,
            )
    elif marker.type != Marker.TEXT_VIEW_FACING:
        raise ValueError(f"marker type {marker.type} is not drawn")


def _position(marker: Marker) -> np.ndarray:
    return np.array([marker.pose.position.x, marker.pose.position.y, marker.pose.position.z])


def _rgb(marker: Marker) -> tuple[int, ...]:
    return tuple(int(255 * c) for c in (marker.color.r, marker.color.g, marker.color.b))


def _pixel(point: np.ndarray, centre: np.ndarray) -> tuple[float, float]:
    """Where a point appears: MuJoCo's free camera looks along its azimuth and elevation at the centre."""
    turn = Rotation.from_euler("ZY", [AZIMUTH, -ELEVATION], degrees=True)
    forward, left, up = turn.inv().apply(point - centre) + np.array([DISTANCE_M, 0.0, 0.0])
    focal = SIZE[1] / 2 / np.tan(np.deg2rad(FOV_DEG) / 2)
    return SIZE[0] / 2 - focal * left / forward, SIZE[1] / 2 - focal * up / forward
