"""Clouds and depth images as messages, and back to points (N, 3)."""

from __future__ import annotations

from array import array

import numpy as np
from builtin_interfaces.msg import Time as TimeMessage
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import Header

from grasp_pose_net.world import Array

CLOUD_NUMBERS = {PointField.FLOAT32: "f4", PointField.FLOAT64: "f8"}
DEPTH_ENCODINGS = {
    "16UC1": ("u2", 0.001),
    "mono16": ("u2", 0.001),
    "32FC1": ("f4", 1.0),
}  # number, its unit [m]


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


def depth_image_message(depth: NDArray[np.floating], frame: str, stamp: TimeMessage) -> Image:
    """Depth image 16UC1 in millimetres of depths (H, W) [m]; what is not finite becomes 0."""
    millimetres = np.round(np.nan_to_num(depth, nan=0.0, posinf=0.0, neginf=0.0) * 1000).astype("<u2")
    height, width = depth.shape
    return Image(
        header=Header(frame_id=frame, stamp=stamp),
        height=height,
        width=width,
        encoding="16UC1",
        is_bigendian=False,
        step=2 * width,
        data=array("B", millimetres.tobytes()),
    )


def camera_info_message(
    width: int, height: int, focal_px: float, frame: str, stamp: TimeMessage
) -> CameraInfo:
    """Pinhole camera without distortion, its principal point in the middle of the image."""
    x, y = width / 2 - 0.5, height / 2 - 0.5  # pixel (0, 0) has its centre at (0, 0)
    return CameraInfo(
        header=Header(frame_id=frame, stamp=stamp),
        height=height,
        width=width,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=[focal_px, 0.0, x, 0.0, focal_px, y, 0.0, 0.0, 1.0],
        r=np.eye(3).ravel().tolist(),
        p=[focal_px, 0.0, x, 0.0, 0.0, focal_px, y, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


def points_from_depth(image: Image, info: CameraInfo) -> NDArray[np.float32]:
    """Points (H * W, 3) [m] of a rectified depth image, in its optical frame; NaN where nothing was measured.

    Args:
        image: encoding 16UC1 or mono16 [mm, 0 is invalid], or 32FC1 [m].
        info: the camera's; ``p`` holds for the rectified image, ``k`` where a driver leaves ``p`` empty.

    Raises:
        ValueError: another encoding, an image cut off, or a camera info without focal length or of another size.
    """
    if image.encoding not in DEPTH_ENCODINGS:
        raise ValueError(
            f"depth image has encoding {image.encoding!r}; expected one of {', '.join(DEPTH_ENCODINGS)}"
        )
    number, unit = DEPTH_ENCODINGS[image.encoding]
    size = np.dtype(number).itemsize
    if image.step < size * image.width or len(image.data) < image.step * image.height:
        raise ValueError(
            f"depth image of {image.width} x {image.height} pixels (step {image.step}, {image.encoding}) does not fit into "
            f"{len(image.data)} bytes of data; was it cut off?"
        )
    if (info.width, info.height) != (image.width, image.height):
        raise ValueError(
            f"camera info is of {info.width} x {info.height} pixels, the depth image of {image.width} x {image.height}; "
            "is it another camera's?"
        )
    fx, fy, cx, cy = (info.p[i] for i in (0, 5, 2, 6)) if info.p[0] > 0 else (info.k[i] for i in (0, 4, 2, 5))
    if fx <= 0 or fy <= 0:
        raise ValueError("camera info has no focal length in p and k; calibrate the camera")
    form = np.dtype((">" if image.is_bigendian else "<") + number)
    shape, strides = (image.height, image.width), (image.step, size)
    depth = np.ndarray(shape, form, np.asarray(image.data, np.uint8), strides=strides).astype(np.float32)
    depth *= np.float32(unit)
    depth[~((depth > 0) & np.isfinite(depth))] = np.nan
    x = (np.arange(image.width, dtype=np.float32) - np.float32(cx)) / np.float32(fx)
    y = (np.arange(image.height, dtype=np.float32) - np.float32(cy)) / np.float32(fy)
    return np.stack([x * depth, y[:, None] * depth, depth], -1).reshape(-1, 3)
