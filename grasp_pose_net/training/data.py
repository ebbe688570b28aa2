"""What a network is trained on: fields and grasps of objects, and batches of grids under random rotations.

What is in a batch depends on the seed and the number of its step alone. So nothing has to be kept to go on after a stop,
and any number of workers makes the same batches.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numba
import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.hand import Hand
from grasp_pose_net.shapes import (
    CELL_M,
    GRID_CELLS,
    SignedDistanceField,
    load_mesh,
    occupancy_grid,
    paper_rotations,
    random_rotations,
    sample_fields,
)
from grasp_pose_net.shapes.rotations import quat_from_rotation, quat_multiply
from grasp_pose_net.shapes.split import object_hash
from grasp_pose_net.synthesis import find_meshes, load_dataset, object_name

SIDES = ("train", "validation", "test")
FIELD_CELLS = 64  # half a MB for each object; cells of 2 to 5 mm, about those of the occupancy grid
AHEAD = 4  # batches that each worker has ready
VALIDATION_SHARE = 10  # one in so many of the training objects is held out to choose the best checkpoint


def side_of(name: str, split: str) -> str:
    """Side of an object "source/name": train, validation (held out of the former) or test."""
    held_out = split == "train" and object_hash(name) // 100 % VALIDATION_SHARE == 0
    return "validation" if held_out else split


@dataclass(frozen=True)
class Objects:
    """Objects with their grasps, all in the object frame; on one device, the GPU's if it is to make the grids.

    Attributes:
        names: (O,) "source/name".
        values: (O, R, R, R) float16 samples of the signed distance fields [m].
        origin: (O, 3) [m],
        spacing: (O,) [m] and
        radius: (O,) [m] of the fields.
        grasps: (O, K, 7 + J) pose vectors; unused places are zero.
        valid: (O, K) bool, which places are used.
    """

    names: tuple[str, ...]
    values: torch.Tensor
    origin: torch.Tensor
    spacing: torch.Tensor
    radius: torch.Tensor
    grasps: torch.Tensor
    valid: torch.Tensor

    def __len__(self) -> int:
        return len(self.names)

    def distance(self, index: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        """Signed distances (B, P) [m] of points (B, P, 3) [m] to objects `index` (B,); differentiable."""
        return sample_fields(self.values, self.origin, self.spacing, index, points)

    def field(self, number: int) -> SignedDistanceField:
        """Signed distance field of one object."""
        values, origin = self.values[number].float().numpy(), self.origin[number].numpy()
        return SignedDistanceField(values, origin, float(self.spacing[number]), float(self.radius[number]))

    def to(self, device: torch.device) -> Objects:
        """The same objects on a device."""
        tensors = {f.name: getattr(self, f.name).to(device) for f in fields(self) if f.name != "names"}
        return replace(self, **tensors)

    def first(self, count: int) -> Objects:
        """A fair sample of so many objects, chosen by the hash of their names; larger samples hold smaller ones."""
        chosen = sorted(range(len(self)), key=lambda number: object_hash(self.names[number]))[:count]
        tensors = {f.name: getattr(self, f.name)[chosen] for f in fields(self) if f.name != "names"}
        return Objects(names=tuple(self.names[number] for number in chosen), **tensors)


@dataclass(frozen=True)
class TrainingBatch:
    """What the network sees, and what is needed to judge its answer.

    Attributes:
        index: (B,) which object.
        rotation: (B, 3, 3) of the object in the grid,
        quat_wxyz: (B, 4) and the same as unit quaternions.
        grids: (B, 64, 64, 64) uint8 occupancy of the rotated objects.
    """

    index: torch.Tensor
    rotation: torch.Tensor
    quat_wxyz: torch.Tensor
    grids: torch.Tensor

    def to_object_frame(self, x: torch.Tensor) -> torch.Tensor:
        """Pose vectors (B, 7 + J) of the rotated objects, as grasps of the objects as they are."""
        back_wxyz = self.quat_wxyz * self.quat_wxyz.new_tensor([1.0, -1.0, -1.0, -1.0])
        position = (self.rotation.transpose(1, 2) @ x[:, :3, None])[..., 0]
        return torch.cat([position, quat_multiply(back_wxyz, x[:, 3:7]), x[:, 7:]], dim=1)


def load_objects(dataset: Path, meshes: Path, hand: Hand) -> dict[str, Objects]:
    """Objects of a dataset that have grasps, by side: train, validation and test.

    Of a dataset with force trials only grasps that held are taken.

    Args:
        dataset: file of `synthesize`.
        meshes: folder with `<source>/<name>.obj` (or ply, stl) that it was made from.
        hand: the hand it must have been made for.

    Raises:
        GraspPoseNetError: a mesh is missing, the dataset is for another hand, or has no training objects.
    """
    data = load_dataset(dataset)
    if reason := hand.mismatch(data.hand, json.loads(data.run).get("hand_hash")):
        raise GraspPoseNetError(f"{dataset}: {reason}; make grasps of this hand with `synthesize`")
    files = {object_name(file): file for file in find_meshes(meshes)}
    good = data.held if data.held.any() else np.ones_like(data.held)
    sides: dict[str, list[tuple[str, SignedDistanceField, np.ndarray]]] = {side: [] for side in SIDES}
    for number, name in enumerate(tqdm(data.objects.tolist(), desc="fields", unit="object", disable=None)):
        grasps = data.x[(data.object_index == number) & good]
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
    grasps, valid = packed_grasps([grasps for _, _, grasps in entries], hand)
    made = [field for _, field, _ in entries]
    cells = made[0].resolution if made else FIELD_CELLS
    return Objects(
        names=tuple(name for name, _, _ in entries),
        values=torch.from_numpy(np.array([f.values for f in made], np.float16).reshape(-1, *[cells] * 3)),
        origin=torch.tensor(np.array([f.origin for f in made]).reshape(-1, 3), dtype=torch.float32),
        spacing=torch.tensor([f.spacing for f in made], dtype=torch.float32),
        radius=torch.tensor([f.radius for f in made], dtype=torch.float32),
        grasps=grasps,
        valid=valid,
    )


def packed_grasps(grasps: list[np.ndarray], hand: Hand) -> tuple[torch.Tensor, torch.Tensor]:
    """Grasps (K_i, 7 + J) of each object as one tensor (O, K, 7 + J), and which places (O, K) are used."""
    most = max(map(len, grasps), default=1)
    packed = torch.zeros(len(grasps), most, hand.size)
    valid = torch.zeros(len(grasps), most, dtype=torch.bool)
    for row, x in enumerate(grasps):
        packed[row, : len(x)] = torch.from_numpy(x.astype(np.float32))
        valid[row, : len(x)] = True
    packed[..., 3:7] = functional.normalize(packed[..., 3:7], dim=-1)
    return packed, valid


def draw_batch(
    objects: Objects,
    count: int,
    *,
    rng: np.random.Generator,
    paper_share: float = 0.0,
    part: slice = slice(None),
) -> TrainingBatch:
    """Random objects under random rotations.

    Rotating grid and grasps together is the paper's augmentation, from all rotations instead of 27. Since
    any of an object's grasps may be answered, the network is free to always come from the side of the
    grid that suits it; rotating the grid at run time then chooses the side of the object. The rotation
    retries rest on this.

    Args:
        objects: to draw from.
        count: grids in the batch.
        rng: source of randomness.
        paper_share: share of the grids under one of the paper's 27 rotations; the others are uniform in SO(3).
        part: of the batch that is made; what is drawn does not depend on it.
    """
    index = rng.integers(len(objects), size=count)
    rotations = random_rotations(count, rng=rng)
    of_paper = rng.random(count) < paper_share
    rotations[of_paper] = rng.choice(paper_rotations(), size=count)[of_paper]
    return make_batch(objects, index[part], rotations[part])


def make_batch(objects: Objects, index: np.ndarray, rotations: np.ndarray) -> TrainingBatch:
    """Grids of objects `index` (B,) under rotations (B, 3, 3), made where the objects are."""
    device = objects.values.device
    numbers, turns = torch.from_numpy(index), torch.from_numpy(rotations)
    if device.type == "cpu":
        pairs = zip(index.tolist(), rotations, strict=True)
        grids = torch.cat([occupancy_grid(objects.field(n), turn[None]) for n, turn in pairs])
    else:
        grids = sampled_grids(objects, numbers.to(device), turns.float().to(device))
    rotation, quat_wxyz = turns.float().to(device), quat_from_rotation(turns).float().to(device)
    return TrainingBatch(numbers.to(device), rotation, quat_wxyz, grids)


def sampled_grids(objects: Objects, index: torch.Tensor, rotation: torch.Tensor) -> torch.Tensor:
    """Grids (B, 64, 64, 64) uint8 of objects `index` (B,) under rotations (B, 3, 3), as a GPU makes them.

    The same as `occupancy_grid` gives for one object after the other.
    """
    last = objects.values.shape[-1] - 1
    axis = (torch.arange(GRID_CELLS, device=index.device) - (GRID_CELLS - 1) / 2) * CELL_M
    centres = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).reshape(-1, 3)
    points = centres @ rotation  # (B, 64³, 3), each centre turned back into the object frame
    cells = (points - objects.origin[index][:, None]) / objects.spacing[index][:, None, None]
    # grid_sample counts from -1 to 1 and wants the fastest axis first
    places = (cells * (2 / last) - 1).flip(-1).unflatten(1, (GRID_CELLS,) * 3)
    values = objects.values[index][:, None].float()
    distance = functional.grid_sample(values, places, padding_mode="border", align_corners=True)[:, 0]
    within = ((cells >= 0) & (cells <= last)).all(-1).unflatten(1, (GRID_CELLS,) * 3)
    return ((distance <= 0) & within).to(torch.uint8)


@dataclass(frozen=True)
class Draws(Dataset[TrainingBatch]):
    """The batch of every step.

    Attributes:
        objects: to draw from.
        batch: grids of the joint batch.
        part: of it that is wanted.
        seed: of the run.
        paper_share: share of grids under the paper's rotations.
    """

    objects: Objects
    batch: int
    part: slice
    seed: int
    paper_share: float

    def __getitem__(self, step: int) -> TrainingBatch:
        """Batch of a step."""
        rng = np.random.default_rng([self.seed, step])
        return draw_batch(self.objects, self.batch, rng=rng, paper_share=self.paper_share, part=self.part)


def stream(draws: Draws, steps: range, workers: int) -> Iterator[TrainingBatch]:
    """Batches of some steps in order, made ahead by worker processes, or here and now without any."""
    if workers == 0:
        return map(draws.__getitem__, steps)
    loader = DataLoader(
        draws,
        batch_size=None,
        sampler=steps,
        num_workers=workers,
        prefetch_factor=AHEAD,
        multiprocessing_context="spawn",  # threads of numba and torch do not survive a fork
        worker_init_fn=_one_thread,
        generator=torch.Generator(),  # else the loader takes a seed from the global one
    )
    return iter(loader)


def _one_thread(_: int) -> None:
    numba.set_num_threads(1)
