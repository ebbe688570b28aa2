"""The one file of fields and grasps: what it keeps, how exactly, and how large it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.hand import Hand
from grasp_pose_net.shapes import SignedDistanceField, random_rotations
from grasp_pose_net.training import (
    Objects,
    load_objects,
    load_prepared,
    make_batch,
    make_objects,
    prepared,
    save_prepared,
)


def test_keeps_objects_by_side(tmp_path: Path, objects: Objects, hand: Hand) -> None:
    save_prepared(tmp_path / "p.npz", {"train": objects, "test": objects.first(1)}, hand)
    sides = load_prepared(tmp_path / "p.npz", hand)
    assert [len(side) for side in sides.values()] == [2, 0, 1]
    assert sides["train"].names == objects.names
    for name in ("origin", "spacing", "radius", "grasps", "valid"):
        torch.testing.assert_close(getattr(sides["train"], name), getattr(objects, name), rtol=0, atol=1e-6)
    assert list(tmp_path.iterdir()) == [tmp_path / "p.npz"]


def test_fields_are_exact_where_it_matters(tmp_path: Path, objects: Objects, hand: Hand) -> None:
    save_prepared(tmp_path / "p.npz", {"train": objects}, hand)
    again = load_prepared(tmp_path / "p.npz", hand)["train"]
    cells = objects.spacing[:, None, None, None]
    wrong = (again.values.float() - objects.values.float()).abs() / cells
    depth = objects.values.float().abs() / cells
    assert wrong[depth < 1.5].max() < 0.08
    assert (wrong <= 0.01 + 0.0625 * depth.sqrt()).all()
    assert (again.values.sign() == objects.values.sign())[depth > 0.02].all()
    turns = random_rotations(2, rng=np.random.default_rng(0))
    one, two = (make_batch(o, np.arange(2), turns).grids for o in (objects, again))
    assert (one != two).float().sum() < 0.02 * one.sum()


def test_one_object_takes_less_than_60_kb(tmp_path: Path, hand: Hand) -> None:
    mesh = trimesh.creation.annulus(0.02, 0.04, 0.1)
    x = np.zeros((1, hand.size))
    objects = make_objects([("made/ring", SignedDistanceField.from_mesh(mesh, 64), x)], hand)
    save_prepared(tmp_path / "p.npz", {"train": objects}, hand)
    assert (tmp_path / "p.npz").stat().st_size < 60e3


def test_a_dataset_is_prepared_once(
    tmp_path: Path, hand: Hand, write_dataset: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"made/thing_{i}" for i in range(4)]
    dataset, made = write_dataset(names), []

    def counted(*arguments: object) -> dict[str, Objects]:
        made.append(arguments)
        return load_objects(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(prepared, "load_objects", counted)
    for _ in range(2):
        sides = prepared.prepared_objects(dataset, tmp_path / "meshes", hand)
        assert sum(len(side) for side in sides.values()) == 4
    assert len(made) == 1
    write_dataset(names[:3])  # another dataset of the same name
    prepared.prepared_objects(dataset, tmp_path / "meshes", hand, tmp_path / "elsewhere")
    assert len(made) == 2
    assert len(list((tmp_path / "elsewhere").iterdir())) == 1


def test_strange_files_and_other_hands_are_named(tmp_path: Path, objects: Objects, hand: Hand) -> None:
    save_prepared(tmp_path / "p.npz", {"train": objects}, hand)
    with pytest.raises(GraspPoseNetError, match="asked for grasps of hand 'barrett', found 'shadow'"):
        load_prepared(tmp_path / "p.npz", Hand.load("barrett"))
    (tmp_path / "q.npz").write_text("dear reader")
    with pytest.raises(GraspPoseNetError, match="no prepared dataset"):
        load_prepared(tmp_path / "q.npz", hand)
