"""Batches under rotations, packed objects, and the proof that no object is on two sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.shapes import (
    CELL_M,
    occupancy_grid,
    paper_rotations,
    random_rotations,
    rotate_pose,
    split_of,
)
from grasp_pose_net.synthesis import load_dataset, save_dataset
from grasp_pose_net.training import Objects, draw_batch, load_objects, make_batch, side_of
from grasp_pose_net.training.data import sampled_grids


def test_split_is_by_object_and_complete(
    tmp_path: Path, hand: Hand, write_dataset: Callable[..., Path]
) -> None:
    names = [f"made/thing_{i}" for i in range(40)]
    sides = load_objects(write_dataset(names), tmp_path / "meshes", hand)
    by_side = {side: set(objects.names) for side, objects in sides.items()}
    assert set.union(*by_side.values()) == set(names)
    assert sum(len(members) for members in by_side.values()) == len(names)
    assert by_side["test"] == {name for name in names if split_of(name) == "test"}
    assert all(by_side.values())  # each side has some


def test_test_objects_are_never_held_out_for_choosing() -> None:
    sides = {
        side_of(f"made/{i}", split_of(f"made/{i}")) for i in range(500) if split_of(f"made/{i}") == "test"
    }
    assert sides == {"test"}


def test_missing_mesh_and_other_hand_are_named(
    tmp_path: Path, hand: Hand, write_dataset: Callable[..., Path]
) -> None:
    dataset = write_dataset(["made/cube"])
    (tmp_path / "meshes" / "made" / "cube.obj").unlink()
    with pytest.raises(GraspPoseNetError, match="no mesh of 'made/cube'"):
        load_objects(dataset, tmp_path / "meshes", hand)
    dataset = write_dataset(["made/cube"], hand_name="barrett")
    with pytest.raises(GraspPoseNetError, match="asked for grasps of hand 'shadow', found 'barrett'"):
        load_objects(dataset, tmp_path / "meshes", hand)


def test_batch_repeats_with_the_seed_and_shows_the_rotated_object(objects: Objects) -> None:
    batch, again = (draw_batch(objects, 12, rng=np.random.default_rng(4)) for _ in range(2))
    torch.testing.assert_close(batch.grids, again.grids)
    assert set(batch.index.tolist()) == {0, 1}
    for number, rotation, grid in zip(
        batch.index.tolist(), batch.rotation.double(), batch.grids, strict=True
    ):
        alone = occupancy_grid(objects.field(number), rotation.numpy()[None])[0]
        assert (alone != grid).sum() < 5  # single precision may move a cell on the border


def test_grid_and_grasp_rotate_the_same_way(hand: Hand, objects: Objects) -> None:
    """Contact points of a rotated grasp meet the rotated grid where those of the grasp meet the object."""
    rotations = random_rotations(4, rng=np.random.default_rng(1))
    batch = make_batch(objects, np.zeros(4, np.int64), rotations)
    x = objects.grasps[0, :4].double()
    x[:, :3] *= 0.5
    kinematics = Kinematics(hand, torch.float64)
    distance = objects.field(0).distance(kinematics.contacts(x)[0])
    turned, _ = kinematics.contacts(rotate_pose(x, batch.rotation.double()))
    cells = (turned / CELL_M + 31.5).round().long().clamp(0, 63)
    occupied = batch.grids[torch.arange(4)[:, None], cells[..., 0], cells[..., 1], cells[..., 2]].bool()
    sure = distance.abs() > CELL_M
    assert (distance[sure] < 0).sum() > 3
    torch.testing.assert_close(occupied[sure], (distance < 0)[sure])
    torch.testing.assert_close(
        kinematics.contacts(batch.to_object_frame(rotate_pose(x, batch.rotation.double()).float()).double())[
            0
        ],
        kinematics.contacts(x)[0],
        atol=1e-5,
        rtol=0,
    )


def test_distance_to_many_objects_at_once(objects: Objects) -> None:
    points = torch.from_numpy(np.random.default_rng(0).uniform(-0.06, 0.06, (2, 50, 3))).float()
    both = objects.distance(torch.tensor([1, 0]), points)
    torch.testing.assert_close(both[0], objects.field(1).distance(points[:1])[0], atol=1e-4, rtol=0)
    torch.testing.assert_close(both[1], objects.field(0).distance(points[1:])[0], atol=1e-4, rtol=0)


def test_a_gpu_samples_the_same_grids(objects: Objects) -> None:
    batch = draw_batch(objects, 6, rng=np.random.default_rng(3))
    sampled = sampled_grids(objects, batch.index, batch.rotation)
    assert sampled.dtype == batch.grids.dtype
    assert batch.grids.sum() > 1000
    assert (sampled != batch.grids).sum() < 10  # cells whose centre is on the surface, but for rounding


def test_a_part_is_of_the_same_batch(objects: Objects) -> None:
    whole = draw_batch(objects, 4, rng=np.random.default_rng(2))
    part = draw_batch(objects, 4, rng=np.random.default_rng(2), part=slice(1, None, 2))
    torch.testing.assert_close(part.rotation, whole.rotation[1::2])
    torch.testing.assert_close(part.grids, whole.grids[1::2])


def test_share_of_the_papers_rotations(objects: Objects) -> None:
    def of_paper(share: float) -> int:
        batch = draw_batch(objects, 40, rng=np.random.default_rng(0), paper_share=share)
        apart = np.abs(batch.rotation.numpy()[:, None] - paper_rotations()[None]).max((2, 3))
        return int((apart.min(1) < 1e-6).sum())

    assert [of_paper(0.0), of_paper(1.0)] == [0, 40]
    assert 10 < of_paper(0.5) < 30


def test_grasps_that_fell_in_the_force_trial_are_left_out(
    tmp_path: Path, hand: Hand, write_dataset: Callable[..., Path]
) -> None:
    path = write_dataset(["made/cube", "made/block"])
    data = load_dataset(path)
    held = np.array([True, False, False, False])
    save_dataset(path, replace(data, split=np.array(["train", "train"]), held=held))
    sides = load_objects(path, tmp_path / "meshes", hand)
    objects = [o for o in sides.values() if len(o)]
    assert [(o.names, int(o.valid.sum())) for o in objects] == [((str(data.objects[0]),), 1)]


def test_fewer_objects_are_among_more(objects: Objects) -> None:
    one, two = objects.first(1), objects.first(2)
    assert set(one.names) < set(two.names) == set(objects.names)
    number = objects.names.index(one.names[0])
    torch.testing.assert_close(one.grasps[0], objects.grasps[number])
    torch.testing.assert_close(one.values[0], objects.values[number])
