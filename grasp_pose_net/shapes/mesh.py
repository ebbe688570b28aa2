"""Object meshes from files: metres, watertight, outside outside, centred on their centre of mass."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import NDArray

from grasp_pose_net.exceptions import MeshError
from grasp_pose_net.shapes.mesh_files import MOST_FACES, read_geometry

logger = logging.getLogger(__name__)

LARGEST_M = 1.0  # a hand cannot hold more
MILLIMETRES_M = 10.0  # a graspable object whose numbers are millimetres is as long as this, or longer
SMALLEST_M = 0.01  # a fingertip is 2 cm wide; a mesh that was scaled twice is far below
FARTHEST_M = 1000.0  # of a vertex: beyond, digits are lost that matter
THINNEST_M = 1e-4  # paper
LARGEST_LEAK_M = 0.03  # around a hole of 1 cm, half a fingertip
WELD_DIGITS = 5  # vertices that agree in so many digits [m] are one: 0.01 mm


def load_mesh(path: str | Path) -> trimesh.Trimesh:
    """Load a mesh file in metres into the object frame, mended where little is wrong with it.

    Args:
        path: file of OBJ, PLY, STL, OFF or GLB; several bodies in it become one object.

    Returns:
        The mesh with its centre of mass at the origin; the axes are those of the file. What was mended is in
        ``metadata["notes"]``, a list of words, and logged.

    Raises:
        MeshError: no such file, no faces in it, not watertight, inside out, or of an impossible size.
    """
    path = Path(path)
    found = read_geometry(path)
    if not isinstance(found, trimesh.Trimesh) or len(found.faces) == 0:
        raise MeshError(
            f"{path}: expected a mesh with faces, found none; is it a mesh file, and no point cloud?"
        )
    found.remove_unreferenced_vertices()
    mesh, notes = mended(found)
    check_mesh(mesh, str(path))
    mesh, _ = centred(mesh)
    mesh.metadata["notes"] = notes
    for note in notes:
        logger.warning("%s: %s", path, note)
    return mesh


def mended(mesh: trimesh.Trimesh) -> tuple[trimesh.Trimesh, list[str]]:
    """A mesh without what writers leave behind in a surface that is meant to be closed, and what was done, in words.

    Vertices that were split for textures or normals are welded, surplus faces dropped, and holes closed that are smaller
    than a fingertip. A mesh that is closed, or more broken than that, stays as it is.

    Args:
        mesh: any mesh [m]; not modified.
    """
    vertices = np.asarray(mesh.vertices)
    if (
        mesh.is_watertight
        or not np.isfinite(vertices).all()
        or not _in_size(mesh)
        or len(mesh.faces) > MOST_FACES
    ):
        return mesh, []
    made, notes = welded(mesh), []
    for step in (_drop_surplus, _weld_coarsely, _close_holes):
        if made.is_watertight or not len(made.faces):
            break
        notes += step(made)
    # nothing is left of a mesh of lines, and nothing is watertight
    return (made, notes) if len(made.faces) and made.is_watertight else (mesh, [])


def welded(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The same surface [m] with vertices of equal place made one: textures, normals and triangle soups split them."""
    if mesh.is_watertight:
        return mesh
    joined = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    joined.merge_vertices()
    return joined


def _drop_surplus(mesh: trimesh.Trimesh) -> list[str]:
    """Drop faces without area and all but one of equal ones."""
    notes = []
    for words, kept in (
        ("triangles of area 0", mesh.nondegenerate_faces),
        ("faces that are there twice", mesh.unique_faces),
    ):
        if len(mesh.faces) and not (good := kept()).all():
            notes.append(f"{np.count_nonzero(~good)} {words} are left out")
            mesh.update_faces(good)
    return notes


def _weld_coarsely(mesh: trimesh.Trimesh) -> list[str]:
    """Join vertices that a file with few digits has moved apart."""
    before = len(mesh.vertices)
    mesh.merge_vertices(digits_vertex=WELD_DIGITS)
    joined = before - len(mesh.vertices)
    _drop_surplus(mesh)
    return [f"{joined} vertices up to {10.0 ** (3 - WELD_DIGITS):g} mm apart are welded"] if joined else []


