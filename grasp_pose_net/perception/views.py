"""Depth views as clouds: into the world, cropped to the workspace, averaged in small cells.

A cell of one view holds one side of a wall only, so views are thinned one by one; cells of different views
are merged only where their normals agree (`merged`). Otherwise the two sides of a thin wall would be averaged
into one sheet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from grasp_pose_net.exceptions import PerceptionError, WorldError
from grasp_pose_net.perception import kernels
from grasp_pose_net.perception.config import PerceptionConfig
from grasp_pose_net.robot.body import Body
from grasp_pose_net.world import Array, rigid_transform, transform_points

T = TypeVar("T")

NORMAL_RADIUS_CELLS = 2.5  # a normal is fitted to neighbours within this many cells
# points seen at more than 78 degrees off their normal are flying pixels or too uncertain
MIN_COS_INCIDENCE = 0.2
DENSE_RADIUS_CELLS, DENSE_NEIGHBOURS = 2.2, 5


@dataclass(frozen=True)
class View:
    """What one depth camera saw.

    Attributes:
        name: the camera, for messages.
        points_camera: (N, 3) [m], camera frame; rows that are not finite are missing measurements.
        T_world_camera: (4, 4) pose of the camera's frame in the world.
        robot: the robot's shapes at the moment of the view, world frame; None: no robot is in the picture.
    """

    name: str
    points_camera: np.ndarray = field(repr=False)
    T_world_camera: Array = field(repr=False)
    robot: Body | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse arrays of another shape, and a pose that is no rotation and translation.

        Raises:
            WorldError: naming the view.
        """
        if self.points_camera.ndim != 2 or self.points_camera.shape[1] != 3:
            raise WorldError(
                f"view {self.name}: points_camera: expected (N, 3), got {self.points_camera.shape}"
            )
        pose = rigid_transform(self.T_world_camera, f"view {self.name}: T_world_camera")
        object.__setattr__(self, "T_world_camera", pose)


@dataclass(frozen=True)
class ViewCloud:
    """Thinned points of one view in some frame a, with the view they come from.

    Attributes:
        view: the view.
        T_a_camera: (4, 4) pose of the camera in frame a; not always ``view.T_world_camera`` moved, see
            ``registration``.
        points: (N, 3) [m], frame a; none of the robot.
        of_robot: how many points were the robot's own.
    """

    view: View
    T_a_camera: Array
    points: Array = field(repr=False)
    of_robot: int = 0

    def moved(self, T_b_a: Array) -> ViewCloud:
        """The same cloud in frame b."""
        points = transform_points(T_b_a, self.points)
        return replace(self, T_a_camera=T_b_a @ self.T_a_camera, points=points)


@dataclass(frozen=True)
class Surface:
    """Samples of a surface.

    Attributes:
        points: (N, 3) [m].
        normals: (N, 3) unit, outward.
    """

    points: Array
    normals: Array

    def moved(self, T_b_a: Array) -> Surface:
        """The same samples in frame b."""
        return Surface(transform_points(T_b_a, self.points), self.normals @ T_b_a[:3, :3].T)

    def part(self, mask: np.ndarray) -> Surface:
        """The samples chosen by a mask (N,)."""
        return Surface(self.points[mask], self.normals[mask])


