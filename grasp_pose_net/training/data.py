"""What a network is trained on: fields and grasps of objects, and batches of grids under random rotations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.hand import Hand
from grasp_pose_net.shapes import (
    SignedDistanceField,
    load_mesh,
    occupancy_grid,
    random_rotations,
    rotate_pose,
    sample_fields,
)
from grasp_pose_net.shapes.split import object_hash
from grasp_pose_net.synthesis import find_meshes, load_dataset, object_name

FIELD_CELLS = 64  # 1 MB for each object; cells of 2 to 5 mm, about those of the occupancy grid
VALIDATION_SHARE = 10  # one in so many of the training objects is held out to choose the best checkpoint


def side_of(name: str, split: str) -> str:
    """Side of an object "source/name": train, validation (held out of the former) or test."""
    held_out = split == "train" and object_hash(name) // 100 % VALIDATION_SHARE == 0
    return "validation" if held_out else split


@dataclass(frozen=True)
class Objects:
    """Objects with their grasps, all in the object frame.

    Attributes:
        names: (O,) "source/name".
        fields: signed distance field of each, as grids are made from.
        values: (O, R, R, R) float16 the same samples [m], for distances of many objects at once.
        origin: (O, 3) [m] and
        spacing: (O,) [m] of the fields.
        grasps: (O, K, 7 + J) pose vectors; unused places are zero.
        valid: (O, K) bool, which places are used.
    """

    names: tuple[str, ...]
    fields: tuple[SignedDistanceField, ...]
    values: torch.Tensor
    origin: torch.Tensor
    spacing: torch.Tensor
    grasps: torch.Tensor
    valid: torch.Tensor

    def __len__(self) -> int:
        return len(self.names)

    def distance(self, index: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        """Signed distances (B, P) [m] of points (B, P, 3) [m] to objects `index` (B,); differentiable."""
        return sample_fields(self.values, self.origin, self.spacing, index, points)


@dataclass(frozen=True)
class Batch:
    """What the network sees, and what is needed to judge its answer.

    Attributes:
        index: (B,) which object.
        rotation: (B, 3, 3) of the object in the grid.
        grids: (B, 64, 64, 64) uint8 occupancy of the rotated objects.
    """

    index: torch.Tensor
    rotation: torch.Tensor
    grids: torch.Tensor

    def to_object_frame(self, x: torch.Tensor) -> torch.Tensor:
        """Pose vectors (B, 7 + J) of the rotated objects, as grasps of the objects as they are."""
        return rotate_pose(x, self.rotation.transpose(1, 2))


def load_objects(dataset: Path, meshes: Path, hand: Hand) -> dict[str, Objects]:
    """Objects of a dataset that have grasps, by side: train, validation and test.

    Args:
        dataset: file of `synthesize`.
        meshes: folder with `<source>/<name>.obj` (or ply, stl) that it was made from.
        hand: the hand it must have been made for.

    Raises:
        GraspPoseNetError: a mesh is missing, the dataset is for another hand, or has no training objects.
    """
    data = load_dataset(dataset)
    if data.hand != hand.name:
        raise GraspPoseNetError(f"{dataset}: asked for grasps of hand {hand.name!r}, found {data.hand!r}")
    files = {object_name(file): file for file in find_meshes(meshes)}
    sides: dict[str, list[tuple[str, SignedDistanceField, np.ndarray]]] = {
        "train": [],
        "validation": [],
        "test": [],
    }
    for number, name in enumerate(tqdm(data.objects.tolist(), desc="fields", unit="object")):
        grasps = data.x[data.object_index == number]
        if len(grasps) == 0:
            continue
        if name not in files:
            raise GraspPoseNetError(f"{meshes}: no mesh of {name!r}, which {dataset} has grasps of")
        field = SignedDistanceField.from_mesh(load_mesh(files[name]), FIELD_CELLS)
        sides[side_of(name, str(data.split[number]))].append((name, field, grasps))
    if not sides["train"]:
        raise GraspPoseNetError(f"{dataset}: no training object with grasps; make more with `synthesize`")
    return {side: make_objects(entries, hand) for side, entries in sides.items()}


def make_objects(entries: list[tuple[str, SignedDistanceField, np.ndarray]], hand: Hand) -> Objects:
    """Pack (name, field, grasps (K, 7 + J)) of objects into tensors."""
    most = max((len(grasps) for _, _, grasps in entries), default=1)
    packed = torch.zeros(len(entries), most, hand.size)
    valid = torch.zeros(len(entries), most, dtype=torch.bool)
    for row, (_, _, grasps) in enumerate(entries):
        packed[row, : len(grasps)] = torch.from_numpy(grasps.astype(np.float32))
        valid[row, : len(grasps)] = True
    packed[..., 3:7] = torch.nn.functional.normalize(packed[..., 3:7], dim=-1)
    fields = tuple(field for _, field, _ in entries)
    return Objects(
        names=tuple(name for name, _, _ in entries),
        fields=fields,
        values=torch.from_numpy(np.array([field.values for field in fields], np.float16)),
        origin=torch.tensor(np.array([field.origin for field in fields]), dtype=torch.float32),
        spacing=torch.tensor([field.spacing for field in fields], dtype=torch.float32),
        grasps=packed,
        valid=valid,
    )


def draw_batch(objects: Objects, count: int, *, rng: np.random.Generator) -> Batch:
    """Random objects under random rotations, uniform in SO(3).

    Rotating grid and grasps together is the paper's augmentation, from all rotations instead of 27. Since
    any of an object's grasps may be answered, the network is free to always come from the side of the
    grid that suits it; rotating the grid at run time then chooses the side of the object. The rotation
    retries rest on this.
    """
    return make_batch(objects, rng.integers(len(objects), size=count), random_rotations(count, rng=rng))


def make_batch(objects: Objects, index: np.ndarray, rotations: np.ndarray) -> Batch:
    """Grids of objects `index` (B,) under rotations (B, 3, 3)."""
    pairs = zip(index.tolist(), rotations, strict=True)
    grids = [occupancy_grid(objects.fields[number], rotation[None]) for number, rotation in pairs]
    return Batch(torch.from_numpy(index), torch.from_numpy(rotations).float(), torch.cat(grids))
