"""Fields and grasps of a dataset as one compressed file: the cache of every run, and all that a GPU machine needs.

A sample of a field is one byte: the square root of its depth in cells, so that it is fine at the surface, where the
grid and the collision loss look. It is wrong by at most 0.08 of a field's cell (0.2 mm at 2.5 mm) within 1.5 cells of the
surface. Differences along the last axis are stored; they compress to some 43 kB an object at 64³.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.hand import Hand
from grasp_pose_net.reading import ARRAYS_MB, brief, parse_json, read_arrays, read_bytes
from grasp_pose_net.storage import cache_dir, whole
from grasp_pose_net.training.data import (
    FIELD_CELLS,
    SIDES,
    VALIDATION_SHARE,
    Objects,
    load_objects,
    packed_grasps,
)

FARTHEST_CELLS = 60.0  # where one byte ends; deeper or farther samples do not occur in a cube of 64 cells
LEVELS = 127
_FORMAT = 2
_FIELDS = ("origin", "spacing", "radius")
LARGEST_MB = 65536
# kinds of numpy of the arrays of a file
ARRAYS = {"format": "i", "hand": "U", "names": "U", "side": "U", "codes": "i", "counts": "iu", "grasps": "f"}
ARRAYS |= dict.fromkeys(_FIELDS, "f")


def prepared_objects(
    dataset: Path, meshes: Path, hand: Hand, cache: Path | None = None
) -> dict[str, Objects]:
    """Objects of a dataset by side, from the cache if they were prepared before; see `load_objects`.

    Args:
        dataset: file of `synthesize`.
        meshes: folder of the meshes it was made from.
        hand: the hand it must have been made for.
        cache: folder of prepared files; the user's cache folder without.
    """
    key = hashlib.sha256(f"{_FORMAT} {hand.name} {FIELD_CELLS} {VALIDATION_SHARE}".encode())
    key.update(read_bytes(dataset, ARRAYS_MB, GraspPoseNetError))
    path = (cache or cache_dir()) / f"{dataset.stem}-{key.hexdigest()[:16]}.npz"
    try:
        return load_prepared(path, hand)
    except GraspPoseNetError:  # not there yet, or broken
        save_prepared(path, load_objects(dataset, meshes, hand), hand)
        return load_prepared(path, hand)


def fingerprint(dataset: Path) -> dict[str, str]:
    """Name and SHA-256 of a dataset file."""
    return {"name": dataset.name, "sha256": hashlib.sha256(dataset.read_bytes()).hexdigest()}


def save_prepared(path: Path, sides: dict[str, Objects], hand: Hand, **notes: Any) -> None:
    """Write objects of some sides of the split, with notes; a reader finds the whole file or none."""
    objects = list(sides.values())
    fields: dict[str, Any] = {
        name: np.concatenate([getattr(o, name).numpy() for o in objects]) for name in _FIELDS
    }
    with whole(path) as unfinished, unfinished.open("wb") as stream:
        np.savez_compressed(
            stream,
            format=_FORMAT,
            hand=hand.name,
            notes=json.dumps(notes),
            names=np.array([name for o in objects for name in o.names]),
            side=np.repeat(np.array(list(sides)), [len(o) for o in objects]),
            codes=np.concatenate([_encoded(o.values.numpy(), o.spacing.numpy()) for o in objects]),
            **fields,
            counts=np.concatenate([o.valid.sum(1).numpy() for o in objects]),
            grasps=np.concatenate([o.grasps[o.valid].numpy() for o in objects]),
        )


def load_prepared(path: Path, hand: Hand) -> dict[str, Objects]:
    """Objects by side: train, validation and test; a side that was not written has none.

    Raises:
        GraspPoseNetError: no such file, or it is for another hand.
    """
    data = _read(path)
    if str(data["hand"]) != hand.name:
        raise GraspPoseNetError(
            f"{path}: asked for grasps of hand {hand.name!r}, found {str(data['hand'])!r}"
        )
    if data["grasps"].shape[1] != hand.size:
        raise GraspPoseNetError(
            f"{path}: asked for x of {hand.size}, found {data['grasps'].shape[1]}; prepare it again"
        )
    grasps = np.split(data["grasps"], np.cumsum(data["counts"])[:-1])
    return {side: _objects(data, grasps, np.flatnonzero(data["side"] == side), hand) for side in SIDES}


def prepared_notes(path: Path) -> dict[str, Any]:
    """Notes of `save_prepared`; errors as `load_prepared`."""
    return parse_json(str(_read(path, ("format", "notes"))["notes"]), f"{path}: its notes", GraspPoseNetError)


def _read(path: Path, names: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Arrays of a prepared file, all without names."""
    try:
        data = read_arrays(path, names, LARGEST_MB)
        if missing := [name for name in names or ARRAYS if name not in data]:
            raise GraspPoseNetError(f"no array {missing[0]!r} in it")
        if data["format"].shape or data["format"].dtype.kind != "i" or int(data["format"]) != _FORMAT:
            raise GraspPoseNetError(f"format {brief(data['format'])}, this version reads {_FORMAT}")
        if not names:
            _check(data)
    except GraspPoseNetError as error:
        raise GraspPoseNetError(f"{path}: no prepared dataset ({error}); prepare it again") from error
    return data


