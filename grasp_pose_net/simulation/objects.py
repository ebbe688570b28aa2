"""Objects that physics can touch: a watertight mesh, its convex pieces, mass and inertia."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import NDArray

from grasp_pose_net.exceptions import GraspPoseNetError, MeshError, StorageError
from grasp_pose_net.reading import read_arrays
from grasp_pose_net.shapes import load_mesh
from grasp_pose_net.storage import cache_dir, whole
from grasp_pose_net.world import Array

DENSITY = 300.0  # kg/m³, and the limits below: the lift trial of the paper's table-top objects
MASS_LIMITS_KG = (0.05, 1.0)
MOST_PIECES = 16
# Convex pieces (Wei et al., 2022). A shallower search than the default: five times faster, and the pieces of a mug hold no
# more volume.
COACD = {"threshold": 0.05, "mcts_iterations": 60, "mcts_nodes": 10, "mcts_max_depth": 2, "resolution": 1000}
COLOURS = ((0.86, 0.35, 0.25), (0.25, 0.53, 0.78), (0.95, 0.70, 0.25), (0.36, 0.65, 0.42), (0.60, 0.42, 0.68))


@dataclass(frozen=True)
class SimObject:
    """An object in its own frame: origin at the centre of mass, axes those of its file.

    Attributes:
        name: unique name in the scene.
        mesh: watertight surface [m].
        pieces: convex meshes that stand for it in contacts [m].
        mass_kg: mass.
        inertia: (3, 3) about the centre of mass [kg m²].
        rgba: colour.
    """

    name: str
    mesh: trimesh.Trimesh
    pieces: tuple[trimesh.Trimesh, ...]
    mass_kg: float
    inertia: Array
    rgba: tuple[float, float, float, float]

    @classmethod
    def from_file(cls, path: str | Path) -> SimObject:
        """Load a mesh file.

        Raises:
            MeshError: the mesh cannot be used.
        """
        path = Path(path)
        return cls.from_mesh(path.stem, load_mesh(path))

    @classmethod
    def from_mesh(cls, name: str, mesh: trimesh.Trimesh) -> SimObject:
        """Make an object of uniform density from a mesh centred on its centre of mass."""
        mass = float(np.clip(DENSITY * mesh.volume, *MASS_LIMITS_KG))
        colour = COLOURS[int(hashlib.sha256(name.encode()).hexdigest(), 16) % len(COLOURS)]
        inertia = mesh.moment_inertia * (mass / mesh.volume)
        return cls(name, mesh, convex_pieces(mesh), mass, inertia, (*colour, 1.0))


def convex_pieces(mesh: trimesh.Trimesh) -> tuple[trimesh.Trimesh, ...]:
    """Convex decomposition of a mesh, kept on disk by the hash of its geometry.

    Args:
        mesh: watertight mesh [m].

    Returns:
        At most ``MOST_PIECES`` convex meshes in the same frame.
    """
    vertices, faces = (
        np.ascontiguousarray(mesh.vertices, np.float64),
        np.ascontiguousarray(mesh.faces, np.int32),
    )
    settings = f"{MOST_PIECES} {sorted(COACD.items())}".encode()
    key = hashlib.sha256(settings + vertices.tobytes() + faces.tobytes()).hexdigest()[:24]
    file = cache_dir() / f"pieces-{key}.npz"
    try:
        pieces = _read_pieces(file)
    except GraspPoseNetError:  # not there yet, or broken
        pieces = _decompose(vertices, faces)
        with suppress(StorageError):  # the next process has to find them again
            _write_pieces(file, pieces)
    return tuple(trimesh.Trimesh(v, f, process=False) for v, f in pieces)


def _read_pieces(file: Path) -> list[tuple[Array, NDArray[np.int32]]]:
    data = read_arrays(file)
    if not data or set(data) != {f"{kind}{i}" for i in range(len(data) // 2) for kind in "vf"}:
        raise MeshError(f"{file}: no convex pieces in it")
    return [(data[f"v{i}"], data[f"f{i}"]) for i in range(len(data) // 2)]


def _decompose(vertices: Array, faces: NDArray[np.int32]) -> list[tuple[Array, NDArray[np.int32]]]:
    import coacd

    coacd.set_log_level("error")
    pieces = coacd.run_coacd(coacd.Mesh(vertices, faces), max_convex_hull=MOST_PIECES, seed=0, **COACD)
    return [(np.asarray(v), np.asarray(f)) for v, f in pieces]


def _write_pieces(file: Path, pieces: list[tuple[Array, NDArray[np.int32]]]) -> None:
    arrays = {f"v{i}": v for i, (v, _) in enumerate(pieces)} | {f"f{i}": f for i, (_, f) in enumerate(pieces)}
    with whole(file) as unfinished:
        np.savez(unfinished, **arrays)  # type: ignore[arg-type]
