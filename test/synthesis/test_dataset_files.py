"""The dataset file: what goes in comes out, rounding does not matter, and a failed write leaves the old file."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from quick_planner import QUICK

from grasp_pose_net.exceptions import GraspPoseNetError, StorageError
from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.models import share_dir
from grasp_pose_net.quality import epsilon_of, penetration
from grasp_pose_net.shapes import SignedDistanceField, split_of
from grasp_pose_net.synthesis import GraspDataset, load_dataset, save_dataset, storable, synthesize


@pytest.fixture(scope="module")
def hand() -> Hand:
    return Hand.load("shadow")


@pytest.fixture(scope="module")
def stored() -> GraspDataset:
    return load_dataset(share_dir() / "models" / "datasets" / "shadow.npz")


def one_object(x: np.ndarray, name: str, planes: int) -> GraspDataset:
    """A dataset of one object whose grasps are clear of its support planes in turn."""
    count = len(x)
    return GraspDataset(
        hand="shadow",
        run=json.dumps({"grasps": 100}),
        objects=np.array([name]),
        split=np.array([split_of(name)]),
        mesh_hash=np.array(["0123"]),
        extents_m=np.array([[0.03, 0.05, 0.1]], np.float32),
        seed=np.array([7]),
        failure=np.array([""]),
        tried=np.array([30]),
        passed=np.array([20]),
        trials=np.array([[10, 5]]),
        successes=np.array([[8, 5]]),
        stages=np.array(["field", name]),
        seconds=np.array([[1.0, 2.0]], np.float32),
        planes=np.vstack([np.zeros(4), np.random.default_rng(planes).normal(size=(planes, 4))]).astype("f4"),
        object_index=np.zeros(count, np.int32),
        x=x.astype(np.float32),
        epsilon=np.linspace(0.1, 0.3, count, dtype=np.float32),
        hand_penetration_m=np.linspace(0, 0.001, count, dtype=np.float32),
        self_penetration_m=np.zeros(count, np.float32),
        plane=(np.arange(count) % (planes + 1)).astype(np.int16),
        held=np.arange(count) % 2 == 0,
    )


def random_grasps(hand: Hand, count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    quat = rng.normal(size=(count, 4))
    quat /= np.linalg.norm(quat, axis=1, keepdims=True)
    joints = rng.uniform(hand.lower, hand.upper, (count, hand.size - 7))
    return np.hstack([rng.uniform(-0.25, 0.25, (count, 3)), quat, joints])


def test_what_goes_in_comes_out(hand, tmp_path):
    data = one_object(storable(hand, random_grasps(hand, 9)), "shop/can", 2)
    save_dataset(tmp_path / "a.npz", data)
    again = load_dataset(tmp_path / "a.npz")
    for name in data.__dataclass_fields__:
        value, back = getattr(data, name), getattr(again, name)
        if name in ("epsilon", "hand_penetration_m"):
            np.testing.assert_allclose(back, value, rtol=1e-3, atol=1e-7)
        else:
            np.testing.assert_array_equal(back, value, err_msg=name)
            assert np.asarray(back).dtype == np.asarray(value).dtype, name


def test_joined_parts_keep_their_planes_and_stages(hand):
    x = storable(hand, random_grasps(hand, 5))
    parts = [
        one_object(x, "shop/can", 2),
        one_object(x[:0], "shop/none", 0),
        one_object(x[:4], "shop/box", 3),
    ]
    data = GraspDataset.joined(parts)
    assert data.counts.tolist() == [5, 0, 4] and len(data.planes) == 6
    for number in (0, 2):
        own = data.object_index == number
        part = parts[number]
        np.testing.assert_array_equal(data.planes[data.plane[own]], part.planes[part.plane])
    assert data.stages.tolist() == ["field", "shop/can", "shop/none", "shop/box"]
    np.testing.assert_array_equal(data.seconds, [[1, 2, 0, 0], [1, 0, 2, 0], [1, 0, 0, 2]])


def test_storable_grasps_are_exact_close_and_within_limits(hand, tmp_path):
    x = random_grasps(hand, 300)
    x[:2, 7:] = hand.lower, hand.upper
    kept = storable(hand, x)
    assert (kept[:, 7:] >= hand.lower).all() and (kept[:, 7:] <= hand.upper).all()
    np.testing.assert_array_equal(storable(hand, kept), kept)
    save_dataset(tmp_path / "a.npz", one_object(kept, "shop/can", 0))
    np.testing.assert_array_equal(load_dataset(tmp_path / "a.npz").x, kept.astype(np.float32))
    kinematics = Kinematics(hand, torch.float64)
    before, after, half = (
        kinematics.contacts(torch.tensor(poses))[0].numpy()
        for poses in (x, kept, x.astype(np.float16).astype(float))
    )
    moved, moved_by_half = (np.linalg.norm(points - before, axis=-1).max() for points in (after, half))
    assert moved < 0.0001 < moved_by_half  # why not half precision


def test_rounding_changes_no_figure_that_matters(hand):
    can = trimesh.creation.cylinder(radius=0.03, height=0.12, sections=32)
    x = synthesize(hand, can, 20, np.random.default_rng(0), replace(QUICK, max_candidates=40)).x
    field, kinematics = SignedDistanceField.from_mesh(can), Kinematics(hand, torch.float64)
    pressed = np.hstack([0.9 * x[:, :3], x[:, 3:]])  # some millimetres deep
    deep, rounded = (
        penetration(hand, kinematics, field, torch.tensor(poses)).hand_penetration_m
        for poses in (pressed, storable(hand, pressed))
    )
    assert deep.median() > 1e-3 and 0 < float((deep - rounded).abs().max()) < 5e-5
    before, after = epsilon_of(hand, field, x), epsilon_of(hand, field, storable(hand, x))
    assert before.mean() > 0.1
    # a contact point that crosses the 5 mm within which it counts may change the figure of a single grasp
    assert np.median(np.abs(after - before)) < 1e-3


def test_a_pose_out_of_reach_is_refused(hand, tmp_path):
    x = random_grasps(hand, 2)
    x[1, 0] = 1.7
    with pytest.raises(ValueError, match=r"expected positions within 1\.6 m"):
        save_dataset(tmp_path / "a.npz", one_object(x, "shop/can", 0))


def test_a_file_that_is_no_dataset_is_an_error(tmp_path):
    np.savez(tmp_path / "other.npz", a=1)
    (tmp_path / "empty.npz").touch()
    for name in ("other.npz", "missing.npz", "empty.npz"):
        with pytest.raises(GraspPoseNetError, match=f"{name}: not a grasp dataset"):
            load_dataset(tmp_path / name)


def test_a_failed_write_leaves_the_old_file(hand, tmp_path, monkeypatch):
    data = one_object(storable(hand, random_grasps(hand, 3)), "shop/can", 1)
    save_dataset(tmp_path / "a.npz", data)

    def full(stream, **arrays):
        stream.write(b"half")
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(StorageError, match=r"cannot write .*a\.npz: No space left on device"):
        save_dataset(tmp_path / "a.npz", data)
    np.testing.assert_array_equal(load_dataset(tmp_path / "a.npz").x, data.x)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


CHANGES = [
    ({"x": lambda x: x[:-1]}, r"x: expected \(grasps, numbers\) like the others, got \(3, 25\)"),
    ({"x": np.ravel}, r"x: expected \(G, 7 \+ J\) whole steps, got int16 \(100,\)"),
    ({"x": lambda x: x[:, :3]}, r"x: expected \(G, 7 \+ J\) whole steps, got int16 \(4, 3\)"),
    ({"x": lambda x: x * 0}, "x: expected pose vectors with a quaternion that is a rotation"),
    ({"x": lambda x: x.astype(np.float32)}, "whole steps, got float32"),
    ({"epsilon": lambda e: e * np.float16(np.nan)}, "epsilon: not all of its entries are finite numbers"),
    ({"object_index": lambda i: i + 7}, "object_index: goes from 7 to 7, there are 1"),
    ({"plane": lambda i: i - 1}, "plane: goes from -1 to 1, there are 3"),
    ({"objects": lambda o: o[:0]}, r"split: expected \(objects\) like the others, got \(1,\)"),
    ({"seed": lambda s: s.astype(str)}, "seed: its entries are <U"),
    ({"run": lambda r: np.array("x")}, "its run is not valid JSON"),
    ({"run": lambda r: np.array("{}")}, "its run says grasps None, expected a whole number"),
    ({"held": lambda h: None}, "no array 'held' in it; it has .'hand'"),
    ({"objects": lambda o: np.array([{}], object)}, "holds Python objects"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_arrays_that_do_not_belong_together_are_named(hand, tmp_path, change, message):
    save_dataset(tmp_path / "a.npz", one_object(storable(hand, random_grasps(hand, 4)), "shop/can", 2))
    with np.load(tmp_path / "a.npz") as stream:
        arrays = dict(stream)
    ((name, changed),) = change.items()
    arrays[name] = changed(arrays[name])
    np.savez(tmp_path / "b.npz", **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(GraspPoseNetError, match=message) as refused:
        load_dataset(tmp_path / "b.npz")
    assert str(refused.value).startswith(f"{tmp_path / 'b.npz'}: not a grasp dataset (")


def test_the_dataset_of_the_package_is_sound(hand, stored):
    assert len(stored.objects) >= 60 and not any("ycb" in str(name).lower() for name in stored.objects)
    assert (stored.counts >= 50).mean() >= 0.9 and stored.counts.max() <= 100
    assert [split_of(str(name)) for name in stored.objects] == stored.split.tolist()
    assert stored.epsilon.mean() >= 0.15
    assert np.percentile(stored.hand_penetration_m, 95) <= 0.001
    assert (stored.plane > 0).mean() >= 0.5
    np.testing.assert_allclose(np.linalg.norm(stored.x[:, 3:7], axis=1), 1.0, atol=1e-4)
    assert (stored.x[:, 7:] >= hand.lower - 1e-6).all() and (stored.x[:, 7:] <= hand.upper + 1e-6).all()
    assert (share_dir() / "models" / "datasets" / "shadow.npz").stat().st_size < 10e6
