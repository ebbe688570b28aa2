"""Depth cameras around the table: where they are, what a pixel sees, and the point cloud of a depth image.

Optical frames follow REP-103: z forward, x right, y down. A depth is the z coordinate there, not the
distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.world import Array

DepthImage = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class CameraConfig(Settings):
    """Depth cameras on a ring around the table centre, looking at it; defaults as in the scan protocol."""

    names: tuple[str, ...] = setting(
        ("camera_1", "camera_2", "camera_3", "camera_4"), doc="one camera each, evenly around the table"
    )
    width_px: int = setting(640, 16, 1920, "image width")
    height_px: int = setting(480, 16, 1080, "image height")
    horizontal_fov_deg: float = setting(58.0, 10, 120, "horizontal field of view")
    distance_m: float = setting(0.7, 0.3, 3.0, "distance from the centre of the table top")
    elevation_deg: float = setting(40.0, 5, 85, "angle above the table top")
    azimuth_deg: float = setting(45.0, -360.0, 360.0, "direction of the first camera, from world x towards y")
    range_m: float = setting(2.0, 0.1, 10.0, "depths beyond are invalid")
    noise: bool = setting(True, doc="add the depth noise of a structured-light camera")
    position_error_m: float = setting(0.002, 0.0, 0.1, "largest error of a published camera position")
    rotation_error_deg: float = setting(0.3, 0.0, 10.0, "largest error of a published camera direction")

    @property
    def focal_px(self) -> float:
        """Focal length in pixels, the same along both axes."""
        return self.width_px / 2 / np.tan(np.deg2rad(self.horizontal_fov_deg) / 2)

    @property
    def vertical_fov_rad(self) -> float:
        """Vertical field of view."""
        return 2 * np.arctan(self.height_px / 2 / self.focal_px)


def optical_frame(camera: str) -> str:
    """Name of a camera's optical frame."""
    return f"{camera}_optical"


def camera_ring(config: CameraConfig, centre: Array) -> dict[str, Array]:
    """Nominal poses ``T_world_optical`` of all cameras by name.

    Args:
        config: cameras.
        centre: (3,) the point they look at [m], world frame.
    """
    poses = {}
    elevation = np.deg2rad(config.elevation_deg)
    for i, name in enumerate(config.names):
        azimuth = np.deg2rad(config.azimuth_deg) + 2 * np.pi * i / len(config.names)
        outwards = np.array(
            [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
        )
        poses[name] = look_at(centre + config.distance_m * outwards, centre)
    return poses


def look_at(eye: Array, target: Array) -> Array:
    """``T_world_optical`` of an upright camera at ``eye`` (3,) [m] that looks at ``target`` (3,) [m]."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    T_world_optical = np.eye(4)
    T_world_optical[:3, :3] = np.column_stack([right, np.cross(forward, right), forward])
    T_world_optical[:3, 3] = eye
    return T_world_optical


def miscalibrated(T_world_optical: Array, config: CameraConfig, rng: np.random.Generator) -> Array:
    """Where a camera really is that a calibration reports at ``T_world_optical``."""
    T_nominal_true = np.eye(4)
    T_nominal_true[:3, 3] = rng.uniform(0, config.position_error_m) * _direction(rng)
    angle = rng.uniform(0, np.deg2rad(config.rotation_error_deg))
    T_nominal_true[:3, :3] = Rotation.from_rotvec(angle * _direction(rng)).as_matrix()
    return T_world_optical @ T_nominal_true


@lru_cache
def rays(config: CameraConfig) -> NDArray[np.float32]:
    """Optical-frame point at depth 1 m of each pixel's centre, (H, W, 3), read-only."""
    u = (np.arange(config.width_px) + 0.5 - config.width_px / 2) / config.focal_px
    v = (np.arange(config.height_px) + 0.5 - config.height_px / 2) / config.focal_px
    x, y = np.meshgrid(u, v)
    points = np.stack([x, y, np.ones_like(x)], -1).astype(np.float32)
    points.setflags(write=False)
    return points


def depth_to_cloud(depth: DepthImage, config: CameraConfig) -> NDArray[np.float32]:
    """Points (N, 3) [m] of the valid pixels of a depth image (H, W) [m; NaN is invalid], optical frame."""
    valid = np.isfinite(depth)
    return rays(config)[valid] * depth[valid, None]


def _direction(rng: np.random.Generator) -> Array:
    vector = rng.standard_normal(3)
    return vector / np.linalg.norm(vector)
