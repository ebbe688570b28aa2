"""Every converter between messages and the library's types, as pure functions; the only place with (x, y, z, w)."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
import trimesh
from builtin_interfaces.msg import Duration as DurationMessage
from builtin_interfaces.msg import Time as TimeMessage
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion, Transform, TransformStamped, Vector3
from moveit_msgs.msg import CollisionObject
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField
from shape_msgs.msg import Mesh, MeshTriangle, SolidPrimitive
from std_msgs.msg import Header

from grasp_pose_net.geometry import Array, make_transform, split_transform


def stamp_seconds(stamp: TimeMessage) -> float:
    """Seconds of a message's stamp."""
    return stamp.sec + stamp.nanosec * 1e-9


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
        ValueError: the quaternion is all zero or a number is not finite.
    """
    p, q = pose.position, pose.orientation
    return _checked_transform((p.x, p.y, p.z), (q.w, q.x, q.y, q.z))


def transform_from_message(transform: Transform) -> Array:
    """T_a_b (4, 4) from a transform message.

    Raises:
        ValueError: the quaternion is all zero or a number is not finite.
    """
    t, q = transform.translation, transform.rotation
    return _checked_transform((t.x, t.y, t.z), (q.w, q.x, q.y, q.z))


def _checked_transform(position: Sequence[float], quat_wxyz: Sequence[float]) -> Array:
    if not np.isfinite([*position, *quat_wxyz]).all() or np.linalg.norm(quat_wxyz) < 1e-6:
        raise ValueError(
            f"not a pose: position {tuple(position)}, quaternion (w, x, y, z) {tuple(quat_wxyz)}"
        )
    return make_transform(position, quat_wxyz)


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

    Raises:
        ValueError: there is no triangle, a vertex index is out of range, or a coordinate is not finite.
    """
    vertices = np.array([(p.x, p.y, p.z) for p in message.vertices], float).reshape(-1, 3)
    faces = np.array([t.vertex_indices for t in message.triangles], np.int64).reshape(-1, 3)
    if len(faces) == 0:
        raise ValueError(f"mesh with {len(vertices)} vertices has no triangles")
    if faces.max() >= len(vertices) or not np.isfinite(vertices).all():
        raise ValueError(
            f"mesh has a vertex index beyond its {len(vertices)} vertices, or a coordinate that is not finite"
        )
    return trimesh.Trimesh(vertices, faces, process=False)


def mesh_object(
    name: str, mesh: trimesh.Trimesh, T_frame_object: Array, frame: str, stamp: TimeMessage
) -> CollisionObject:
    """Collision object with one mesh in object coordinates, its pose in ``frame``."""
    return CollisionObject(
        header=Header(frame_id=frame, stamp=stamp),
        id=name,
        pose=pose_message(T_frame_object),
        meshes=[mesh_message(mesh)],
        mesh_poses=[pose_message(np.eye(4))],
        operation=CollisionObject.ADD,
    )


def box_object(
    name: str, size: Sequence[float], T_frame_box: Array, frame: str, stamp: TimeMessage
) -> CollisionObject:
    """Collision object with one box, ``size`` (3,) [m] its side lengths, its centre's pose in ``frame``."""
    return CollisionObject(
        header=Header(frame_id=frame, stamp=stamp),
        id=name,
        pose=pose_message(T_frame_box),
        primitives=[SolidPrimitive(type=SolidPrimitive.BOX, dimensions=[float(s) for s in size])],
        primitive_poses=[pose_message(np.eye(4))],
        operation=CollisionObject.ADD,
    )


def boxes_and_meshes(
    message: CollisionObject,
) -> tuple[list[tuple[Array, Array]], list[tuple[trimesh.Trimesh, Array]]]:
    """Boxes (size (3,), T_frame_box) and meshes (mesh, T_frame_mesh) of a collision object, in its header's frame.

    Raises:
        ValueError: the object has a shape other than boxes and meshes, or a broken pose.
    """
    T_frame_object = transform_from_pose(message.pose)
    boxes, meshes = [], []
    for primitive, pose in zip(message.primitives, message.primitive_poses, strict=True):
        if primitive.type != SolidPrimitive.BOX:
            raise ValueError(
                f"object {message.id!r}: only boxes and meshes are supported, got primitive {primitive.type}"
            )
        boxes.append((np.array(primitive.dimensions, float), T_frame_object @ transform_from_pose(pose)))
    for mesh, pose in zip(message.meshes, message.mesh_poses, strict=True):
        meshes.append((mesh_from_message(mesh), T_frame_object @ transform_from_pose(pose)))
    return boxes, meshes


