"""Settings of perception; the ROS parameters of the node are made from the same fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def _setting(default: Any, doc: str, low: float | None = None, high: float | None = None) -> Any:
    """Field with a description and, where given, its allowed range."""
    metadata: dict[str, Any] = {"doc": doc}
    if low is not None:
        metadata["range"] = (low, high)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class PerceptionConfig:
    """How depth views become objects; lengths in metres, world frame with z up."""

    workspace_min: tuple[float, float, float] = _setting(
        (-0.5, -0.5, -0.1), "lowest corner of the box of the world frame that is looked at [m]"
    )
    workspace_max: tuple[float, float, float] = _setting((0.5, 0.5, 0.6), "highest corner of that box [m]")
    min_views: int = _setting(1, "fewer usable views than this refuse the capture", 1, 64)
    voxel_m: float = _setting(
        0.0025, "points of one view are averaged in cells of this side [m]", 0.0005, 0.02
    )
    max_table_tilt_rad: float = _setting(0.17, "a plane steeper than this is no table [rad]", 0.0, 0.8)
    table_band_m: float = _setting(
        0.004, "points up to this high above the plane belong to the table [m]", 0.0005, 0.03
    )
    table_thickness_m: float = _setting(
        0.04, "thickness of the table's box, down from the plane [m]", 0.001, 2.0
    )
    max_align_m: float = _setting(
        0.01,
        "a view is moved by at most this to agree with the others; 0 trusts the calibration [m]",
        0.0,
        0.05,
    )
    cluster_gap_m: float = _setting(0.012, "objects closer together than this become one [m]", 0.002, 0.1)
    min_object_m: float = _setting(
        0.015, "a cluster whose longest side is below this is no object [m]", 0.0, 0.2
    )
    max_object_m: float = _setting(
        0.4, "a cluster whose longest side is above this is no object [m]", 0.05, 2.0
    )
    reach_centre: tuple[float, float, float] = _setting(
        (0.0, 0.0, 0.0), "where reach is measured from, the robot's shoulder [m]"
    )
    max_reach_m: float = _setting(
        0.0, "an object whose middle is farther away than this cannot be grasped; 0: not asked [m]", 0.0, 10.0
    )
    max_view_points: int = _setting(
        2_000_000, "a view with more points is thinned evenly to at most this many", 1000, 100_000_000
    )
    min_object_points: int = _setting(60, "a cluster with fewer cells of voxel_m is no object", 4, 100000)
    max_faces: int = _setting(4000, "meshes are simplified down to this many triangles", 100, 100000)

    def __post_init__(self) -> None:
        """Check what ranges cannot say."""
        if any(low >= high for low, high in zip(self.workspace_min, self.workspace_max, strict=True)):
            raise ValueError(
                f"workspace_min {self.workspace_min} must be below workspace_max {self.workspace_max}"
            )
        if self.min_object_m >= self.max_object_m:
            raise ValueError(
                f"min_object_m {self.min_object_m} must be below max_object_m {self.max_object_m}"
            )
        positive = ("voxel_m", "table_band_m", "table_thickness_m", "cluster_gap_m", "min_views", "max_faces")
        for name in positive:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")
