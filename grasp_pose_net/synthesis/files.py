"""The dataset file: grasps of many objects in one compressed `.npz`, written whole or not at all.

Pose vectors are whole numbers of small steps in 16 bits: contact points move by 0.05 mm at most, where half
precision moves them by up to 0.11 mm for the same size. A grasp is rounded with `storable` before it is tried
and measured, so that every figure in the file belongs to the very numbers in the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.hand import Hand
from grasp_pose_net.reading import brief, parse_json, read_arrays
from grasp_pose_net.storage import whole
from grasp_pose_net.world.transforms import SHORTEST_QUATERNION

POSITION_STEP_M = 5e-5  # 16 bits reach 1.6 m, beyond the hand on the largest object
QUATERNION_STEP = 1 / 32767
JOINT_STEP_RAD = 1e-4  # 16 bits reach 3.27 rad
STRONG_EPSILON = 0.15  # force trials of candidates with at least this are also counted apart

HALF = ("epsilon", "hand_penetration_m", "self_penetration_m")


# kinds of numpy and axes of each array; axes of one name are of one length
FIELDS = {
    **{name: ("U", "objects") for name in ("objects", "split", "mesh_hash", "failure")},
    **{name: ("iu", "objects") for name in ("seed", "tried", "passed")},
    "extents_m": ("f", "objects", "three"),
    **{name: ("iu", "objects", "two") for name in ("trials", "successes")},
    "stages": ("U", "stages"),
    "seconds": ("f", "objects", "stages"),
    "planes": ("f", "planes", "four"),
    "object_index": ("iu", "grasps"),
    "x": ("f", "grasps", "numbers"),
    **{name: ("f", "grasps") for name in HALF},
    "plane": ("iu", "grasps"),
    "held": ("b", "grasps"),
}


@dataclass(frozen=True)
class GraspDataset:
    """Grasps of O objects, G in all.

    Attributes:
        hand: name of the hand.
        run: JSON of what the grasps depend on: hand, seed, planner, trial.
        objects: (O,) "source/name" of each object.
        split: (O,) "train" or "test".
        mesh_hash: (O,) beginning of the SHA-256 of each mesh file.
        extents_m: (O, 3) sides of the oriented bounding box, smallest first [m].
        seed: (O,) seed of each object's planner.
        failure: (O,) why an object was left out, empty where it was planned.
        tried: (O,) candidates descended.
        passed: (O,) candidates that passed the cheap filters.
        trials: (O, 2) force trials made: all, and those of candidates with an epsilon of `STRONG_EPSILON`.
        successes: (O, 2) trials that held, likewise.
        stages: (S,) names of the planner's stages.
        seconds: (O, S) processor time spent in each [s].
        planes: (P, 4) normals and offsets [m] of the support planes on which objects stand in stable poses,
            object frame; the first is all zeros and means that none is known.
        object_index: (G,) which object a grasp belongs to.
        x: (G, 7 + J) float32 pose vectors, object frame.
        epsilon: (G,) exact epsilon.
        hand_penetration_m: (G,) depth of the hand in the object [m].
        self_penetration_m: (G,) depth of the hand in itself [m].
        plane: (G,) which of `planes` hand and forearm are clear of.
        held: (G,) whether the grasp held in the force trial; False where none was made.
    """

    hand: str
    run: str
    objects: NDArray[np.str_]
    split: NDArray[np.str_]
    mesh_hash: NDArray[np.str_]
    extents_m: NDArray[np.float32]
    seed: NDArray[np.int64]
    failure: NDArray[np.str_]
    tried: NDArray[np.int64]
    passed: NDArray[np.int64]
    trials: NDArray[np.int64]
    successes: NDArray[np.int64]
    stages: NDArray[np.str_]
    seconds: NDArray[np.float32]
    planes: NDArray[np.float32]
    object_index: NDArray[np.int32]
    x: NDArray[np.float32]
    epsilon: NDArray[np.float32]
    hand_penetration_m: NDArray[np.float32]
    self_penetration_m: NDArray[np.float32]
    plane: NDArray[np.int16]
    held: NDArray[np.bool_]

    def __post_init__(self) -> None:
        """Check that the arrays belong together.

        Raises:
            GraspPoseNetError: naming the field and what is wrong with it.
        """
        sizes: dict[str, int] = {"four": 4, "three": 3, "two": 2}
        for name, (kinds, *axes) in FIELDS.items():
            array = getattr(self, name)
            if array.dtype.kind not in kinds:
                raise GraspPoseNetError(f"{name}: its entries are {array.dtype}")
            expected = tuple(sizes.setdefault(axis, n) for axis, n in zip(axes, array.shape, strict=False))
            if array.shape != expected or len(axes) != array.ndim:
                raise GraspPoseNetError(
                    f"{name}: expected ({', '.join(axes)}) like the others, got {array.shape}"
                )
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise GraspPoseNetError(f"{name}: not all of its entries are finite numbers")
        for name, size in (("object_index", len(self.objects)), ("plane", len(self.planes))):
            index = getattr(self, name)
            if len(index) and not 0 <= index.min() <= index.max() < size:
                raise GraspPoseNetError(f"{name}: goes from {index.min()} to {index.max()}, there are {size}")
        if self.x.shape[1] < 7 or (np.linalg.norm(self.x[:, 3:7], axis=1) < SHORTEST_QUATERNION).any():
            raise GraspPoseNetError("x: expected pose vectors with a quaternion that is a rotation")

    @property
    def counts(self) -> NDArray[np.int64]:
        """Grasps of each object (O,)."""
        return np.bincount(self.object_index, minlength=len(self.objects))

    @classmethod
    def joined(cls, parts: Sequence[GraspDataset]) -> GraspDataset:
        """One dataset of several that come from the same run.

        Args:
            parts: at least one; objects keep their order.
        """
        stages = list(dict.fromkeys(name for part in parts for name in part.stages.tolist()))
        first = parts[0]
        arrays: dict[str, Any] = {"hand": first.hand, "run": first.run, "stages": np.array(stages, np.str_)}
        for name in set(cls.__dataclass_fields__) - set(arrays) - {"seconds", "planes"}:
            arrays[name] = np.concatenate([getattr(part, name) for part in parts])
        arrays["seconds"] = np.concatenate([_by_stage(part, stages) for part in parts])
        arrays["planes"] = np.concatenate([first.planes[:1], *(part.planes[1:] for part in parts)])
        arrays["object_index"] = _shifted(parts, "object_index", [len(part.objects) for part in parts])
        arrays["plane"] = _shifted(parts, "plane", [len(part.planes) - 1 for part in parts])
        return cls(**arrays)


def load_dataset(path: Path) -> GraspDataset:
    """Read a dataset.

    Raises:
        GraspPoseNetError: the file is missing or cut, lacks a field, or has arrays that do not belong together.
    """
    try:
        fields: dict[str, Any] = read_arrays(path, GraspDataset.__dataclass_fields__)
        if fields["x"].dtype.kind != "i" or fields["x"].ndim != 2 or fields["x"].shape[1] < 7:
            raise GraspPoseNetError(
                f"x: expected (G, 7 + J) whole steps, got {fields['x'].dtype} {fields['x'].shape}"
            )
        fields["x"] = (fields["x"] * _steps(fields["x"].shape[1])).astype(np.float32)
        fields |= {name: fields[name].astype(np.float32) for name in HALF if fields[name].dtype.kind == "f"}
        data = GraspDataset(**{**fields, "hand": str(fields["hand"]), "run": str(fields["run"])})
        run = parse_json(data.run, "its run")
        if type(run.get("grasps")) is not int:
            raise GraspPoseNetError(
                f"its run says grasps {brief(run.get('grasps'))}, expected a whole number"
            )
    except GraspPoseNetError as error:
        raise GraspPoseNetError(
            f"{path}: not a grasp dataset ({error}); make one with `synthesize`"
        ) from error
    return data


def save_dataset(path: Path, data: GraspDataset) -> None:
    """Write a dataset; a reader finds the old file or the whole new one, whenever this is killed.

    Raises:
        ValueError: a pose vector is beyond what 16 bits reach.
    """
    arrays = {name: getattr(data, name) for name in GraspDataset.__dataclass_fields__}
    steps = np.rint(np.asarray(data.x, np.float64) / _steps(data.x.shape[1]))
    if not (np.abs(steps) <= np.iinfo(np.int16).max).all():
        raise ValueError("x: expected positions within 1.6 m and joints within 3.27 rad, got more")
    arrays["x"] = steps.astype(np.int16)
    arrays |= {name: arrays[name].astype(np.float16) for name in HALF}
    with whole(path) as unfinished, unfinished.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def storable(hand: Hand, x: NDArray[np.floating]) -> NDArray[np.float64]:
    """The nearest pose vectors (G, 7 + J) that a file holds exactly, joints inside their limits."""
    steps = _steps(x.shape[1])
    whole = np.rint(np.asarray(x, np.float64) / steps)
    lowest, highest = np.ceil(hand.lower / steps[7:]), np.floor(hand.upper / steps[7:])
    whole[:, 7:] = np.clip(whole[:, 7:], lowest, highest)
    return whole * steps


def _steps(size: int) -> NDArray[np.float64]:
    """Step of each entry of a pose vector of this size."""
    return np.repeat([POSITION_STEP_M, QUATERNION_STEP, JOINT_STEP_RAD], [3, 4, size - 7])


def _by_stage(part: GraspDataset, stages: list[str]) -> NDArray[np.float32]:
    """Seconds (O, S) with one column for each of `stages`, zero where the part has none."""
    seconds = np.zeros((len(part.objects), len(stages)), np.float32)
    seconds[:, [stages.index(name) for name in part.stages.tolist()]] = part.seconds
    return seconds


def _shifted(parts: Sequence[GraspDataset], name: str, sizes: list[int]) -> NDArray:
    """Joined indices: each part's are moved by the sizes of those before; of planes, 0 stays 0."""
    moved = []
    for part, start in zip(parts, np.cumsum([0, *sizes]), strict=False):
        index = getattr(part, name)
        moved.append(np.where((index == 0) & (name == "plane"), 0, index + start).astype(index.dtype))
    return np.concatenate(moved)
