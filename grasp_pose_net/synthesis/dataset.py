"""Grasps of a folder of meshes in one file: resumable object by object, written whole or not at all.

While a run goes on, every object has a small file of its own beside the dataset (`<out>.parts/`). A run
that was killed goes on with the objects that have none; each object has its own seed, so that the result
does not depend on where the run was cut. At the end, and now and then before, the parts become the dataset.
"""

from __future__ import annotations

import logging
import os
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.hand import Hand
from grasp_pose_net.shapes import load_mesh
from grasp_pose_net.shapes.split import object_hash, split_of
from grasp_pose_net.synthesis.planner import Grasps, Synthesis, synthesize

logger = logging.getLogger(__name__)

MESH_SUFFIXES = (".obj", ".ply", ".stl")
_MERGE_EVERY = 20  # objects


@dataclass(frozen=True)
class GraspDataset:
    """Grasps of many objects, as in the file.

    Attributes:
        objects: (O,) "source/name" of each object.
        split: (O,) "train" or "test".
        seed: (O,) seed of each object's planner.
        seconds: (O,) time its planning took [s].
        tried: (O,) candidates descended.
        failure: (O,) why there are no grasps, empty where there are.
        object_index: (G,) which object a grasp belongs to.
        x: (G, 7 + D) float32 pose vectors, object frame (stored in half precision).
        epsilon: (G,) approximate epsilon.
        hand_penetration_m: (G,) depth in the object [m], before rounding.
        self_penetration_m: (G,) depth of the hand in itself [m].
        plane: (G, 4) normal and offset of a support plane in a stable pose of the object that hand and
            forearm are clear of; zeros = none known.
        hand: name of the hand.
    """

    objects: NDArray[np.str_]
    split: NDArray[np.str_]
    seed: NDArray[np.int64]
    seconds: NDArray[np.float32]
    tried: NDArray[np.int64]
    failure: NDArray[np.str_]
    object_index: NDArray[np.int32]
    x: NDArray[np.float32]
    epsilon: NDArray[np.float32]
    hand_penetration_m: NDArray[np.float32]
    self_penetration_m: NDArray[np.float32]
    plane: NDArray[np.float32]
    hand: str


