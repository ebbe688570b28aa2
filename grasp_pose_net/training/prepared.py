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
    key = hashlib.sha256(f"{_FORMAT} {hand.name} {hand.fingerprint} {FIELD_CELLS} {VALIDATION_SHARE}".encode())
    key.update(dataset.read_bytes() if dataset.is_file() else b"")
    path = (cache or cache_dir()) / f"{dataset.stem}-{key.hexdigest()[:16]}.npz"
    if not path.exists():
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
            hand_hash=hand.fingerprint,
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
    if reason := hand.mismatch(str(data["hand"]), str(data["hand_hash"])):
        raise GraspPoseNetError(f"{path}: {reason}; prepare it again")
    grasps = np.split(data["grasps"], np.cumsum(data["counts"])[:-1])
    return {side: _objects(data, grasps, np.flatnonzero(data["side"] == side), hand) for side in SIDES}


def prepared_notes(path: Path) -> dict[str, Any]:
    """Notes of `save_prepared`; errors as `load_prepared`."""
    return json.loads(str(_read(path, ("format", "notes"))["notes"]))


def _read(path: Path, names: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Arrays of a prepared file, all without names."""
    try:
        with np.load(path, allow_pickle=False) as stream:
            data = {name: stream[name] for name in names or stream.files}
        if int(data["format"]) != _FORMAT:
            raise ValueError(f"format {data['format']}, this version reads {_FORMAT}")
    except (OSError, KeyError, ValueError, EOFError) as error:
        raise GraspPoseNetError(f"{path}: no prepared dataset ({error}); prepare it again") from error
    return data


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
