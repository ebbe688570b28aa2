"""Triangles and points from OBJ, PLY, STL, OFF and GLB files, whose claims are checked before memory is spent on them.

Only the file itself is read: no materials, no textures, nothing that it names.
"""

from __future__ import annotations

import io
import logging
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from grasp_pose_net.exceptions import MeshError
from grasp_pose_net.reading import Refusal, one_line, parse_json, read_bytes

# what it logs of a file that cannot be read is in the error; a traceback on the screen tells nobody more
logging.getLogger("trimesh").setLevel(logging.CRITICAL + 1)

SUFFIXES = (".obj", ".ply", ".stl", ".off", ".glb")
FORMATS = "OBJ, PLY, STL, OFF or GLB"
LARGEST_MB = 512
MOST_FACES = 2_000_000


def read_geometry(path: Path, refusal: Refusal = MeshError) -> trimesh.Trimesh | trimesh.PointCloud:
    """What a file holds: triangles, several bodies of which become one, or points alone.

    Args:
        path: file in one of the `SUFFIXES`.
        refusal: error to raise.

    Raises:
        GraspPoseNetError: a ``refusal``: no such file, one of another kind, one that is cut or claims what it has not, more
            than `MOST_FACES`, or nothing in it.
    """
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise refusal(f"{path}: expected a file of {FORMATS}")
    data = read_bytes(path, LARGEST_MB, refusal)
    try:
        if kind in CLEAN:
            data = CLEAN[kind](data)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # of numbers that are refused anyway
            own = "stl_ascii" if kind == ".stl" and _is_text(data) else kind[1:]
            found: Any = trimesh.load(io.BytesIO(data), file_type=own, skip_materials=True)
            if isinstance(found, trimesh.Scene):
                found = _joined(found)
    except Exception as error:  # trimesh's readers raise anything
        raise refusal(f"{path}: cannot be read as {kind[1:].upper()} ({one_line(error)})") from error
    if not isinstance(found, trimesh.Trimesh | trimesh.PointCloud) or not len(found.vertices):
        raise refusal(f"{path}: expected a mesh with faces, or points, found nothing")
    if found.vertices.shape[1:] != (3,):
        raise refusal(f"{path}: its vertices have {found.vertices.shape[-1]} coordinates, expected 3")
    if isinstance(found, trimesh.Trimesh) and not _whole_faces(found):
        raise refusal(f"{path}: a face names a vertex beyond the {len(found.vertices)} there are")
    return found


def _joined(scene: trimesh.Scene) -> Any:
    """One mesh of all in a scene, none where it has none."""
    faces = sum(
        len(getattr(scene.geometry[scene.graph[node][1]], "faces", ())) for node in scene.graph.nodes_geometry
    )
    if faces > MOST_FACES:
        raise ValueError(f"{faces} faces, expected at most {MOST_FACES}; simplify it")
    return scene.to_mesh()


def _whole_faces(mesh: trimesh.Trimesh) -> bool:
    """Whether all corners of faces are there."""
    return not len(mesh.faces) or (mesh.faces.min() >= 0 and mesh.faces.max() < len(mesh.vertices))


def _check_ply(data: bytes) -> bytes:
    """Refuse more elements than the file has bytes: the reader would make room for them first."""
    for line in data[: data.find(b"end_header") + 1].splitlines():
        words = line.split()
        if words[:1] == [b"element"] and not 0 <= int(words[2]) <= len(data):
            raise ValueError(f"it claims {words[2].decode()} of {words[1].decode()} in {len(data)} bytes")
    return data


def _check_glb(data: bytes) -> bytes:
    """Refuse accessors of more entries than the file has bytes, and nodes that are in themselves or in several others."""
    length = struct.unpack("<I", data[12:16])[0]
    tree = parse_json(data[20 : 20 + length].decode(), "its JSON")
    for accessor in tree.get("accessors", ()):
        if not 0 <= int(accessor["count"]) <= len(data):
            raise ValueError(f"an accessor claims {accessor['count']} entries in {len(data)} bytes")
    children = [child for node in tree.get("nodes", ()) for child in node.get("children", ())]
    if len(children) != len(set(children)):
        raise ValueError("a node has several parents")
    return data


def _check_stl(data: bytes) -> bytes:
    """Refuse binary triangles that are not as many as claimed."""
    if _is_text(data):
        return _text(data)
    claimed = struct.unpack("<I", data[80:84])[0]
    if len(data) != 84 + 50 * claimed:
        raise ValueError(f"it claims {claimed} triangles in {len(data)} bytes")
    return data


def _is_text(data: bytes) -> bool:
    """Whether an STL is written in words; binary ones may begin with the same one."""
    return data[:5] == b"solid" and b"facet" in data[:1000]


def _text(data: bytes) -> bytes:
    """UTF-8 as it is, and else what can be read of it: the reader would try every other encoding that there is."""
    return data.decode("utf-8", "replace").encode()


CLEAN = {".ply": _check_ply, ".glb": _check_glb, ".stl": _check_stl, ".obj": _text, ".off": _text}
