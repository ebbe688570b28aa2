"""What stands on the table and is not to be grasped: a box around it, and the reason."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from grasp_pose_net.perception.clusters import FLOATING_M
from grasp_pose_net.perception.config import PerceptionConfig
from grasp_pose_net.perception.table import Table
from grasp_pose_net.perception.views import Surface
from grasp_pose_net.world import Array, Box, Part, SceneObject, make_transform, transform_points

CUT_M = 0.005  # what is seen this close to the end of the workspace goes on beyond it
CUT_POINTS = 5  # fewer are noise
OVERHANG_M = 0.015  # what is seen this far beyond the table's edge is cut off a little farther out
SILHOUETTE_CELL_M = 0.004
MIN_BODY_M = 0.012  # a body is at least this thick to each side of its middle: handles and spouts are none
THINNEST_M = 1e-4  # what is seen as a plane is a box nevertheless
NECK_RATIO = 0.7  # two bodies are joined by less than this part of the smaller one


def boxed(name: str, points_world: Array, table: Table, why: str) -> SceneObject:
    """Box around points (N, 3) [m], axes parallel to the world's, down to the height of the table."""
    low, high = points_world.min(0), points_world.max(0)
    low[2] = min(low[2], table.T_world_table[2, 3])
    parts = (Part(Box(np.maximum(high - low, THINNEST_M))),)
    return SceneObject(name, make_transform((low + high) / 2), parts, reason=why)


def why_not(part: Surface, table: Table, config: PerceptionConfig) -> str:
    """Why a cluster in the table frame is not to be grasped, and what to do; empty where it is."""
    points_world = transform_points(table.T_world_table, part.points)
    longest, lowest = float(np.ptp(part.points, axis=0).max()), float(part.points[:, 2].min())
    low, high = np.array(config.workspace_min), np.array(config.workspace_max)
    cut = ((points_world < low + CUT_M)[:, :2].any(1) | (points_world > high - CUT_M).any(1)).sum()
    over = (np.abs(part.points[:, :2]) > table.size[:2] / 2 + OVERHANG_M).any(1).sum()
    away = float(np.linalg.norm((points_world.min(0) + points_world.max(0)) / 2 - config.reach_centre))
    if cut >= CUT_POINTS:
        return "is cut off by the end of the workspace; move it, or widen workspace_min and workspace_max"
    if over >= CUT_POINTS:
        return "hangs over the edge of the table that the cameras see; move it inwards"
    if longest < config.min_object_m:
        return f"is {longest * 1000:.0f} mm long, too small (min_object_m {config.min_object_m})"
    if longest > config.max_object_m:
        return f"is {longest * 1000:.0f} mm long, too large (max_object_m {config.max_object_m})"
    if lowest > FLOATING_M:
        return f"floats {lowest * 1000:.0f} mm above the table; is it held, or part of the robot?"
    if 0 < config.max_reach_m < away:
        return f"is outside reach: {away:.2f} m from {config.reach_centre} (max_reach_m {config.max_reach_m})"
    return ""


def may_be_several(points: Array) -> bool:
    """Whether an object (N, 3), seen from above, is two bodies or more that are joined by a neck.

    Objects that touch cannot be told from one of the same shape: a dumbbell has a neck, too, and two boxes side by side
    have none.
    """
    cell = ((points[:, :2] - points[:, :2].min(0)) / SILHOUETTE_CELL_M).astype(int) + 3
    seen = np.zeros(cell.max(0) + 4, bool)
    seen[cell[:, 0], cell[:, 1]] = True
    filled = ndimage.binary_fill_holes(seen)
    depth = ndimage.distance_transform_edt(filled) * SILHOUETTE_CELL_M
    for neck in np.arange(SILHOUETTE_CELL_M, depth.max(), SILHOUETTE_CELL_M / 2):
        label, count = ndimage.label(depth > neck)
        bodies = ndimage.maximum(depth, label, np.arange(1, count + 1)) if count > 1 else np.zeros(1)
        if (np.asarray(bodies) >= max(neck / NECK_RATIO, MIN_BODY_M)).sum() > 1:
            return True
    return False
