"""What stands for a scene's shapes where the robot is tested for collisions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache, singledispatch
from typing import cast

import coal
import numpy as np
import trimesh
from scipy.spatial import ConvexHull

from grasp_pose_net.world import Box, Cone, Cylinder, HalfSpace, Mesh, Shape, Sphere, Voxels, make_transform

SHEET_M = 1e-4  # thickness of what has none
FLAT = 1e-6  # how far vertices are off one plane, relative to how far they are apart

# a solid for all; a mesh's surface for the hand and its hull for the others; a surface for all
SOLID, SURFACE, HULL, SHELL = "solid", "surface", "hull", "shell"


@singledispatch
def collision_geometry(shape: Shape) -> Iterable[tuple[str, coal.CollisionGeometry]]:
    """Kind and geometry of what stands for a shape."""
    raise TypeError(f"no collision geometry for a {type(shape).__name__}")


@collision_geometry.register
def _(shape: Box) -> tuple[tuple[str, coal.CollisionGeometry], ...]:
    return ((SOLID, coal.Box(*shape.size.tolist())),)


@collision_geometry.register
def _(shape: Sphere) -> tuple[tuple[str, coal.CollisionGeometry], ...]:
    return ((SOLID, coal.Sphere(shape.radius)),)


@collision_geometry.register
def _(shape: Cylinder) -> tuple[tuple[str, coal.CollisionGeometry], ...]:
    return ((SOLID, coal.Cylinder(shape.radius, shape.length)),)


@collision_geometry.register
def _(shape: Cone) -> tuple[tuple[str, coal.CollisionGeometry], ...]:
    return ((SOLID, coal.Cone(shape.radius, shape.length)),)


@collision_geometry.register
def _(shape: HalfSpace) -> tuple[tuple[str, coal.CollisionGeometry], ...]:
    return ((SOLID, coal.Halfspace(shape.normal.copy(), shape.offset)),)


@collision_geometry.register
def _(shape: Mesh) -> Iterator[tuple[str, coal.CollisionGeometry]]:
    if (sheets := _sheets(shape.mesh)) is not None:
        yield SHELL, _surface(sheets)
        return
    yield SURFACE, _surface(shape.mesh)
    yield HULL, _hull(shape.mesh)


@collision_geometry.register
def _(shape: Voxels) -> tuple[tuple[str, coal.CollisionGeometry], ...]:
    boxes = trimesh.util.concatenate(
        [
            trimesh.creation.box(np.full(3, size), make_transform(centre))
            for centre, size in zip(shape.centres, shape.sizes, strict=True)
        ]
    )
    return ((SHELL, _surface(cast(trimesh.Trimesh, boxes))),)


def forget_meshes() -> None:
    """Make the geometry of meshes anew the next time, as for one that nobody has seen: for measurements."""
    _surface.cache_clear()
    _hull.cache_clear()


def _sheets(mesh: trimesh.Trimesh) -> trimesh.Trimesh | None:
    """A flat mesh, as a wall or a shield is drawn, as two sheets close to each other; None where it is not flat.

    It has no hull, and the broad phase misses what has a bounding box without volume.
    """
    _, spread, axes = np.linalg.svd(mesh.vertices - mesh.vertices.mean(0), full_matrices=False)
    if spread[-1] >= FLAT * spread[0]:
        return None
    aside = SHEET_M / 2 * axes[-1]
    faces = np.vstack([mesh.faces, mesh.faces + len(mesh.vertices)])
    return trimesh.Trimesh(np.vstack([mesh.vertices - aside, mesh.vertices + aside]), faces, process=False)


# The checkers of a pick-up meet the same meshes, and shapes do not change.
@lru_cache(maxsize=16)
def _surface(mesh: trimesh.Trimesh) -> coal.CollisionGeometry:
    surface = coal.BVHModelOBB()
    surface.beginModel(len(mesh.faces), len(mesh.vertices))
    surface.addVertices(np.asarray(mesh.vertices, float))
    surface.addTriangles(np.asarray(mesh.faces, np.int64))
    surface.endModel()
    return surface


@lru_cache(maxsize=16)
def _hull(mesh: trimesh.Trimesh) -> coal.CollisionGeometry:
    hull = ConvexHull(mesh.vertices)
    points, triangles = coal.StdVec_Vec3s(), coal.StdVec_Triangle()
    for vertex in hull.points[hull.vertices]:
        points.append(vertex)
    place = np.zeros(len(hull.points), np.int64)
    place[hull.vertices] = np.arange(len(hull.vertices))
    for a, b, c in place[hull.simplices].tolist():
        triangles.append(coal.Triangle(a, b, c))
    return coal.Convex(points, triangles)
