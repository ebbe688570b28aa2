"""Object meshes from files: metres, watertight, outside outside, centred on their centre of mass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trimesh

from grasp_pose_net.exceptions import MeshError

LARGEST_M = 1.0  # a hand cannot hold more
MILLIMETRES_M = 10.0  # a graspable object whose numbers are millimetres is as long as this, or longer
SMALLEST_M = 0.01  # a fingertip is 2 cm wide; a mesh that was scaled twice is far below
THINNEST_M = 1e-4  # paper


def load_mesh(path: str | Path) -> trimesh.Trimesh:
    """Load a mesh file (OBJ, PLY, STL, ...) in metres into the object frame.

    Args:
        path: file that trimesh can read; several bodies in it become one object.

    Returns:
        The mesh with its centre of mass at the origin; the axes are those of the file.

    Raises:
        MeshError: no such file, no faces in it, not watertight, inside out, or of an impossible size.
    """
    path = Path(path)
    if not path.is_file():
        raise MeshError(f"{path}: no such file; expected a mesh (OBJ, PLY, STL)")
    try:
        mesh = trimesh.load(path, force="mesh")
    except Exception as error:  # trimesh's readers raise anything
        raise MeshError(f"{path}: cannot be read as a mesh ({error}); expected OBJ, PLY or STL") from error
    if not isinstance(mesh, trimesh.Trimesh) or len(mesh.faces) == 0:
        raise MeshError(
            f"{path}: expected a mesh with faces, found none; is it a mesh file, and no point cloud?"
        )
    check_mesh(mesh, str(path))
    return centred(mesh)[0]


def welded(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The same surface [m] with vertices of equal place made one: textures, normals and triangle soups split them."""
    if mesh.is_watertight:
        return mesh
    joined = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    joined.merge_vertices()
    return joined


def check_mesh(mesh: trimesh.Trimesh, name: str) -> None:
    """Refuse a mesh that has no inside, or a size that no graspable object has.

    Args:
        mesh: mesh to look at [m].
        name: what the error text calls it.

    Raises:
        MeshError: not watertight, inside out in part or whole, not finite, above 1 m or below 1 cm.
    """
    if not np.isfinite(mesh.vertices).all():
        raise MeshError(f"{name}: the mesh has vertices that are not finite numbers; export it again")
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
        raise MeshError(
            f"{name}: the mesh is not watertight (it has holes), so it has no inside; close the holes"
        )
    if not mesh.is_winding_consistent:
        raise MeshError(f"{name}: the faces of the mesh do not agree on which side is outside; turn them")
    # Not mended here: a mesh is inside out mostly because it was mirrored, and then it is of another object.
    if mesh.volume <= 0.0:
        raise MeshError(
            f"{name}: the mesh is inside out (volume {mesh.volume:.3g} m³); flip its faces if it is not mirrored"
        )


def _thickness(mesh: trimesh.Trimesh) -> float:
    """Mean thickness [m] of a mesh: that of a plate of its volume and surface."""
    corners = np.asarray(mesh.triangles, np.float64) - np.mean(mesh.vertices, axis=0)
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = float(np.linalg.norm(across, axis=1).sum()) / 2
    volume = float(np.einsum("ij,ij->", corners[:, 0], across)) / 6
    return 2 * abs(volume) / area if area > 0.0 else 0.0


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