def vector_message(vector: Any) -> Vector3:
    """Vector3 from an array (3,)."""
    x, y, z = (float(v) for v in vector)
    return Vector3(x=x, y=y, z=z)


def time_message(seconds: float) -> TimeMessage:
    """Stamp of a time in seconds."""
    nanoseconds = round(seconds * 1e9)
    return TimeMessage(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


def xyz_cloud_message(points: NDArray[np.floating], frame: str, stamp: TimeMessage) -> PointCloud2:
    """Unorganised cloud of points (N, 3) [m], fields x, y, z of float32."""
    points = np.ascontiguousarray(points, np.float32)
    names = ("x", "y", "z")
    return PointCloud2(
        header=Header(frame_id=frame, stamp=stamp),
        height=1,
        width=len(points),
        fields=[
            PointField(name=n, offset=4 * i, datatype=PointField.FLOAT32, count=1)
            for i, n in enumerate(names)
        ],
        is_bigendian=False,
        point_step=12,
        row_step=12 * len(points),
        # rclpy takes an array as it is, but looks at every byte of a list or of bytes
        data=array("B", points.tobytes()),
        is_dense=True,
    )


CLOUD_NUMBERS = {PointField.FLOAT32: "f4", PointField.FLOAT64: "f8"}


def points_from_cloud(message: PointCloud2) -> NDArray[np.float32]:
    """Points (N, 3) [m] of any cloud with fields x, y, z, in its header's frame; missing measurements stay NaN.

    The cloud may be organised or not, with padding, further fields, and either byte order.

    Raises:
        ValueError: a field is missing or no floating-point number, or ``data`` is shorter than its description.
    """
    fields = {entry.name: entry for entry in message.fields}
    if missing := [name for name in "xyz" if name not in fields]:
        raise ValueError(
            f"cloud has no field {', '.join(missing)}; its fields: {', '.join(fields) or 'none'}"
        )
    order = ">" if message.is_bigendian else "<"
    formats, offsets = [], []
    for entry in (fields[name] for name in "xyz"):
        if entry.datatype not in CLOUD_NUMBERS:
            raise ValueError(
                f"cloud field {entry.name} has datatype {entry.datatype}; expected FLOAT32 (7) or FLOAT64 (8)"
            )
        formats.append(order + CLOUD_NUMBERS[entry.datatype])
        offsets.append(entry.offset)
    ends = [offset + int(form[2:]) for offset, form in zip(offsets, formats, strict=True)]
    needed = (
        message.row_step * (message.height - 1) + message.point_step * message.width if message.height else 0
    )
    if (
        max(ends) > message.point_step
        or message.row_step < message.point_step * message.width
        or len(message.data) < needed
    ):
        raise ValueError(
            f"cloud of {message.width} x {message.height} points of {message.point_step} bytes (row_step {message.row_step}, "
            f"x, y, z at {offsets}) does not fit into {len(message.data)} bytes of data; was it cut off?"
        )
    record = np.dtype(
        {"names": list("xyz"), "formats": formats, "offsets": offsets, "itemsize": message.point_step}
    )
    shape, strides = (message.height, message.width), (message.row_step, message.point_step)
    rows = np.ndarray(shape, record, np.asarray(message.data, np.uint8), strides=strides)
    points = np.empty((message.height * message.width, 3), np.float32)
    for column, name in zip(points.T, "xyz", strict=True):
        column[:] = rows[name].ravel()
    return points


def coloured_cloud_message(
    points: Array, colours: NDArray[np.uint8], frame: str, stamp: TimeMessage
) -> PointCloud2:
    """Unorganised cloud of points (N, 3) [m] with colours (N, 3) red, green, blue; field rgb as RViz reads it."""
    packed = np.zeros(len(points), np.dtype([("xyz", "<f4", 3), ("rgb", "<u4")]))
    packed["xyz"] = points
    packed["rgb"] = colours.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    message = xyz_cloud_message(points, frame, stamp)
    message.fields.append(PointField(name="rgb", offset=12, datatype=PointField.FLOAT32, count=1))
    message.point_step, message.row_step = 16, 16 * len(points)
    message.data = array("B", packed.tobytes())
    return message
