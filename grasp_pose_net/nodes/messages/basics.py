"""Converters between messages and the library's types, as pure functions; the only place with (x, y, z, w).

What a message says that cannot be, or that is not supported, is refused by a `GraspPoseNetError` of one sentence; nothing
else is raised, and the work is bounded, whatever the message holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import trimesh
from builtin_interfaces.msg import Duration as DurationMessage
from builtin_interfaces.msg import Time as TimeMessage
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion, Transform, TransformStamped, Vector3
from shape_msgs.msg import Mesh, MeshTriangle
from std_msgs.msg import Header

from grasp_pose_net.exceptions import MessageError
from grasp_pose_net.world import Array, make_transform, split_transform

MOST_TRIANGLES = 200_000  # of a mesh: a scan has fewer, and reading a million takes seconds and a gigabyte


def stamp_seconds(stamp: TimeMessage) -> float:
    """Seconds of a message's stamp.

    Raises:
        MessageError: it is no time.
    """
    return time_to_ns(stamp) * 1e-9


def duration_message(seconds: float) -> DurationMessage:
    """Duration message of a span in seconds."""
    nanoseconds = round(seconds * 1e9)
    return DurationMessage(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


def duration_seconds(duration: DurationMessage) -> float:
    """Seconds of a duration message."""
    return duration.sec + duration.nanosec * 1e-9


def pose_message(T_a_b: Array) -> Pose:
    """Pose of frame b in frame a from T_a_b (4, 4)."""
    position, (w, x, y, z) = split_transform(T_a_b)
    return Pose(
        position=Point(**dict(zip("xyz", position.tolist(), strict=True))),
        orientation=Quaternion(w=float(w), x=float(x), y=float(y), z=float(z)),
    )


def transform_from_pose(pose: Pose) -> Array:
    """T_a_b (4, 4) from the pose of frame b in frame a.

    Raises:
        WorldError: the quaternion is all zero or a number is not finite.
    """
    p, q = pose.position, pose.orientation
    return make_transform((p.x, p.y, p.z), (q.w, q.x, q.y, q.z))


def transform_from_message(transform: Transform) -> Array:
    """T_a_b (4, 4) from a transform message.

    Raises:
        WorldError: the quaternion is all zero or a number is not finite.
    """
    t, q = transform.translation, transform.rotation
    return make_transform((t.x, t.y, t.z), (q.w, q.x, q.y, q.z))


def transform_stamped(a: str, b: str, T_a_b: Array, stamp: TimeMessage) -> TransformStamped:
    """TF message that says the pose of frame b in frame a."""
    pose = pose_message(T_a_b)
    message = TransformStamped(header=Header(frame_id=a, stamp=stamp), child_frame_id=b)
    message.transform.translation = Vector3(x=pose.position.x, y=pose.position.y, z=pose.position.z)
    message.transform.rotation = pose.orientation
    return message


def pose_stamped(frame: str, T_frame_b: Array, stamp: TimeMessage) -> PoseStamped:
    """Stamped pose of b in a named frame."""
    return PoseStamped(header=Header(frame_id=frame, stamp=stamp), pose=pose_message(T_frame_b))


def mesh_message(mesh: trimesh.Trimesh) -> Mesh:
    """Triangle mesh message from a mesh in metres."""
    return Mesh(
        vertices=[Point(x=x, y=y, z=z) for x, y, z in mesh.vertices.tolist()],
        triangles=[MeshTriangle(vertex_indices=np.asarray(face, np.uint32)) for face in mesh.faces],
    )


def mesh_from_message(message: Mesh) -> trimesh.Trimesh:
    """Mesh in metres, vertices as in the message.

    What is wrong with it is found by `world.Mesh`.

    Raises:
        MessageError: it is too large to be looked at.
    """
    if len(message.triangles) > MOST_TRIANGLES or len(message.vertices) > 3 * MOST_TRIANGLES:
        raise MessageError(
            f"mesh has {len(message.triangles)} triangles and {len(message.vertices)} vertices, at most {MOST_TRIANGLES} "
            "triangles are taken; send a simpler one"
        )
    vertices = np.array([(p.x, p.y, p.z) for p in message.vertices], float).reshape(-1, 3)
    faces = np.array([t.vertex_indices for t in message.triangles], np.int64).reshape(-1, 3)
    return trimesh.Trimesh(vertices, faces, process=False)


def vector_message(vector: Any) -> Vector3:
    """Vector3 from an array (3,)."""
    x, y, z = (float(v) for v in vector)
    return Vector3(x=x, y=y, z=z)


def time_message(seconds: float) -> TimeMessage:
    """Stamp of a time in seconds."""
    return time_from_ns(round(seconds * 1e9))


def time_from_ns(nanoseconds: int) -> TimeMessage:
    """Stamp of a time in nanoseconds."""
    return TimeMessage(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


def time_to_ns(stamp: TimeMessage) -> int:
    """Nanoseconds of a message's stamp.

    Raises:
        MessageError: it is below zero, or its nanoseconds are a second or more.
    """
    if stamp.sec < 0 or stamp.nanosec >= 10**9:
        raise MessageError(f"stamp of {stamp.sec} s and {stamp.nanosec} ns is no time; is the clock set?")
    return stamp.sec * 10**9 + stamp.nanosec
