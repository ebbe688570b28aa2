"""Scenes between ``moveit_msgs`` and the world; pure functions. A shape has one entry each way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import singledispatch

import numpy as np
from geometry_msgs.msg import Pose
from moveit_msgs.msg import CollisionObject, PlanningSceneWorld
from shape_msgs.msg import Plane, SolidPrimitive
from std_msgs.msg import Header

from grasp_pose_net.exceptions import MeshError, MessageError, WorldError
from grasp_pose_net.nodes.messages.basics import (
    MOST_TRIANGLES,
    mesh_from_message,
    mesh_message,
    pose_message,
    time_from_ns,
    time_to_ns,
    transform_from_pose,
)
from grasp_pose_net.shapes import centred, check_mesh, welded
from grasp_pose_net.world import (
    Array,
    Box,
    Cone,
    Cylinder,
    HalfSpace,
    Mesh,
    Part,
    Role,
    Scene,
    SceneObject,
    Shape,
    Sphere,
    Voxels,
    make_transform,
    transform_points,
)

# Number of dimensions of a primitive, and the shape that they make; MoveIt has the height of a cylinder first.
PRIMITIVES: dict[int, tuple[int, Callable[..., Shape]]] = {
    SolidPrimitive.BOX: (3, lambda x, y, z: Box(np.array([x, y, z]))),
    SolidPrimitive.SPHERE: (1, Sphere),
    SolidPrimitive.CYLINDER: (2, lambda height, radius: Cylinder(radius, height)),
    SolidPrimitive.CONE: (2, lambda height, radius: Cone(radius, height)),
}
SMALLEST_M = 1e-3  # side of a box that is shrunk to nothing
# what a scene may have: with 1000, preparing its checks takes two seconds, with 5000 a minute
MOST_SHAPES = 1000
SEVERAL = "several"  # key of ObjectType, beside those of the roles
KEYS = {Role.TARGET: "object", Role.OBSTACLE: "obstacle", Role.SUPPORT: "support"}
OPERATIONS = {b"\x01": "REMOVE", b"\x02": "APPEND", b"\x03": "MOVE"}
ROLES = {key: role for role, key in KEYS.items()}


def scene_from_message(message: PlanningSceneWorld, frame: str) -> Scene:
    """Scene of everything that a topic says is there.

    Raises:
        MessageError: an octomap, another operation than ADD, another frame, or more than can be checked in time.
        WorldError: two objects of one id, or a shape or pose that is none; the text names the object.
    """
    if len(message.octomap.octomap.data):
        raise MessageError("octomaps are not supported; publish what is occupied as collision_objects")
    return Scene(objects_from_messages(message.collision_objects, frame), frame)


def objects_from_messages(messages: Sequence[CollisionObject], frame: str) -> tuple[SceneObject, ...]:
    """Objects of messages given in a frame.

    Raises:
        MessageError: there are too many shapes, or as :func:`object_from_message`.
        WorldError: as :func:`object_from_message`.
    """
    shapes = shape_count(messages)
    if shapes > MOST_SHAPES:
        raise MessageError(
            f"the objects have {shapes} shapes, at most {MOST_SHAPES} are checked in time; send fewer, larger ones"
        )
    triangles = sum(len(mesh.triangles) for one in messages for mesh in one.meshes)
    if triangles > MOST_TRIANGLES:
        raise MessageError(
            f"the meshes of all objects have {triangles} triangles, at most {MOST_TRIANGLES} are taken; send simpler ones"
        )
    return tuple(object_from_message(one, frame) for one in messages)


def shape_count(messages: Sequence[CollisionObject]) -> int:
    """How many shapes objects of messages have."""
    return sum(len(one.primitives) + len(one.meshes) + len(one.planes) for one in messages)


def object_from_message(message: CollisionObject, frame: str, unnamed: str = "") -> SceneObject:
    """Object of a message given in a frame; ``unnamed`` is its id where it has none.

    One closed mesh alone is something to grasp, unless ``type.key`` says otherwise; its origin is moved to its centre of
    mass. One that cannot be grasped is an obstacle, and its ``reason`` says why. Shapes without any pose are at the object's,
    as MoveIt has it.

    Raises:
        MessageError: another frame or operation, a stamp that is none, or shapes that are not supported.
        WorldError: no name, or a shape or pose that is none. Every text names the object.
    """
    where = f"object {message.id!r}"
    if message.header.frame_id != frame:
        raise MessageError(
            f"{where} is given in frame {message.header.frame_id!r}, everything else in {frame!r}; give all in one frame"
        )
    if message.operation != CollisionObject.ADD:
        operation = OPERATIONS.get(message.operation, message.operation)
        raise MessageError(f"{where}: operation {operation} is not supported; send all objects, each to ADD")
    try:
        entry = SceneObject(
            message.id or unnamed,
            transform_from_pose(message.pose),
            tuple(_parts(message)),
            ROLES.get(message.type.key, Role.OBSTACLE),
            time_to_ns(message.header.stamp),
            message.type.db,
            message.type.key == SEVERAL,
        )
    except (MessageError, WorldError) as error:
        text = str(error)
        raise type(error)(text if where in text else f"{where}: {text}") from error
    return entry if message.type.key in (KEYS[Role.OBSTACLE], KEYS[Role.SUPPORT]) else _graspable(entry)


def _graspable(entry: SceneObject) -> SceneObject:
    """An object that is one closed mesh, its frame moved to the centre of mass; an obstacle where it is none."""
    (shape, T_world_mesh), *others = entry.placed()
    if others or not isinstance(shape, Mesh):
        asked = entry.role is Role.TARGET  # what nobody says is for grasping needs no reason
        reason = f"object {entry.id!r}: expected one mesh, got {len(entry.parts)} shapes" if asked else ""
        return replace(entry, role=Role.OBSTACLE, reason=reason or entry.reason)
    closed = welded(shape.mesh)
    try:
        check_mesh(closed, f"object {entry.id!r}")
    except MeshError as error:
        return replace(entry, role=Role.OBSTACLE, reason=str(error))
    mesh, centre = centred(closed)
    T_world_object = T_world_mesh.copy()
    T_world_object[:3, 3] = transform_points(T_world_mesh, centre)
    return replace(entry, T_world_object=T_world_object, parts=(Part(Mesh(mesh)),), role=Role.TARGET)


def _parts(message: CollisionObject) -> Iterator[Part]:
    """Shapes of a message, in its object's frame."""
    shapes: list[tuple[str, Callable[..., Shape], list, list]] = [
        ("primitive", _primitive, message.primitives, message.primitive_poses),
        ("mesh", lambda one: Mesh(mesh_from_message(one)), message.meshes, message.mesh_poses),
        ("plane", lambda one: HalfSpace(one.coef[:3], -one.coef[3]), message.planes, message.plane_poses),
    ]
    for kind, made, messages, poses in shapes:
        if poses and len(poses) != len(messages):
            raise MessageError(
                f"{len(messages)} {kind} shapes and {len(poses)} {kind}_poses; give each its pose, or none any"
            )
        for one, pose in zip(messages, poses or [Pose()] * len(messages), strict=True):
            yield Part(made(one), transform_from_pose(pose))


