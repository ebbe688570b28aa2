"""From the seen points of one object to a closed mesh, in the table frame (table top at z = 0, z up)."""

from __future__ import annotations

import fast_simplification
import numpy as np
import trimesh
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError, cKDTree

from grasp_pose_net.exceptions import PerceptionError
from grasp_pose_net.geometry import Array
from grasp_pose_net.perception.freespace import DepthImage, most_free
from grasp_pose_net.perception.poisson import Volume, isosurface, poisson, solid
from grasp_pose_net.perception.views import Surface

SMOOTH_CELLS = 1.2  # standard deviation of the Poisson smoothing; noise after averaging is below half a cell
AREA_RADIUS_CELLS = 2.5  # a sample's area is taken from the samples of its own side within this radius
CARVED_SMOOTH_CELLS = 0.8  # what a camera saw through ends in steps of its pixels
FREE_MARGIN_M = 0.005
FOOT_CELL_M = 0.003  # the underside is closed in cells of this side
OWN_SIDE = 0.3  # cosine between the normals of two samples of one side of a wall
OTHER_SIDE = 0.7  # minus the cosine between the normals of samples of its two sides
MIN_WALL_M, WALL_RADIUS_M = 0.005, 0.008


def closed_mesh(seen: Surface, table_points: Array, images: list[DepthImage], voxel_m: float, max_faces: int) -> trimesh.Trimesh:
    """Watertight mesh with outward normals from what the cameras saw of an object that stands on the table.

    Args:
        seen: samples above the table, table frame.
        table_points: (M, 2) places where the table's top was seen [m], table frame.
        voxel_m: distance of the samples [m].
        max_faces: the mesh has at most about this many triangles.

    Raises:
        PerceptionError: the samples enclose no volume.
    """
    seen = thickened(seen)
    foot = footprint(seen.points, table_points)
    points = np.vstack([seen.points, foot])
    normals = np.vstack([seen.normals, np.tile([0.0, 0.0, -1.0], (len(foot), 1))])
    areas = np.concatenate([sample_areas(seen, voxel_m), np.full(len(foot), FOOT_CELL_M**2)])
    volume = poisson(points, normals, areas, voxel_m, SMOOTH_CELLS * voxel_m)
    values = ndimage.gaussian_filter(carved(volume, images).values, CARVED_SMOOTH_CELLS)
    values = np.minimum(values, volume.axis(2))  # nothing reaches below the table
    vertices, faces = isosurface(solid(Volume(values, volume.origin, volume.spacing)))
    if len(faces) == 0:
        raise PerceptionError(f"the {len(seen.points)} points of the object enclose no volume; more views are needed")
    return simplified(trimesh.Trimesh(vertices, faces), max_faces)


def carved(volume: Volume, images: list[DepthImage]) -> Volume:
    """A volume without what a camera saw through, with values of at most two cells."""
    values = np.clip(volume.values, -2 * volume.spacing, 2 * volume.spacing)
    cells = np.nonzero(values > -volume.spacing)
    points = np.column_stack(cells) * volume.spacing + volume.origin
    room = np.maximum(FREE_MARGIN_M - most_free(images, points), -2 * volume.spacing)
    values[cells] = np.minimum(values[cells], room)
    return Volume(values, volume.origin, volume.spacing)


def thickened(seen: Surface) -> Surface:
    """Samples moved outwards where the two sides of a wall lie closer than MIN_WALL_M, until they are so far apart.

    Noise would mix the sides of a thinner wall and tear holes into it, and the 5 mm cells of the occupancy grid miss it.
    """
    pairs = cKDTree(seen.points).query_pairs(WALL_RADIUS_M, output_type="ndarray")
    n, p = seen.normals, seen.points
    opposite = pairs[(n[pairs[:, 0]] * n[pairs[:, 1]]).sum(1) < -OTHER_SIDE]
    a, b = np.vstack([opposite, opposite[:, ::-1]]).T
    thickness = ((p[a] - p[b]) * n[a]).sum(1)
    count = np.maximum(np.bincount(a, minlength=len(p)), 1)
    missing = np.bincount(a, np.clip(MIN_WALL_M - thickness, 0.0, 2 * MIN_WALL_M), minlength=len(p)) / count
    return Surface(p + n * missing[:, None] / 2, n)


def sample_areas(seen: Surface, voxel_m: float) -> Array:
    """Surface (N,) that each sample stands for [m²]: a disc's area, shared by the samples in it on the same side."""
    radius = AREA_RADIUS_CELLS * voxel_m
    pairs = cKDTree(seen.points).query_pairs(radius, output_type="ndarray")
    same = (seen.normals[pairs[:, 0]] * seen.normals[pairs[:, 1]]).sum(1) > OWN_SIDE
    neighbours = 1 + np.bincount(pairs[same].ravel(), minlength=len(seen.points))
    return np.pi * radius**2 / neighbours


def footprint(points: Array, table_points: Array) -> Array:
    """Points (F, 3) of the table under an object: where no camera saw the table, within the object's outline.

    Args:
        points: (N, 3) seen points of the object [m], table frame.
        table_points: (M, 2) places where the table was seen [m].
    """
    low = points[:, :2].min(0)
    shape = tuple(np.ceil(np.ptp(points[:, :2], axis=0) / FOOT_CELL_M).astype(int) + 1)
    near = np.floor((table_points - low) / FOOT_CELL_M).astype(int)
    near = near[((near >= 0) & (near < shape)).all(1)]
    seen = np.zeros(shape, bool)
    seen[near[:, 0], near[:, 1]] = True
    # one missing measurement is no hole in the table's top
    seen = ndimage.binary_closing(np.pad(seen, 2), np.ones((3, 3)))[2:-2, 2:-2]
    cells = np.argwhere(~seen & _outline(points[:, :2], low, shape))
    return np.column_stack([low + (cells + 0.5) * FOOT_CELL_M, np.zeros(len(cells))])


def _outline(flat: Array, low: Array, shape: tuple[int, ...]) -> np.ndarray:
    """Mask of the cells whose centre lies in the convex hull of points (N, 2)."""
    centres = low + (np.argwhere(np.ones(shape, bool)) + 0.5) * FOOT_CELL_M
    try:
        sides = ConvexHull(flat).equations  # rows (normal, offset), negative inside
    except QhullError:  # all points on one line
        return np.zeros(shape, bool)
    return (centres @ sides[:, :2].T + sides[:, 2] < 0).all(1).reshape(shape)


def simplified(mesh: trimesh.Trimesh, max_faces: int) -> trimesh.Trimesh:
    """The mesh with at most ``max_faces`` triangles; unchanged where simplifying would open it."""
    if len(mesh.faces) <= max_faces:
        return mesh
    vertices, faces = fast_simplification.simplify(
        np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32), target_count=max_faces
    )
    small = trimesh.Trimesh(vertices.astype(float), faces)
    return small if small.is_watertight and small.volume > 0 else mesh
