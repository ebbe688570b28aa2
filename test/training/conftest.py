from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh
from made_objects import random_grasps

from grasp_pose_net.hand import Hand
from grasp_pose_net.shapes import SignedDistanceField, split_of
from grasp_pose_net.synthesis import GraspDataset, save_dataset
from grasp_pose_net.training import Objects, make_objects


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prepared fields of a test stay in the test's folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def hand() -> Hand:
    return Hand.load("shadow")


@pytest.fixture(scope="session")
def objects(hand: Hand) -> Objects:
    """A box with five grasps and a ball with three."""
    shapes = {
        "made/box": trimesh.creation.box((0.06, 0.1, 0.15)),
        "made/ball": trimesh.creation.icosphere(radius=0.04),
    }
    entries = [
        (name, SignedDistanceField.from_mesh(mesh, 32), random_grasps(hand, count, count))
        for (name, mesh), count in zip(shapes.items(), (5, 3), strict=True)
    ]
    return make_objects(entries, hand)


@pytest.fixture
def write_dataset(tmp_path: Path, hand: Hand) -> Callable[..., Path]:
    """Writes a dataset with two grasps of each named object, and their meshes in `meshes`."""

    def write(names: list[str], hand_name: str = "shadow") -> Path:
        for name in names:
            file = tmp_path / "meshes" / f"{name}.obj"
            file.parent.mkdir(parents=True, exist_ok=True)
            trimesh.creation.box((0.05, 0.06, 0.1)).export(file)
        count, zero = len(names), np.zeros(2 * len(names), np.float32)
        data = GraspDataset(
            hand=hand_name,
            run='{"grasps": 2}',
            objects=np.array(names),
            split=np.array([split_of(name) for name in names]),
            mesh_hash=np.array([""] * count),
            extents_m=np.zeros((count, 3), np.float32),
            seed=np.arange(count),
            failure=np.array([""] * count),
            tried=np.full(count, 9),
            passed=np.full(count, 3),
            trials=np.full((count, 2), 3),
            successes=np.full((count, 2), 2),
            stages=np.array(["all"]),
            seconds=np.zeros((count, 1), np.float32),
            planes=np.zeros((1, 4), np.float32),
            object_index=np.repeat(np.arange(count, dtype=np.int32), 2),
            x=random_grasps(hand, 2 * count, 0).astype(np.float32),
            epsilon=zero,
            hand_penetration_m=zero,
            self_penetration_m=zero,
            plane=np.zeros(2 * count, np.int16),
            held=np.ones(2 * count, np.bool_),
        )
        save_dataset(tmp_path / "set.npz", data)
        return tmp_path / "set.npz"

    return write
