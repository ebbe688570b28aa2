"""What no camera sees of an open vessel that stands upright: the lower part of its inside.

Cameras look past the rim down to some depth. There, what was seen through ends at a shadow, not at a surface: no
sample lies between it and the open space above. A floor right at the edge of a shadow would be a coincidence, so
the vessel's inside goes on down to a floor on the table, and to walls within its seen outside, both as thick as
the wall is where its two sides are seen.

What lies on its side, or upside down, has a seen surface above what is hidden, and stays solid.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from grasp_pose_net.geometry import Array
from grasp_pose_net.perception.poisson import Volume
from grasp_pose_net.perception.views import Surface

MIN_RATIO = 0.02  # of an object; less is noise between its samples
MOST_SAMPLES = 1000  # of which thickness is measured
THICKNESSES_M = np.arange(0.003, 0.022, 0.003)  # at which the other side of a wall is looked for
NEAR_M, OTHER_SIDE = (
    0.004,
    0.7,
)  # a sample this close to the place, facing the other way by this cosine, is it
AROUND = np.ones((3, 3, 1), bool)  # samples are at most about a cell apart


def without_cavity(volume: Volume, seen: Surface, foot: Array, min_wall_m: float) -> Volume:
    """A volume without what is hidden inside an open vessel.

    Args:
        volume: positive inside the object, in metres near its surface; table frame, table at z = 0.
        seen: samples of the object.
        foot: (M, 3) where it stands on the table [m].
        min_wall_m: walls are at least this thick.
    """
    covered = np.zeros(volume.values.shape, bool)
    cell = np.rint((seen.points - volume.origin) / volume.spacing).astype(int)
    for step in np.argwhere(AROUND) - [1, 1, 0]:
        covered[tuple((cell + step).T)] = True
    covered = np.maximum.accumulate(covered[:, :, ::-1], axis=2)[:, :, ::-1]  # by a sample here or above
    solid = volume.values > 0
    open_above = solid & ~covered
    if open_above.sum() < MIN_RATIO * solid.sum():
        return volume
    hidden = np.nonzero(ndimage.binary_dilation(open_above, AROUND) & solid)
    wall = max(wall_thickness(seen), min_wall_m)
    places = np.column_stack(hidden) * volume.spacing + volume.origin
    far = wall + 2 * volume.spacing
    away = cKDTree(np.vstack([seen.points, foot])).query(places, distance_upper_bound=far)[0]
    values = volume.values.copy()
    values[hidden] = np.minimum(values[hidden], wall - np.minimum(away, far))
    return Volume(values, volume.origin, volume.spacing)


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