def _check(data: dict[str, np.ndarray]) -> None:
    """Refuse arrays that do not belong together, or are not of finite numbers.

    Raises:
        GraspPoseNetError: naming one.
    """
    count, cells = len(data["names"]), data["codes"].shape[-1]
    total = int(data["counts"].sum()) if data["counts"].dtype.kind in "iu" else -1
    shapes: dict[str, tuple[int, ...]] = {
        name: (count,) for name in ("names", "side", "spacing", "radius", "counts")
    }
    shapes |= {
        "codes": (count, *[cells] * 3),
        "origin": (count, 3),
        "grasps": (total, *data["grasps"].shape[1:2]),
    }
    for name, (kinds, shape) in {name: (ARRAYS[name], shape) for name, shape in shapes.items()}.items():
        if data[name].dtype.kind not in kinds or data[name].shape != shape:
            raise GraspPoseNetError(f"{name}: expected {shape}, got {data[name].dtype} {data[name].shape}")
        if data[name].dtype.kind == "f" and not np.isfinite(data[name]).all():
            raise GraspPoseNetError(f"{name}: not all of its entries are finite numbers")
    if (
        count == 0
        or data["counts"].min() < 0
        or (data["spacing"] <= 0).any()
        or data["codes"].dtype != np.int8
    ):
        raise GraspPoseNetError("counts, spacing or codes are out of range")


def _objects(data: dict[str, np.ndarray], grasps: list[np.ndarray], rows: np.ndarray, hand: Hand) -> Objects:
    names = tuple(data["names"][rows].tolist())
    values = torch.from_numpy(_decoded(data["codes"][rows], data["spacing"][rows]))
    fields = {name: torch.from_numpy(data[name][rows]) for name in _FIELDS}
    packed, valid = packed_grasps([grasps[row] for row in rows], hand)
    return Objects(names=names, values=values, grasps=packed, valid=valid, **fields)


def _encoded(values: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Fields (O, R, R, R) [m] as differences of codes, int8; they wrap around, and back when they are summed."""
    differences = np.empty(values.shape, np.int8)
    for row, (field, cell) in enumerate(zip(values, spacing, strict=True)):
        root = np.sqrt(np.minimum(np.abs(field.astype(np.float32)) / cell / FARTHEST_CELLS, 1))
        codes = np.rint(LEVELS * np.sign(field) * root).astype(np.int8)
        differences[row] = np.diff(codes, axis=2, prepend=np.int8(0))
    return differences


def _decoded(differences: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Fields (O, R, R, R) float16 [m] of such differences."""
    values = np.empty(differences.shape, np.float16)
    for row, (difference, cell) in enumerate(zip(differences, spacing, strict=True)):
        codes = np.cumsum(difference, axis=2, dtype=np.int8).astype(np.float32) / LEVELS
        values[row] = np.sign(codes) * codes**2 * FARTHEST_CELLS * cell
    return values
