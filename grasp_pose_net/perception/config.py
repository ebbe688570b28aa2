"""Settings of perception; the ROS parameters of the node are made from the same fields."""

from __future__ import annotations

from dataclasses import dataclass

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.exceptions import ConfigError


@dataclass(frozen=True, kw_only=True)
class PerceptionConfig(Settings):
    """How depth views become objects; lengths in metres, world frame with z up."""

    workspace_min: tuple[float, float, float] = setting(
        (-0.5, -0.5, -0.1), -10.0, 10.0, "lowest corner of the box of the world frame that is looked at [m]"
    )
    workspace_max: tuple[float, float, float] = setting(
        (0.5, 0.5, 0.6), -10.0, 10.0, "highest corner of that box [m]"
    )
    robot_margin_m: float = setting(
        0.015,
        0.0,
        0.1,
        "points this close to the robot's collision shapes are its own, where its description is known [m]",
    )
    min_views: int = setting(1, 1, 64, "fewer usable views than this refuse the capture")
    voxel_m: float = setting(
        0.0025, 0.0005, 0.02, "points of one view are averaged in cells of this side [m]"
    )
    max_table_tilt_rad: float = setting(0.17, 0.0, 0.8, "a plane steeper than this is no table [rad]")
    table_band_m: float = setting(
        0.004, 0.0005, 0.03, "points up to this high above the plane belong to the table [m]"
    )
    table_thickness_m: float = setting(
        0.04, 0.001, 2.0, "thickness of the table's box, down from the plane [m]"
    )
    max_align_m: float = setting(
        0.01,
        0.0,
        0.05,
        "a view is moved by at most this to agree with the others; 0 trusts the calibration [m]",
    )
    cluster_gap_m: float = setting(0.012, 0.002, 0.1, "objects closer together than this become one [m]")
    min_object_m: float = setting(
        0.015, 0.0, 0.2, "a cluster whose longest side is below this is no object [m]"
    )
    max_object_m: float = setting(
        0.4, 0.05, 2.0, "a cluster whose longest side is above this is no object [m]"
    )
    reach_centre: tuple[float, float, float] = setting(
        (0.0, 0.0, 0.0), -10.0, 10.0, "where reach is measured from, the robot's shoulder [m]"
    )
    max_reach_m: float = setting(
        0.0, 0.0, 10.0, "an object whose middle is farther away than this cannot be grasped; 0: not asked [m]"
    )
    max_view_points: int = setting(
        2_000_000, 1000, 100_000_000, "a view with more points is thinned evenly to at most this many"
    )
    min_object_points: int = setting(60, 4, 100000, "a cluster with fewer cells of voxel_m is no object")
    max_faces: int = setting(4000, 100, 100000, "meshes are simplified down to this many triangles")

    def __post_init__(self) -> None:
        """Check what ranges cannot say."""
        super().__post_init__()
        if any(low >= high for low, high in zip(self.workspace_min, self.workspace_max, strict=True)):
            raise ConfigError(
                f"workspace_min {self.workspace_min} must be below workspace_max {self.workspace_max}"
            )
        if self.min_object_m >= self.max_object_m:
            raise ConfigError(
                f"min_object_m {self.min_object_m} must be below max_object_m {self.max_object_m}"
            )
