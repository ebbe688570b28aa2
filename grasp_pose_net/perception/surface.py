"""From the seen points of one object to a closed mesh, in the table frame (table top at z = 0, z up)."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import fast_simplification
import manifold3d
import numpy as np
import trimesh
from scipy import ndimage

from grasp_pose_net.exceptions import PerceptionError
from grasp_pose_net.perception import kernels
from grasp_pose_net.perception.cavity import without_cavity
from grasp_pose_net.perception.freespace import DepthImage, most_free
from grasp_pose_net.perception.poisson import Volume, isosurface, poisson, solid
from grasp_pose_net.perception.underside import CELL_M, underside
from grasp_pose_net.perception.views import Surface
from grasp_pose_net.world import Array

SMOOTH_CELLS = 1.0  # standard deviation of the Poisson smoothing; noise after averaging is below half a cell
PAIR_RADIUS_CELLS = 2.5  # samples this close tell of each other's area and of the wall's thickness
CARVED_SMOOTH_CELLS = 0.5  # what a camera saw through ends in steps of pixels; more smoothing eats thin walls
# noise and what is left of calibration errors; less removes true points, 8 mm is no worse
FREE_MARGIN_M = 0.005
OWN_SIDE = 0.3  # cosine between the normals of two samples of one side of a wall
OTHER_SIDE = 0.7  # minus the cosine between the normals of samples of its two sides
MIN_WALL_M = 0.005  # one cell of the occupancy grid
SEEN_PAST_M = 0.004  # by how much a camera must have seen past the other side; less finds sides that are none
WALL_PROBES_M = (0.005, 0.0075, 0.01, 0.0125, 0.015)  # depths at which a wall's other side is looked for
SIMPLIFIER = Lock()  # fast_simplification keeps its mesh in global variables


def closed_mesh(
    seen: Surface, top: Array, images: Sequence[DepthImage], voxel_m: float, max_faces: int
) -> trimesh.Trimesh:
    """Watertight mesh with outward normals from what the cameras saw of an object that stands on the table.

    Args:
        seen: samples above the table, table frame.
        top: (M, 3) what was seen within the table's band [m], table frame.
        images: what each camera saw through.
        voxel_m: distance of the samples [m].
        max_faces: the mesh has at most about this many triangles.

    Raises:
        PerceptionError: the samples enclose no volume.
    """
    hidden = underside(seen.points, top)
    radius = PAIR_RADIUS_CELLS * voxel_m
    own, other, missing = kernels.wall_sides(
        seen.points, seen.normals, radius, OWN_SIDE, OTHER_SIDE, MIN_WALL_M
    )
    areas = np.pi * radius**2 / own  # a disc's area, shared by the samples of its side
    # Noise would mix the sides of a thinner wall and tear holes into it, and the grid's cells of 5 mm would miss it.
    walls = Surface(seen.points + seen.normals * missing[:, None] / 2, seen.normals)
    backs, behind = wall_backs(walls, np.nonzero(other == 0)[0], images)
    points = np.vstack([walls.points, backs.points, hidden.points])
    normals = np.vstack([walls.normals, backs.normals, hidden.normals])
    areas = np.concatenate([areas, areas[behind], np.full(len(hidden.points), CELL_M**2)])
    volume = poisson(points, normals, areas, voxel_m, SMOOTH_CELLS * voxel_m)
    values = ndimage.gaussian_filter(carved(volume, images).values, CARVED_SMOOTH_CELLS)
    values = np.minimum(values, volume.axis(2))  # nothing reaches below the table
    volume = Volume(values, volume.origin, volume.spacing)
    vertices, faces = isosurface(solid(without_cavity(volume, seen, hidden.points, images, MIN_WALL_M)))
    if len(faces) == 0:
        raise PerceptionError(
            f"the {len(seen.points)} points of the object enclose no volume; more views are needed"
        )
    return simplified(trimesh.Trimesh(vertices, faces, process=False), max_faces)


def carved(volume: Volume, images: Sequence[DepthImage]) -> Volume:
    """A volume without what a camera saw through, with values of at most two cells."""
    values = np.clip(volume.values, -2 * volume.spacing, 2 * volume.spacing)
    cells = np.nonzero(values > -volume.spacing)
    points = np.column_stack(cells) * volume.spacing + volume.origin
    room = np.maximum(FREE_MARGIN_M - most_free(images, points), -2 * volume.spacing)
    values[cells] = np.minimum(values[cells], room)
    return Volume(values, volume.origin, volume.spacing)


def wall_backs(
    seen: Surface, one_sided: np.ndarray, images: Sequence[DepthImage]
) -> tuple[Surface, np.ndarray]:
    """Other sides of walls that no camera faced, but past which one saw, and the sample that each is behind.

    Without them the outside of a bowl, of which cameras above see the inside only, would be left open.

    Args:
        seen: samples, table frame.
        one_sided: (M,) those with no sample of another side nearby.
        images: what each camera saw through.
    """
    depth = np.full(len(one_sided), np.inf)
    for probe in WALL_PROBES_M[::-1]:
        place = seen.points[one_sided] - probe * seen.normals[one_sided]
        depth[most_free(images, place) > SEEN_PAST_M] = probe
    behind, depth = one_sided[np.isfinite(depth)], depth[np.isfinite(depth)]
    back = seen.points[behind] - depth[:, None] * seen.normals[behind]
    return Surface(back, -seen.normals[behind]), behind


def simplified(mesh: trimesh.Trimesh, max_faces: int) -> trimesh.Trimesh:
    """The mesh with at most about ``max_faces`` triangles, still watertight.

    Collapsing edges makes one mesh in fifteen touch itself along an edge of four triangles; Manifold takes it apart
    there.
    """
    if len(mesh.faces) <= max_faces:
        return mesh
    vertices, faces = np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32)
    with SIMPLIFIER:
        vertices, faces = fast_simplification.simplify(vertices, faces, target_count=max_faces)[:2]
    simple = trimesh.Trimesh(vertices, faces, process=False)
    if not simple.is_watertight:
        apart = manifold3d.Manifold(manifold3d.Mesh(vertices, faces.astype(np.uint32))).to_mesh()
        simple = trimesh.Trimesh(apart.vert_properties, apart.tri_verts, process=False)
    return simple if simple.is_watertight and simple.volume > 0 else mesh
