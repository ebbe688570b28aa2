"""Dataset files: resumable, whole or not at all, honest about meshes that cannot be used."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.models import share_dir
from grasp_pose_net.shapes import split_of
from grasp_pose_net.synthesis import Synthesis, dataset, load_dataset, synthesize_dataset

QUICK = Synthesis(
    descent=replace(Synthesis().descent, iterations=60),
    least_epsilon=0.0,
    rounds=1,
    oversample=4,
    table_poses=1,
)


@pytest.fixture
def meshes(tmp_path):
    folder = tmp_path / "meshes" / "shop"
    folder.mkdir(parents=True)
    trimesh.creation.cylinder(radius=0.03, height=0.1, sections=16).export(folder / "can.obj")
    trimesh.creation.box((0.05, 0.06, 0.1)).export(folder / "box.obj")
    return folder.parent


def test_dataset_holds_every_object(meshes, tmp_path):
    report = synthesize_dataset(meshes, tmp_path / "out.npz", grasps=3, seed=2, config=QUICK)
    data = load_dataset(tmp_path / "out.npz")
    assert sorted(data.objects) == ["shop/box", "shop/can"] and data.hand == "shadow"
    assert [str(side) for side in data.split] == [split_of(str(name)) for name in data.objects]
    assert data.x.dtype == np.float32 and data.x.shape[1] == 25
    assert (
        len(data.x) == len(data.epsilon) == len(data.plane) == len(data.object_index) == report["grasps"] > 0
    )
    assert set(data.object_index) <= {0, 1} and (np.diff(data.object_index) >= 0).all()
    assert report["objects"] == 2 and report["failures"] == {}


def test_a_killed_run_goes_on_and_gives_the_same(meshes, tmp_path, monkeypatch):
    whole = tmp_path / "whole.npz"
    synthesize_dataset(meshes, whole, grasps=2, config=QUICK)
    planned = []

    def killed_at_the_second(mesh, *arguments):
        planned.append(mesh.stem)
        if len(planned) == 2:
            raise KeyboardInterrupt
        return plan(mesh, *arguments)

    plan, out = dataset._plan, tmp_path / "out.npz"
    monkeypatch.setattr(dataset, "_plan", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        synthesize_dataset(meshes, out, grasps=2, config=QUICK)
    assert not out.exists()
    synthesize_dataset(meshes, out, grasps=2, config=QUICK)
    assert len(planned) == 3 and len(set(planned)) == 2  # the first object was not planned again
    first, second = load_dataset(whole), load_dataset(out)
    np.testing.assert_array_equal(first.x, second.x)
    np.testing.assert_array_equal(first.objects, second.objects)


def test_a_bad_mesh_is_reported_and_the_run_goes_on(meshes, tmp_path):
    (meshes / "shop" / "text.obj").write_text("no mesh")
    open_box = trimesh.creation.box((0.05, 0.06, 0.1))
    open_box.update_faces(np.arange(len(open_box.faces)) > 1)
    open_box.export(meshes / "shop" / "open.obj")
    trimesh.creation.box((50, 60, 100)).export(meshes / "shop" / "millimetres.obj")
    report = synthesize_dataset(meshes, tmp_path / "out.npz", grasps=1, config=QUICK)
    assert set(report["failures"]) == {"shop/text", "shop/open", "shop/millimetres"}
    assert "not watertight" in report["failures"]["shop/open"]
    assert "millimetres?" in report["failures"]["shop/millimetres"]
    assert report["objects"] == 5 and report["grasps"] > 0


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(GraspPoseNetError, match="no meshes in it; expected files such as"):
        synthesize_dataset(tmp_path, tmp_path / "out.npz")


def test_a_file_that_is_no_dataset_is_an_error(tmp_path):
    np.savez(tmp_path / "other.npz", a=1)
    for name in ("other.npz", "missing.npz"):
        with pytest.raises(GraspPoseNetError, match=f"{name}: not a grasp dataset"):
            load_dataset(tmp_path / name)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "data.npz"
    dataset.write_atomically(target, {"a": np.arange(3)})
    with pytest.raises(RuntimeError):
        dataset.write_atomically(target, {"a": _Unwritable()})
    with np.load(target) as data:
        np.testing.assert_array_equal(data["a"], np.arange(3))


class _Unwritable:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("disk full")


def test_the_dataset_of_the_package_is_sound():
    data = load_dataset(share_dir() / "models" / "datasets" / "shadow.npz")
    assert len(data.objects) >= 60 and not any("ycb" in str(name).lower() for name in data.objects)
    counts = np.bincount(data.object_index, minlength=len(data.objects))
    assert (counts >= 50).mean() >= 0.9 and counts.max() <= 100
    assert {str(n): str(s) for n, s in zip(data.objects, data.split, strict=True)} == {
        str(name): split_of(str(name)) for name in data.objects
    }
    assert data.epsilon.mean() >= 0.15
    assert np.percentile(data.hand_penetration_m, 95) <= 0.001
    assert (data.plane[:, :3] != 0).any(1).mean() >= 0.5
    np.testing.assert_allclose(np.linalg.norm(data.x[:, 3:7], axis=1), 1.0, atol=2e-3)
