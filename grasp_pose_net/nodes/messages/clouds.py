"""Clouds and depth images as messages, and back to points (N, 3)."""

from __future__ import annotations

from array import array

import numpy as np
from builtin_interfaces.msg import Time as TimeMessage
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import Header

from grasp_pose_net.exceptions import MessageError
from grasp_pose_net.world import Array

MOST_POINTS = 30_000_000  # of a view: ten cameras of the finest kind; a copy of more takes seconds
LARGEST_POINT = 65536  # bytes
FOCAL_PX = (1.0, 1e6)  # what a camera can have
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
        MessageError: a field is missing or no floating-point number, ``data`` is shorter than its description, or there are
            more points than anybody needs.
    """
    record = _xyz_record(message)
    shape, strides = (message.height, message.width), (message.row_step, message.point_step)
    if 0 in shape:
        return np.empty((0, 3), np.float32)
    needed = strides[0] * (shape[0] - 1) + strides[1] * shape[1]
    if strides[0] < strides[1] * shape[1] or len(message.data) < needed:
        raise MessageError(
            f"cloud of {shape[1]} x {shape[0]} points of {strides[1]} bytes (row_step {strides[0]}) does not fit into "
            f"{len(message.data)} bytes of data; was it cut off?"
        )
    _check_count(shape[0] * shape[1], "cloud", "points")
    rows = np.ndarray(shape, record, np.asarray(message.data, np.uint8), strides=strides)
    points = np.empty((message.height * message.width, 3), np.float32)
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # what single precision cannot hold is no measurement either
        for column, name in zip(points.T, "xyz", strict=True):
            column[:] = rows[name].ravel()
    return points


def _xyz_record(message: PointCloud2) -> np.dtype:
    """Where x, y and z are in a point's bytes.

    Raises:
        MessageError: one of them is missing, there twice, no floating-point number, or beyond the point's end.
    """
    fields = [entry for entry in message.fields if entry.name in ("x", "y", "z")]
    if sorted(entry.name for entry in fields) != ["x", "y", "z"]:
        names = ", ".join(entry.name for entry in message.fields[:20]) or "none"
        raise MessageError(f"cloud must have each of the fields x, y, z once; its fields: {names}")
    for entry in fields:
        if entry.datatype not in CLOUD_NUMBERS:
            raise MessageError(
                f"cloud field {entry.name} has datatype {entry.datatype}; expected FLOAT32 (7) or FLOAT64 (8)"
            )
        if entry.offset + int(CLOUD_NUMBERS[entry.datatype][1:]) > min(message.point_step, LARGEST_POINT):
            raise MessageError(
                f"cloud field {entry.name} at byte {entry.offset} is beyond the end of a point of {message.point_step} bytes"
            )
    order = ">" if message.is_bigendian else "<"
    return np.dtype(
        {
            "names": [entry.name for entry in fields],
            "formats": [order + CLOUD_NUMBERS[entry.datatype] for entry in fields],
            "offsets": [entry.offset for entry in fields],
        }
    )


def _check_count(count: int, what: str, of: str) -> None:
    if count > MOST_POINTS:
        raise MessageError(f"{what} has {count} {of}, at most {MOST_POINTS} are taken; publish fewer")


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
        MessageError: another encoding, an image cut off, or a camera info without focal length or of another size.
    """
    if image.encoding not in DEPTH_ENCODINGS:
        raise MessageError(
            f"depth image has encoding {image.encoding!r}; expected one of {', '.join(DEPTH_ENCODINGS)}"
        )
    number, unit = DEPTH_ENCODINGS[image.encoding]
    size = np.dtype(number).itemsize
    if not image.width or not image.height:
        raise MessageError(f"depth image of {image.width} x {image.height} pixels has none")
    if image.step < size * image.width or len(image.data) < image.step * image.height:
        raise MessageError(
            f"depth image of {image.width} x {image.height} pixels (step {image.step}, {image.encoding}) does not fit into "
            f"{len(image.data)} bytes of data; was it cut off?"
        )
    _check_count(image.width * image.height, "depth image", "pixels")
    if (info.width, info.height) != (image.width, image.height):
        raise MessageError(
            f"camera info is of {info.width} x {info.height} pixels, the depth image of {image.width} x {image.height}; "
            "is it another camera's?"
        )
    fx, fy, cx, cy = _intrinsics(info)
    form = np.dtype((">" if image.is_bigendian else "<") + number)
    shape, strides = (image.height, image.width), (image.step, size)
    depth = np.ndarray(shape, form, np.asarray(image.data, np.uint8), strides=strides).astype(np.float32)
    depth *= np.float32(unit)
    depth[~((depth > 0) & np.isfinite(depth))] = np.nan
    x = (np.arange(image.width, dtype=np.float32) - np.float32(cx)) / np.float32(fx)
    y = (np.arange(image.height, dtype=np.float32) - np.float32(cy)) / np.float32(fy)
    with np.errstate(over="ignore"):  # a depth of 1e38 m is no measurement
        return np.stack([x * depth, y[:, None] * depth, depth], -1).reshape(-1, 3)


def _intrinsics(info: CameraInfo) -> tuple[float, float, float, float]:
    """Focal lengths and principal point of a rectified image [px]: of ``p``, of ``k`` where a driver leaves ``p`` empty.

    Raises:
        MessageError: the camera is not calibrated, its numbers are none, or the image is a part or a binning of another.
    """
    shift = (info.p[3], info.p[7]) if any(info.p) else (0.0, 0.0)
    fx, fy, cx, cy = (info.p[i] for i in (0, 5, 2, 6)) if any(info.p) else (info.k[i] for i in (0, 4, 2, 5))
    if not all(FOCAL_PX[0] <= focal <= FOCAL_PX[1] for focal in (fx, fy)):  # false for NaN, too
        raise MessageError(
            f"camera info has focal lengths of {fx:g} and {fy:g} px in {'p' if any(info.p) else 'k'}; calibrate the camera"
        )
    if not (abs(cx) <= FOCAL_PX[1] and abs(cy) <= FOCAL_PX[1]):
        raise MessageError(
            f"camera info has its principal point at ({cx:g}, {cy:g}) px; calibrate the camera"
        )
    if shift != (0.0, 0.0):
        raise MessageError(
            f"camera info has p[3] {shift[0]:g} and p[7] {shift[1]:g}: a depth image has to be the first camera's of a pair"
        )
    if info.binning_x > 1 or info.binning_y > 1 or info.roi.x_offset or info.roi.y_offset:
        raise MessageError(
            "camera info has binning or a region of interest; publish the whole image, or its own info"
        )
    return fx, fy, cx, cy
