"""Which of the points above the table belong to one object."""

from __future__ import annotations

import numpy as np
import open3d as o3d
from scipy.spatial import cKDTree

from grasp_pose_net.geometry import Array, transform_points
from grasp_pose_net.perception.config import PerceptionConfig
from grasp_pose_net.perception.table import Table
from grasp_pose_net.perception.views import Surface, cell_index, cell_means

CLUSTER_CELL_M = 0.005
MIN_NEIGHBOURS = 3
FLOATING_M = 0.02  # what ends higher above the table than this must rest on something
SUPPORT_M = 0.03  # ... which is no farther away than this


def cluster(seen: Surface, table: Table, config: PerceptionConfig) -> tuple[list[Surface], list[str]]:
    """Objects as parts of a surface, the one with most samples first, and why the other parts are none."""
    index, _ = cell_index(seen.points, CLUSTER_CELL_M)
    thin = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(cell_means(seen.points, CLUSTER_CELL_M)))
    label = np.array(thin.cluster_dbscan(config.cluster_gap_m, MIN_NEIGHBOURS))[index]
    label = grounded(seen.points, label, config.min_object_points)
    parts, rejected, small = [], [], 0
    for number in np.argsort(-np.bincount(label[label >= 0])) if (label >= 0).any() else []:
        part = seen.part(label == number)
        if len(part.points) < config.min_object_points:
            small += 1
            continue
        if reason := _wrong_size(float(np.ptp(part.points, axis=0).max()), config):
            place = transform_points(table.T_world_table, part.points.mean(0))
            rejected.append(f"{len(part.points)} points around {np.round(place, 3).tolist()} m: {reason}")
        else:
            parts.append(part)
    if small:
        rejected.append(
            f"{small} cluster(s) of fewer than {config.min_object_points} points (min_object_points)"
        )
    return parts, rejected


def grounded(points: Array, label: np.ndarray, min_points: int) -> np.ndarray:
    """Labels (N,) in which what would float belongs to what it rests on: nobody sees a jar's waist below its belly.

    Args:
        points: (N, 3) [m], table frame.
        label: (N,) cluster of each point, negative for none; not modified.
        min_points: clusters with fewer points carry nothing.
    """
    label = label.copy()
    numbers, sizes = np.unique(label[label >= 0], return_counts=True)
    lowest = {number: points[label == number, 2].min() for number in numbers[sizes >= min_points]}
    for number in sorted(lowest, key=lowest.__getitem__):
        below = np.isin(label, [other for other, z in lowest.items() if z < lowest[number]])
        if lowest[number] < FLOATING_M or not below.any():
            continue
        distance, nearest = cKDTree(points[below]).query(points[label == number])
        if distance.min() < SUPPORT_M:
            label[label == number] = label[below][nearest[distance.argmin()]]
    return label


def _wrong_size(longest: float, config: PerceptionConfig) -> str:
    if longest < config.min_object_m:
        return f"{longest * 1000:.0f} mm long, too small (min_object_m {config.min_object_m})"
    if longest > config.max_object_m:
        return f"{longest * 1000:.0f} mm long, too large (max_object_m {config.max_object_m})"
    return ""
