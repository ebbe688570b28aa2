"""Which of the points above the table belong to one object."""

from __future__ import annotations

import numpy as np
import open3d as o3d
from scipy.spatial import ConvexHull, QhullError, cKDTree

from grasp_pose_net.perception.config import PerceptionConfig
from grasp_pose_net.perception.views import Surface, cell_index, cell_means
from grasp_pose_net.world import Array

CLUSTER_CELL_M = 0.005
MIN_NEIGHBOURS = 3
FLOATING_M = 0.02  # what ends higher above the table than this must rest on something
SUPPORT_M = 0.03  # ... which is no farther away than this
FRAGMENT_RATIO = 0.15  # of the points of a cluster: a smaller one within its outline is a piece of it


def cluster(seen: Surface, config: PerceptionConfig) -> tuple[list[Surface], str]:
    """Connected parts of a surface in the table frame, the one with most samples first, and a note on the small ones."""
    index = cell_index(seen.points, CLUSTER_CELL_M)
    thin = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(cell_means(seen.points, CLUSTER_CELL_M)))
    label = np.array(thin.cluster_dbscan(config.cluster_gap_m, MIN_NEIGHBOURS))[index]
    label = grounded(seen.points, label, config.min_object_points)
    label = whole(seen.points, label, 2 * config.cluster_gap_m)
    count = np.bincount(label[label >= 0])
    parts = [seen.part(label == number) for number in np.argsort(-count, kind="stable")]
    large = [part for part in parts if len(part.points) >= config.min_object_points]
    small = len(parts) - len(large) - (count == 0).sum()
    note = f"{small} cluster(s) of fewer than {config.min_object_points} points (min_object_points)"
    return large, note if small else ""


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


def whole(points: Array, label: np.ndarray, gap_m: float) -> np.ndarray:
    """Labels (N,) in which small pieces belong to the cluster within whose outline, seen from above, they lie.

    Args:
        points: (N, 3) [m], table frame.
        label: (N,) cluster of each point, negative for none; not modified.
        gap_m: largest distance of a piece from its cluster [m].
    """
    label = label.copy()
    numbers, sizes = np.unique(label[label >= 0], return_counts=True)
    for large in np.argsort(-sizes):
        body = points[label == numbers[large]]
        fragments = np.nonzero(sizes < FRAGMENT_RATIO * sizes[large])[0]
        if len(fragments) == 0 or len(body) < 3:
            continue
        try:
            sides = ConvexHull(body[:, :2]).equations  # rows (normal, offset), negative inside
        except QhullError:  # all points on one line
            continue
        tree = cKDTree(body)
        for number in numbers[fragments]:
            piece = points[label == number]
            within = (piece[:, :2] @ sides[:, :2].T + sides[:, 2] < 0).all(1)
            if len(piece) and within.mean() > 0.5 and tree.query(piece)[0].min() < gap_m:
                label[label == number] = numbers[large]
    return label