def load_dataset(path: Path) -> GraspDataset:
    """Read a dataset.

    Raises:
        GraspPoseNetError: the file is missing or lacks a field.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            fields = {name: data[name] for name in GraspDataset.__dataclass_fields__}
    except (OSError, KeyError, ValueError) as error:
        raise GraspPoseNetError(
            f"{path}: not a grasp dataset ({error}); make one with `synthesize`"
        ) from error
    for name, values in fields.items():
        if values.dtype == np.float16:
            fields[name] = values.astype(np.float32)
    return GraspDataset(**{**fields, "hand": str(fields["hand"])})


def synthesize_dataset(
    meshes: Path,
    out: Path,
    hand: str = "shadow",
    *,
    grasps: int = 100,
    seed: int = 0,
    config: Synthesis | None = None,
) -> dict[str, Any]:
    """Plan grasps for every mesh of a folder and write one compressed file.

    Args:
        meshes: folder with files `<source>/<name>.obj` (or ply, stl).
        out: the `.npz` to write; `<out>.parts/` beside it keeps finished objects, and makes the run
            resumable.
        hand: name of the hand, or path of its hand.yaml.
        grasps: at most this many for an object.
        seed: of the run; every object draws its own from it and its name.
        config: of the planner.

    Returns:
        Report: figures of the whole, and for each object without grasps the reason.

    Raises:
        GraspPoseNetError: there are no meshes.
    """
    files = find_meshes(meshes)
    if not files:
        raise GraspPoseNetError(f"{meshes}: no meshes in it; expected files such as <source>/<name>.obj")
    loaded = Hand.load(hand)
    parts = out.with_suffix(".parts")
    parts.mkdir(parents=True, exist_ok=True)
    waiting = [file for file in files if not _part_file(parts, file).exists()]
    for done, file in enumerate(
        tqdm(waiting, initial=len(files) - len(waiting), total=len(files), unit="object"), 1
    ):
        write_atomically(_part_file(parts, file), _plan(file, loaded, grasps, seed, config or Synthesis()))
        if done % _MERGE_EVERY == 0:
            _merge(parts, files, out, loaded.name)
    _merge(parts, files, out, loaded.name)
    return dataset_report(load_dataset(out))


def dataset_report(data: GraspDataset) -> dict[str, Any]:
    """Figures of a dataset, and why objects have no grasps."""
    counts = np.bincount(data.object_index, minlength=len(data.objects))
    return {
        "objects": len(data.objects),
        "grasps": len(data.x),
        "objects_with_50": int((counts >= 50).sum()),
        "objects_with_100": int((counts >= 100).sum()),
        "mean_epsilon": float(data.epsilon.mean()) if len(data.x) else 0.0,
        "hand_penetration_p95_m": float(np.percentile(data.hand_penetration_m, 95)) if len(data.x) else 0.0,
        "self_penetration_p95_m": float(np.percentile(data.self_penetration_m, 95)) if len(data.x) else 0.0,
        "clear_of_table": float((data.plane[:, :3] != 0).any(1).mean()) if len(data.x) else 0.0,
        "candidates_per_second": float(data.tried.sum() / max(data.seconds.sum(), 1e-9)),
        "failures": {
            str(name): str(why) for name, why in zip(data.objects, data.failure, strict=True) if why
        },
    }


def object_name(mesh: Path) -> str:
    """The "source/name" by which an object goes everywhere."""
    return f"{mesh.parent.name}/{mesh.stem}"


def find_meshes(folder: Path) -> list[Path]:
    """All mesh files below a folder, sources mixed, so that a run cut short is still a fair sample."""
    files = (path for path in folder.rglob("*") if path.suffix.lower() in MESH_SUFFIXES)
    return sorted(files, key=lambda path: object_hash(object_name(path)))


def write_atomically(path: Path, arrays: dict[str, Any]) -> None:
    """Write a compressed `.npz` so that a reader finds the old file or the whole new one."""
    temporary = path.with_name(path.name + ".partial")
    with temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)
    os.replace(temporary, path)


def _part_file(parts: Path, mesh: Path) -> Path:
    return parts / f"{object_name(mesh).replace('/', '__')}.npz"


def _plan(mesh: Path, hand: Hand, count: int, seed: int, config: Synthesis) -> dict[str, Any]:
    """One object's part of the dataset; a mesh that cannot be used becomes a part without grasps."""
    name, start, failure = object_name(mesh), time.perf_counter(), ""
    own_seed = zlib.crc32(f"{seed}:{name}".encode())
    found = _none(hand)
    try:
        found = synthesize(hand, load_mesh(mesh), count, np.random.default_rng(own_seed), config)
        if len(found.x) == 0:
            failure = f"none of {found.tried} candidates was good"
    except Exception as error:  # one bad mesh, whatever a library makes of it, must not end a run of hundreds
        failure = str(error) or type(error).__name__
    if failure:
        logger.warning("%s: %s", name, failure)
    return {
        "objects": name,
        "split": split_of(name),
        "seed": own_seed,
        "seconds": np.float32(time.perf_counter() - start),
        "tried": found.tried,
        "failure": failure,
        "x": found.x.astype(np.float16),
        "epsilon": found.epsilon.astype(np.float16),
        "hand_penetration_m": found.hand_penetration_m.astype(np.float16),
        "self_penetration_m": found.self_penetration_m.astype(np.float16),
        "plane": found.plane.astype(np.float16),
    }


def _none(hand: Hand) -> Grasps:
    """No grasps."""
    empty = np.empty(0)
    return Grasps(np.empty((0, hand.size)), empty, empty, empty, np.empty((0, 4)), 0)


def _merge(parts: Path, meshes: list[Path], out: Path, hand: str) -> None:
    """Join the finished parts of `meshes` into the dataset."""
    loaded = []
    for mesh in meshes:
        if _part_file(parts, mesh).exists():
            with np.load(_part_file(parts, mesh), allow_pickle=False) as data:
                loaded.append(dict(data))
    joined: dict[str, Any] = {"hand": hand}
    for name in ("objects", "split", "seed", "seconds", "tried", "failure"):
        joined[name] = np.array([part[name] for part in loaded])
    for name in ("x", "epsilon", "hand_penetration_m", "self_penetration_m", "plane"):
        joined[name] = np.concatenate([part[name] for part in loaded])
    counts = [len(part["x"]) for part in loaded]
    joined["object_index"] = np.repeat(np.arange(len(loaded), dtype=np.int32), counts)
    write_atomically(out, joined)
