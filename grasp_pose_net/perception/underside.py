"""What no camera sees: where an object stands on the table.

Cells of the table's top within the object's outline are looked at one by one. A cell where the table itself
was seen is free. A cell where nothing was seen is under the object, and the object is closed there on the
plane. A patch that was seen a little above the plane is the object's own floor (the inside of a bowl, too low
to be told from noise elsewhere), with the plane below it.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from grasp_pose_net.perception.views import Surface
from grasp_pose_net.world import Array

CELL_M = 0.003
LOW_M = 0.01  # an object's points below this may belong to its floor
FLOOR_M = 0.0015  # cells that lie higher on average are a floor: three deviations of a cell of the plane
MIN_FLOOR_M = 0.005  # one cell of the occupancy grid; a thinner floor would be torn by noise
PATCH = np.ones((3, 3), bool)  # what is smaller is noise


def underside(points: Array, top: Array) -> Surface:
    """Samples of an object's underside (normals down) and low floor (up), one for each CELL_M².

    Args:
        points: (N, 3) what was seen of the object [m], table frame.
        top: (M, 3) what was seen within the table's band [m], table frame.
    """
    low = points[:, :2].min(0)
    shape = tuple(np.ceil(np.ptp(points[:, :2], axis=0) / CELL_M).astype(int) + 1)
    height = _mean_height(np.vstack([top, points[points[:, 2] < LOW_M]]), low, shape)
    outline = _outline(points[:, :2], low, shape)
    table = _closed(height <= FLOOR_M)
    floor = ndimage.binary_opening(_closed(height > FLOOR_M) & outline, PATCH) & ~table
    foot = np.argwhere(outline & ~table)
    raised = np.argwhere(floor)
    under = np.column_stack([low + (foot + 0.5) * CELL_M, np.zeros(len(foot))])
    above = np.column_stack([low + (raised + 0.5) * CELL_M, np.fmax(height[floor], MIN_FLOOR_M)])
    normals = np.repeat([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0]], [len(foot), len(raised)], axis=0)
    return Surface(np.vstack([under, above]), normals)


def _closed(mask: np.ndarray) -> np.ndarray:
    """The mask without single holes: a missing measurement is none."""
    closed: np.ndarray = ndimage.binary_closing(np.pad(mask, 2), PATCH)[2:-2, 2:-2]
    return closed


def _mean_height(top: Array, low: Array, shape: tuple[int, ...]) -> Array:
    """Mean z of the points (M, 3) in each cell; NaN where there is none."""
    high = low + np.array(shape) * CELL_M
    x, y = top[:, :2].T
    near = top[(x >= low[0]) & (x < high[0]) & (y >= low[1]) & (y < high[1])]
    cell = np.minimum(((near[:, :2] - low) / CELL_M).astype(int), np.array(shape) - 1)
    flat = cell[:, 0] * shape[1] + cell[:, 1]
    size = shape[0] * shape[1]
    with np.errstate(invalid="ignore"):
        return (np.bincount(flat, near[:, 2], size) / np.bincount(flat, minlength=size)).reshape(shape)


def _outline(flat: Array, low: Array, shape: tuple[int, ...]) -> np.ndarray:
    """Mask of the cells whose centre lies in the convex hull of points (N, 2)."""
    centres = low + (np.argwhere(np.ones(shape, bool)) + 0.5) * CELL_M
    try:
        sides = ConvexHull(flat).equations  # rows (normal, offset), negative inside
    except QhullError:  # all points on one line
        return np.zeros(shape, bool)
    return (centres @ sides[:, :2].T + sides[:, 2] < 0).all(1).reshape(shape)