def _primitive(message: SolidPrimitive) -> Shape:
    if message.type not in PRIMITIVES:
        raise MessageError(
            f"primitive of type {message.type} is not supported; box, sphere, cylinder and cone are"
        )
    count, make = PRIMITIVES[message.type]
    if len(message.dimensions) != count:
        raise MessageError(
            f"primitive of type {message.type} has dimensions {list(message.dimensions)}; expected {count} numbers"
        )
    return make(*message.dimensions)


def object_message(entry: SceneObject, frame: str, shrink_m: float = 0.0) -> CollisionObject:
    """Message that adds an object, or replaces it; boxes smaller by ``shrink_m`` [m] on each side."""
    message = CollisionObject(
        header=Header(frame_id=frame, stamp=time_from_ns(entry.stamp_ns)),
        id=entry.id,
        pose=pose_message(entry.T_world_object),
        operation=CollisionObject.ADD,
    )
    message.type.key = SEVERAL if entry.several else KEYS[entry.role]
    message.type.db = entry.reason
    for part in entry.parts:
        _add(part.shape, message, part.T_object_shape, shrink_m)
    return message


@singledispatch
def _add(shape: Shape, message: CollisionObject, T_object_shape: Array, shrink_m: float) -> None:
    """Add a shape to a message."""
    raise TypeError(f"no message for a {type(shape).__name__}")


def _add_primitive(
    message: CollisionObject, kind: int, dimensions: list[float], T_object_shape: Array
) -> None:
    message.primitives.append(SolidPrimitive(type=kind, dimensions=dimensions))
    message.primitive_poses.append(pose_message(T_object_shape))


@_add.register
def _(shape: Box, message: CollisionObject, T_object_shape: Array, shrink_m: float) -> None:
    sides = np.maximum(shape.size - 2 * shrink_m, np.minimum(shape.size, SMALLEST_M)).tolist()
    _add_primitive(message, SolidPrimitive.BOX, sides, T_object_shape)


@_add.register
def _(shape: Sphere, message: CollisionObject, T_object_shape: Array, shrink_m: float) -> None:
    _add_primitive(message, SolidPrimitive.SPHERE, [shape.radius], T_object_shape)


@_add.register
def _(shape: Cylinder, message: CollisionObject, T_object_shape: Array, shrink_m: float) -> None:
    kind = SolidPrimitive.CONE if isinstance(shape, Cone) else SolidPrimitive.CYLINDER
    _add_primitive(message, kind, [shape.length, shape.radius], T_object_shape)


@_add.register
def _(shape: HalfSpace, message: CollisionObject, T_object_shape: Array, shrink_m: float) -> None:
    message.planes.append(Plane(coef=[*shape.normal.tolist(), -shape.offset]))
    message.plane_poses.append(pose_message(T_object_shape))


@_add.register
def _(shape: Mesh, message: CollisionObject, T_object_shape: Array, shrink_m: float) -> None:
    message.meshes.append(mesh_message(shape.mesh))
    message.mesh_poses.append(pose_message(T_object_shape))


@_add.register
def _(shape: Voxels, message: CollisionObject, T_object_shape: Array, shrink_m: float) -> None:
    for centre, side in zip(shape.centres, shape.sizes.tolist(), strict=True):
        _add_primitive(message, SolidPrimitive.BOX, [side] * 3, T_object_shape @ make_transform(centre))