def _close_holes(mesh: trimesh.Trimesh) -> list[str]:
    """Close holes by a fan around the middle of each, if all are small."""
    edges = open_edges(mesh)
    if not len(edges):
        return []
    hole = trimesh.graph.connected_component_labels(edges, node_count=len(mesh.vertices))[edges[:, 0]]
    hole = np.unique(hole, return_inverse=True)[1]
    ends = mesh.vertices[edges]
    around = np.bincount(hole, np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1))
    if around.max() > LARGEST_LEAK_M:
        return []
    middle = np.stack([np.bincount(hole, axis) for axis in ends[:, 0].T], 1) / np.bincount(hole)[:, None]
    fans = np.column_stack([edges[:, ::-1], len(mesh.vertices) + hole])
    mesh.vertices, mesh.faces = np.vstack([mesh.vertices, middle]), np.vstack([mesh.faces, fans])
    return [f"holes closed: {len(around)}, the largest {1000 * around.max():.1f} mm around"]


def open_edges(mesh: trimesh.Trimesh) -> NDArray[np.int64]:
    """Edges (E, 2) that belong to one face only."""
    return mesh.edges[trimesh.grouping.group_rows(mesh.edges_sorted, require_count=1)]


def check_mesh(mesh: trimesh.Trimesh, name: str) -> None:
    """Refuse a mesh that has no inside, or a size that no graspable object has.

    Args:
        mesh: mesh to look at [m].
        name: what the error text calls it.

    Raises:
        MeshError: not watertight, inside out in part or whole, flat, not finite, above 1 m or below 1 cm, or of millions of
            faces.
    """
    if not np.isfinite(mesh.vertices).all():
        raise MeshError(f"{name}: the mesh has vertices that are not finite numbers; export it again")
    if np.abs(mesh.vertices).max(initial=0.0) > FARTHEST_M:
        raise MeshError(
            f"{name}: the mesh has vertices beyond {FARTHEST_M:g} m from its origin; move it there"
        )
    if len(mesh.faces) > MOST_FACES:
        raise MeshError(
            f"{name}: the mesh has {len(mesh.faces)} faces, expected at most {MOST_FACES}; simplify it"
        )
    size = float(mesh.extents.max())
    if size > LARGEST_M:
        reason = "is it in millimetres?" if size > MILLIMETRES_M else "no hand holds anything so large"
        raise MeshError(f"{name}: the mesh is {size:.4g} m long, expected at most {LARGEST_M:g} m; {reason}")
    if size < SMALLEST_M:
        raise MeshError(
            f"{name}: the mesh is {size:.4g} m long, expected at least {SMALLEST_M:g} m; was it scaled twice?"
        )
    thickness = _thickness(mesh)
    if thickness < THINNEST_M:
        raise MeshError(
            f"{name}: the mesh has no volume: it is {1000 * thickness:.2g} mm thick; give it an inside"
        )
    if not mesh.is_watertight:
        raise MeshError(f"{name}: the mesh is not watertight: {_leaks(mesh)}")
    if not mesh.is_winding_consistent:
        raise MeshError(f"{name}: the faces of the mesh do not agree on which side is outside; turn them")
    # Not mended here: a mesh is inside out mostly because it was mirrored, and then it is of another object.
    if mesh.volume <= 0.0:
        raise MeshError(
            f"{name}: the mesh is inside out (volume {mesh.volume:.3g} m³); flip its faces if it is not mirrored"
        )


def _in_size(mesh: trimesh.Trimesh) -> bool:
    """Whether a hand could hold it; another mesh is refused, and need not be mended."""
    return np.abs(mesh.vertices).max() <= FARTHEST_M and SMALLEST_M <= float(mesh.extents.max()) <= LARGEST_M


def _thickness(mesh: trimesh.Trimesh) -> float:
    """Mean thickness [m] of a mesh: that of a plate of its volume and surface."""
    corners = np.asarray(mesh.triangles, np.float64) - np.mean(mesh.vertices, axis=0)
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = float(np.linalg.norm(across, axis=1).sum()) / 2
    volume = float(np.einsum("ij,ij->", corners[:, 0], across)) / 6
    return 2 * abs(volume) / area if area > 0.0 else 0.0


def _leaks(mesh: trimesh.Trimesh) -> str:
    """What keeps a surface from being closed."""
    edges = open_edges(mesh)
    if len(edges):
        place = np.round(mesh.vertices[edges[0, 0]], 3).tolist()
        return f"it has holes ({len(edges)} edges of one face alone, one at {place}); close them"
    return "edges belong to more than two faces; make its bodies one (a boolean union)"


def centred(mesh: trimesh.Trimesh) -> tuple[trimesh.Trimesh, np.ndarray]:
    """Move a mesh so that its centre of mass (of uniform density) is the origin.

    Args:
        mesh: watertight mesh in any frame; not modified.

    Returns:
        The mesh in the object frame, and (3,) the centre of mass in the frame it came in [m].
    """
    centre = np.array(mesh.center_mass, dtype=np.float64)
    moved = trimesh.Trimesh(mesh.vertices - centre, mesh.faces, process=False)
    return moved, centre
