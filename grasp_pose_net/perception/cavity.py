"""What no camera sees of an open vessel: the inside beyond what can be seen through its mouth.

Cameras look into a cup down to where its rim is in the way. There, what was seen through ends at a shadow, not at a
surface, and that a surface should lie right in the edge of a shadow would be a coincidence. So the hidden inside of a
thing is taken as hollow where a good part of its boundary is such an edge between walls: down to walls and a floor as
thick as the wall is where both its sides were seen. Of other things, shadows touch little of the hidden inside: cans,
boxes and toys have 0 to 6 % (210 objects of the training split), cups, pots and pitchers 8 to 19 %, upright and lying.
What stands upside down shows nothing of its inside and stays solid.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from grasp_pose_net.perception.freespace import DepthImage, most_free
from grasp_pose_net.perception.poisson import Volume
from grasp_pose_net.perception.views import Surface
from grasp_pose_net.world import Array

STEP = 2  # cells of the volume to one in which this is decided: no gaps between samples
FREE_M = 0.003  # by how much a camera must have seen past a place; noise of a cell's nearest measurement
MOUTH_RATIO = 0.075  # of a hidden part's boundary; see above
MIN_RATIO = 0.02  # of the object; less is not worth it
MOST_SAMPLES = 1000  # of which thickness is measured
THICKNESSES_M = np.arange(0.003, 0.022, 0.003)  # at which the other side of a wall is looked for
# a sample this close to the place, facing the other way by this cosine, is it
NEAR_M, OTHER_SIDE = 0.004, 0.7


def without_cavity(
    volume: Volume, seen: Surface, foot: Array, images: Sequence[DepthImage], min_wall_m: float
) -> Volume:
    """A volume without the hidden inside of an open vessel.

    Args:
        volume: positive inside the object, in metres near its surface; table frame, table at z = 0.
        seen: samples of the object.
        foot: (M, 3) where it stands on the table [m].
        images: what each camera saw through.
        min_wall_m: walls are at least this thick.
    """
    hidden = np.nonzero(_hollow(volume, seen, foot, images) & (volume.values > 0))
    if len(hidden[0]) == 0:
        return volume
    wall = max(wall_thickness(seen), min_wall_m)
    far = wall + 2 * volume.spacing
    places = np.column_stack(hidden) * volume.spacing + volume.origin
    away = cKDTree(np.vstack([seen.points, foot])).query(places, distance_upper_bound=far)[0]
    values = volume.values.copy()
    values[hidden] = np.minimum(values[hidden], wall - np.minimum(away, far))
    return Volume(values, volume.origin, volume.spacing)


def _hollow(volume: Volume, seen: Surface, foot: Array, images: Sequence[DepthImage]) -> np.ndarray:
    """Mask of the volume: hidden parts with a mouth, and the cells around them."""
    spacing = STEP * volume.spacing
    solid = volume.values[::STEP, ::STEP, ::STEP] > 0

    def cells(points: Array) -> tuple[np.ndarray, ...]:
        index = np.rint((points - volume.origin) / spacing).astype(int)
        return tuple(np.clip(index, 0, np.array(solid.shape) - 1).T)

    surface, footed = np.zeros((2, *solid.shape), bool)
    surface[cells(seen.points)] = True
    footed[cells(foot)] = True
    free = np.zeros(solid.shape, bool)
    open_cells = np.nonzero(~surface)
    free[open_cells] = most_free(images, np.column_stack(open_cells) * spacing + volume.origin) > FREE_M
    enclosing = [_between(surface, 0), _between(surface, 1), _between(surface | footed, 2)]
    enclosed = np.sum(enclosing, axis=0) >= 2  # a cup has two walls across, or one and its floor or the table
    part, count = ndimage.label((solid | enclosed) & ~surface & ~free)
    mouth, boundary = np.zeros((2, count + 1))
    for axis in range(3):
        for step in (1, -1):  # no part reaches the volume's border
            outer = (part > 0) & (np.roll(part, step, axis) != part)
            boundary += np.bincount(part[outer], minlength=count + 1)
            mouth += np.bincount(part[outer & np.roll(enclosed & free, step, axis)], minlength=count + 1)
    hollow = mouth >= MOUTH_RATIO * np.maximum(boundary, 1)
    hollow &= np.bincount(part.ravel(), minlength=count + 1) >= MIN_RATIO * solid.sum()
    hollow[0] = False
    if not hollow.any():
        return np.zeros(volume.values.shape, bool)
    mask = ndimage.binary_dilation(hollow[part], np.ones((3, 3, 3), bool))
    for axis, size in enumerate(volume.values.shape):
        mask = np.take(mask, np.arange(size) // STEP, axis)
    return mask


def _between(surface: np.ndarray, axis: int) -> np.ndarray:
    """Cells with surface on both sides of them along an axis."""
    before = np.maximum.accumulate(surface, axis)
    return before & np.flip(np.maximum.accumulate(np.flip(surface, axis), axis), axis)


def wall_thickness(seen: Surface) -> float:
    """Median thickness [m] of walls of which both sides are seen, 0 where there are none."""
    tree = cKDTree(seen.points)
    step = -(-len(seen.points) // MOST_SAMPLES)
    points, normals = seen.points[::step], seen.normals[::step]
    thickness = np.full(len(points), np.inf)
    for depth in THICKNESSES_M:
        distance, other = tree.query(points - depth * normals)
        facing = (normals * seen.normals[other]).sum(1)
        measured = ((points - seen.points[other]) * normals).sum(1)
        found = (distance < NEAR_M) & (facing < -OTHER_SIDE)
        thickness[found] = np.minimum(thickness, measured)[found]
    known = thickness[np.isfinite(thickness)]
    return float(np.median(known)) if len(known) else 0.0
