"""Mesh files as a dataset names them: "source/name", after the folder that a file is in and the file."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from pathlib import Path

from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.reading import read_bytes
from grasp_pose_net.shapes.mesh_files import LARGEST_MB, SUFFIXES
from grasp_pose_net.shapes.split import object_hash


def object_name(mesh: Path) -> str:
    """The "source/name" by which an object goes everywhere."""
    return f"{mesh.parent.name}/{mesh.stem}"


def object_seed(seed: int, name: str) -> int:
    """Seed of an object in a run: no other object's, and the same wherever and whenever its turn comes."""
    return zlib.crc32(f"{seed}:{name}".encode())


def find_meshes(folder: Path, sources: Sequence[str] = ()) -> list[Path]:
    """All mesh files below a folder, sources mixed, so that a run cut short is still a fair sample.

    Args:
        folder: holds `<source>/<name>.obj` (or ply, stl, off, glb).
        sources: only those; all without.

    Raises:
        GraspPoseNetError: a source has no meshes, or two files have the same name.
    """
    files = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    there = {path.parent.name for path in files}
    if unknown := sorted(set(sources) - there):
        known = ", ".join(sorted(there)) or "none"
        raise GraspPoseNetError(f"{folder}: no meshes of source {unknown[0]!r}; sources: {known}")
    named: dict[str, Path] = {}
    for path in sorted(file for file in files if not sources or file.parent.name in sources):
        other = named.setdefault(object_name(path), path)
        if other != path:
            raise GraspPoseNetError(f"{path} and {other} are both called {object_name(path)!r}; rename one")
    return [named[name] for name in sorted(named, key=object_hash)]


def mesh_hash(mesh: Path) -> str:
    """Beginning of the SHA-256 of a mesh file, to know it again."""
    return hashlib.sha256(read_bytes(mesh, LARGEST_MB)).hexdigest()[:16]