def side_by_side(function: Callable[..., T], *items: Iterable) -> list[T]:
    """Results of a function for every item, in threads: what it calls works without Python's lock."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(function, *items))


def limited(view: View, most: int) -> tuple[View, str]:
    """A view with at most ``most`` points, evenly chosen, and a note where it had more."""
    count = len(view.points_camera)
    if count <= most:
        return view, ""
    step = -(-count // most)
    thin = replace(view, points_camera=view.points_camera[::step])
    note = f"{view.name}: every {step}th of its {count} points is used (max_view_points {most})"
    return thin, note


def crop_views(
    views: Sequence[View], config: PerceptionConfig, left_out: Mapping[str, str]
) -> tuple[list[ViewCloud], dict[str, str]]:
    """Views in the world, cropped to the workspace, thinned, and without the robot.

    Args:
        views: the views.
        config: settings.
        left_out: reasons of views that are missing already.

    Returns:
        The usable clouds, and for each view left out its name and the reason.

    Raises:
        PerceptionError: fewer usable views than ``config.min_views``.
    """
    clouds, left_out = [], dict(left_out)
    for cloud in side_by_side(lambda view: _workspace_cloud(view, config), views):
        if len(cloud.points):
            clouds.append(cloud)
        else:
            left_out[cloud.view.name] = _why_empty(cloud, config)
    if len(clouds) < max(config.min_views, 1):
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out.items()) or "no view was given"
        raise PerceptionError(
            f"{config.min_views} view(s) of the table are needed, {len(clouds)} usable ({reasons})"
        )
    return clouds, left_out


def _workspace_cloud(view: View, config: PerceptionConfig) -> ViewCloud:
    """Points of a view inside the workspace, thinned, world frame.

    The robot is taken out of them alone: in the view's own points it still hides what is behind it.
    """
    raw = np.ascontiguousarray(view.points_camera, np.float32)
    T_world_camera = np.array(view.T_world_camera, float)
    low, high = np.array(config.workspace_min), np.array(config.workspace_max)
    points: Array = kernels.within(raw, T_world_camera, low, high)
    if len(points) == 0:
        return ViewCloud(view, T_world_camera, points)
    points = cell_means(points, config.voxel_m)
    if view.robot is None:
        return ViewCloud(view, T_world_camera, points)
    apart = kernels.apart(points, *view.robot, config.robot_margin_m)
    return ViewCloud(view, T_world_camera, points[apart], int((~apart).sum()))


def _why_empty(cloud: ViewCloud, config: PerceptionConfig) -> str:
    view = cloud.view
    if cloud.of_robot:
        return f"all that it shows of the workspace is the robot, within robot_margin_m {config.robot_margin_m:g}; move it away"
    if len(view.points_camera) == 0:
        return "the cloud is empty"
    finite = np.isfinite(view.points_camera).all(1)
    if not finite.any():
        return f"none of its {len(finite)} points is a finite number; is anything within the camera's range?"
    middle = view.points_camera[finite].mean(0) @ view.T_world_camera[:3, :3].T + view.T_world_camera[:3, 3]
    return (
        f"none of its {finite.sum()} points lies in the workspace {config.workspace_min} to "
        f"{config.workspace_max} (their middle is {np.round(middle, 2).tolist()}); check the camera's pose, "
        f"workspace_min and workspace_max"
    )


def cell_index(points: Array, cell_m: float, group: np.ndarray | None = None) -> np.ndarray:
    """Number of each point's cell (N,), from 0 without gaps; ``group`` (N,) of 0 to 7 splits cells."""
    return kernels.cell_index(points, cell_m, np.zeros(len(points), int) if group is None else group, 8)


def cell_means(points: Array, cell_m: float) -> Array:
    """Mean of the points in each occupied cell of side ``cell_m``: (M, 3)."""
    index = cell_index(points, cell_m)
    count = np.bincount(index)
    return np.stack([np.bincount(index, column) for column in points.T], axis=1) / count[:, None]


def oriented(points: Array, eye: Array, cell_m: float) -> Surface:
    """Surface of a thinned view (N, 3), normals towards its ``eye`` (3,).

    Left out are stray points, and what was seen edge-on, where pixels fly.
    """
    if len(points) == 0:
        return Surface(np.empty((0, 3)), np.empty((0, 3)))
    normals, near = kernels.normals(points, NORMAL_RADIUS_CELLS * cell_m, DENSE_RADIUS_CELLS * cell_m)
    ray = eye - points
    cos = (normals * ray).sum(1) / np.linalg.norm(ray, axis=1)
    normals *= np.sign(cos)[:, None]
    return Surface(points, normals).part((near >= DENSE_NEIGHBOURS) & (np.abs(cos) > MIN_COS_INCIDENCE))


def merged(parts: Sequence[Surface], cell_m: float) -> Surface:
    """Surfaces of several views as one, averaged per cell and octant of the normal."""
    points, normals = np.vstack([p.points for p in parts]), np.vstack([p.normals for p in parts])
    if len(points) == 0:
        return Surface(points, normals)
    octant = (normals > 0) @ np.array([1, 2, 4])
    index = cell_index(points, cell_m, octant)
    count = np.bincount(index)
    mean = np.stack([np.bincount(index, c) for c in np.hstack([points, normals]).T], axis=1) / count[:, None]
    return Surface(mean[:, :3], mean[:, 3:] / np.linalg.norm(mean[:, 3:], axis=1, keepdims=True))
