"""The MuJoCo model: robot (from the very URDF that planning uses), table, floor, light, cameras, and objects.

Geom groups: 1 robot as seen, 2 scenery and objects as seen, 3 collision shapes (never rendered).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.simulation.model_parts import (
    actuate,
    actuate_finger,
    add_mesh_geom,
    add_object_body,
    contact_physics,
    couple,
    touch,
)
from grasp_pose_net.simulation.objects import SimObject
from grasp_pose_net.simulation.robot_files import robot_texts
from grasp_pose_net.world import Array, split_transform

COLLISION_GROUP = 3
VIDEO_CAMERA = "video"


@dataclass(frozen=True, kw_only=True)
class SceneConfig(Settings):
    """What stands where, and how it touches. World: z up, floor at z = 0, robot above the origin."""

    robot: str = setting("ur10_shadow", doc="folder of models/robots")
    table_center_m: tuple[float, float] = setting((0.70, 0.0), -10.0, 10.0, "table centre (x, y) in world")
    table_size_m: tuple[float, float] = setting((0.8, 0.8), 0.05, 10.0, "table extent along x and y")
    table_height_m: float = setting(0.72, 0.0, 2.0, "height of the table top above the floor")
    timestep_s: float = setting(0.002, 0.0005, 0.01, "physics time step")
    friction_slide: float = setting(0.6, 0.0, 2.0, "sliding friction coefficient of every contact")
    friction_torsion_m: float = setting(0.02, 0.0, 0.1, "torsional friction of every contact")
    hand_stiffness_nm: float = setting(5.0, 0.1, 50.0, "finger position gain, N m per rad")
    hand_torque_nm: float = setting(3.0, 0.1, 20.0, "largest finger torque")

    @property
    def table_top(self) -> Array:
        """Centre of the table top (3,) [m], world frame."""
        return np.array([*self.table_center_m, self.table_height_m])


@dataclass(frozen=True)
class CameraView:
    """A pinhole camera for rendering; its optical frame has z forward, x right, y down (REP-103)."""

    name: str
    T_world_optical: Array
    vertical_fov_rad: float


def build_scene(
    config: SceneConfig, objects: Sequence[SimObject] = (), cameras: Sequence[CameraView] = ()
) -> mujoco.MjModel:
    """Compile the scene; the objects float at the world origin until somebody places them.

    Raises:
        ConfigError: the robot's model files are missing or broken.
    """
    spec = _robot(config)
    contact_physics(spec, config.timestep_s)
    _scenery(spec, config)
    for camera in cameras:
        _add_camera(spec, camera)
    for item in objects:
        _add_object(spec, item)
    for geom in spec.geoms:
        touch(geom, config.friction_slide, config.friction_torsion_m)
    return spec.compile()


def _robot(config: SceneConfig) -> mujoco.MjSpec:
    urdf, srdf = map(ET.fromstring, robot_texts(config.robot))
    # by default MuJoCo's importer drops visual shapes and fuses links without joints
    options = ET.SubElement(ET.SubElement(urdf, "mujoco"), "compiler")
    options.attrib.update(discardvisual="false", fusestatic="false", strippath="false")
    spec = mujoco.MjSpec.from_string(ET.tostring(urdf, encoding="unicode"))
    for body in spec.bodies:
        body.gravcomp = 1.0
        _merge_capsules(spec, body)
    for geom in spec.geoms:
        if geom.contype:
            geom.group = COLLISION_GROUP
    _exclude_contacts(spec, srdf)
    _actuate(spec, config)
    return spec


def _merge_capsules(spec: mujoco.MjSpec, body: mujoco.MjsBody) -> None:
    """URDF has no capsule: a collision cylinder with a sphere of its radius at each end becomes one."""
    spheres = [g for g in body.geoms if g.type == mujoco.mjtGeom.mjGEOM_SPHERE and g.contype]
    for cylinder in [g for g in body.geoms if g.type == mujoco.mjtGeom.mjGEOM_CYLINDER and g.contype]:
        axis = np.zeros(9)
        mujoco.mju_quat2Mat(axis, cylinder.quat)
        half = axis.reshape(3, 3)[:, 2] * cylinder.size[1]
        ends = []
        for end in (cylinder.pos - half, cylinder.pos + half):
            ends += [
                s
                for s in spheres
                if np.linalg.norm(s.pos - end) < 1e-6 and abs(s.size[0] - cylinder.size[0]) < 1e-6
            ][:1]
        if len(ends) == 2:
            cylinder.type = mujoco.mjtGeom.mjGEOM_CAPSULE
            for sphere in ends:
                spheres.remove(sphere)
                spec.delete(sphere)


def _exclude_contacts(spec: mujoco.MjSpec, srdf: ET.Element) -> None:
    """No contact between links that the SRDF lets touch."""
    bodies = {body.name for body in spec.bodies}
    pairs = {(d.attrib["link1"], d.attrib["link2"]) for d in srdf.findall("disable_collisions")}
    for link1, link2 in sorted(pairs):
        if {link1, link2} <= bodies and "world" not in (link1, link2):
            spec.add_exclude(bodyname1=link1, bodyname2=link2)


def _actuate(spec: mujoco.MjSpec, config: SceneConfig) -> None:
    """Position control: a stiff arm and wrist, soft fingers whose last two joints move together."""
    for joint in spec.joints:
        name, effort = joint.name, float(joint.actfrcrange[1])
        finger = name.startswith("rh_") and "WRJ" not in name
        if finger:
            actuate_finger(spec, joint, config.hand_stiffness_nm, config.hand_torque_nm)
        else:
            joint.armature = 0.001 * effort
            actuate(spec, joint, 60 * effort, 3 * effort, effort)
        if finger and name.endswith("J1") and not name.startswith("rh_TH"):
            couple(spec, name, name[:-1] + "2", ratio=1.0)


def _scenery(spec: mujoco.MjSpec, config: SceneConfig) -> None:
    """Floor, table, sky and lamps."""
    spec.visual.headlight.ambient = [0.35, 0.35, 0.35]
    spec.visual.headlight.diffuse = [0.25, 0.25, 0.25]
    spec.visual.headlight.specular = [0.1, 0.1, 0.1]
    spec.visual.quality.shadowsize = 1024
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 1280, 960
    spec.visual.map.znear, spec.visual.map.zfar = 0.01, 30
    spec.stat.extent, spec.stat.center = 1.0, config.table_top
    sky = spec.add_texture(
        name="sky", type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT
    )
    sky.rgb1, sky.rgb2, sky.width, sky.height = [0.82, 0.87, 0.92], [0.42, 0.50, 0.60], 256, 1536
    _material(spec, "floor", [0.62, 0.63, 0.65], [0.56, 0.57, 0.60], repeat=1.0)
    _material(spec, "table", [0.80, 0.68, 0.52], [0.78, 0.66, 0.50], repeat=12.0)
    world = spec.worldbody
    world.add_light(
        pos=[0.2, -1.5, 3.0],
        dir=[0.15, 0.5, -1.0],
        diffuse=[0.55, 0.55, 0.52],
        specular=[0.2, 0.2, 0.2],
        castshadow=True,
    )
    world.add_light(pos=[1.8, 1.6, 2.6], dir=[-0.5, -0.6, -1.0], diffuse=[0.25, 0.26, 0.30], castshadow=False)
    world.add_geom(
        name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[4, 4, 0.1], material="floor", group=2
    )
    _add_table(world, config)


def _add_table(world: mujoco.MjsBody, config: SceneConfig) -> None:
    x, y, z = config.table_top
    half_x, half_y = (s / 2 for s in config.table_size_m)
    world.add_geom(
        name="table",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[half_x, half_y, 0.03],
        pos=[x, y, z - 0.03],
        material="table",
        group=2,
    )
    for i in range(4):
        leg = [x + (half_x - 0.05) * (-1) ** i, y + (half_y - 0.05) * (-1) ** (i // 2), (z - 0.06) / 2]
        world.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=[0.025, 0.025, (z - 0.06) / 2],
            pos=leg,
            group=2,
            rgba=[0.3, 0.3, 0.32, 1],
        )


def _material(
    spec: mujoco.MjSpec, name: str, rgb1: Sequence[float], rgb2: Sequence[float], repeat: float
) -> None:
    texture = spec.add_texture(
        name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER
    )
    texture.rgb1, texture.rgb2, texture.width, texture.height = list(rgb1), list(rgb2), 256, 256
    material = spec.add_material(
        name=name, texrepeat=[repeat, repeat], texuniform=name == "floor", reflectance=0.0
    )
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name


def _add_camera(spec: mujoco.MjSpec, camera: CameraView) -> None:
    T_optical_gl = np.diag([1.0, -1.0, -1.0, 1.0])  # OpenGL cameras look along -z with y up
    position, quat_wxyz = split_transform(camera.T_world_optical @ T_optical_gl)
    spec.worldbody.add_camera(
        name=camera.name, pos=position, quat=quat_wxyz, fovy=np.rad2deg(camera.vertical_fov_rad)
    )


def _add_object(spec: mujoco.MjSpec, item: SimObject) -> None:
    body = add_object_body(spec, item.name, item.mass_kg, item.inertia)
    # stands for rolling friction, which the contact model leaves out: balls come to rest
    body.joints[0].damping[0] = 0.0002
    seen = add_mesh_geom(spec, body, f"{item.name}_seen", item.mesh)
    seen.contype = seen.conaffinity = 0
    seen.group = 2
    for i, piece in enumerate(item.pieces):
        add_mesh_geom(spec, body, f"{item.name}_piece{i}", piece).group = COLLISION_GROUP
    for geom in body.geoms:
        geom.rgba = item.rgba
