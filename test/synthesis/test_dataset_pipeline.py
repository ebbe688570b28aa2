"""A run over many meshes: complete, resumable after a kill, the same however it was cut or spread."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from quick_planner import QUICK, HoldsAbove, write_bad_meshes, write_meshes

from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.shapes import split_of
from grasp_pose_net.synthesis import load_dataset, pipeline, storable, synthesize_dataset

IN_TWO_WORKERS = """
import sys
from pathlib import Path
from quick_planner import QUICK, HoldsAbove
from grasp_pose_net.synthesis import synthesize_dataset
if __name__ == "__main__":
    synthesize_dataset(
        Path(sys.argv[1]), Path(sys.argv[2]), grasps=2, config=QUICK, validate=HoldsAbove(), jobs=2
    )
"""


@pytest.fixture
def meshes(tmp_path):
    return write_meshes(tmp_path / "meshes")


def quick(meshes, out, **given):
    return synthesize_dataset(meshes, out, **{"config": QUICK, "jobs": 1, "grasps": 2} | given)


def assert_same(first: Path, second: Path) -> None:
    one, other = load_dataset(first), load_dataset(second)
    for name in set(one.__dataclass_fields__) - {"seconds"}:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_dataset_holds_every_object_with_its_figures(meshes, tmp_path):
    report = quick(meshes, tmp_path / "out.npz", grasps=3, seed=2, validate=HoldsAbove())
    data = load_dataset(tmp_path / "out.npz")
    assert sorted(data.objects) == ["shop/box_0", "shop/can"] and data.hand == "shadow"
    assert data.split.tolist() == [split_of(str(name)) for name in data.objects]
    assert data.x.shape == (report["grasps"], 25) and report["grasps"] >= 4
    assert (np.diff(data.object_index) >= 0).all() and (data.counts <= 3).all()
    assert data.held.all() and (data.x[:, 2] > 0).all()  # nothing is stored that did not hold
    assert (data.successes[:, 0] == data.counts).all() and (data.trials >= data.successes).all()
    assert data.trials[:, 0].sum() > data.successes[:, 0].sum() >= data.successes[:, 1].sum()
    can = data.objects.tolist().index("shop/can")
    np.testing.assert_allclose(data.extents_m[can], [0.06, 0.06, 0.1], rtol=0.03)
    assert {"search", "trial"} <= set(data.stages) and (data.seconds.sum(1) > 0).all()
    for index, (normal, offset) in enumerate(zip(data.planes[:, :3], data.planes[:, 3], strict=True)):
        if index:  # the object stands on it
            assert np.linalg.norm(normal) == pytest.approx(1) and -0.11 < offset < -0.02
    assert report["objects"] == report["planned"] == 2 and report["left_out"] == {}


def test_trials_see_what_is_stored(meshes, tmp_path):
    seen = []

    def watching(hand, mesh, field, x):
        np.testing.assert_array_equal(x, storable(hand, x))
        seen.extend(x.astype(np.float32))
        return np.ones(len(x), bool)

    quick(meshes, tmp_path / "out.npz", validate=watching)
    stored = load_dataset(tmp_path / "out.npz").x
    assert len(stored) and {x.tobytes() for x in stored} <= {x.tobytes() for x in seen}


def test_without_trials_nothing_is_called_held(meshes, tmp_path):
    report = quick(meshes, tmp_path / "out.npz")
    assert report["grasps"] > 0 and report["held"] == report["trials"] == 0
    assert report["trial_success"] is None


def test_a_run_killed_in_the_middle_goes_on_and_gives_the_same(tmp_path):
    meshes, out, whole = write_meshes(tmp_path / "meshes", 6), tmp_path / "out.npz", tmp_path / "whole.npz"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    script = tmp_path / "script.py"
    script.write_text(IN_TWO_WORKERS)
    process = subprocess.Popen(
        [sys.executable, str(script), str(meshes), str(out)], env=environment, stderr=subprocess.DEVNULL
    )
    wait_for(lambda: list(tmp_path.glob("out.parts/*/*.npz")), 240)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert workers and 1 <= len(list(tmp_path.glob("out.parts/*/*.npz"))) < 6
    wait_for(lambda: not any(is_running(pid) for pid in workers), 20)  # they leave the cores to the next run
    report = quick(meshes, out, validate=HoldsAbove())
    assert 0 < report["this_run"]["objects"] < 6
    quick(meshes, whole, validate=HoldsAbove())
    assert_same(out, whole)  # one worker or two, cut or not


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def is_running(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_finished_run_plans_nothing_again(meshes, tmp_path, monkeypatch):
    quick(meshes, tmp_path / "out.npz")
    monkeypatch.setattr(pipeline, "plan_object", None)
    assert quick(meshes, tmp_path / "out.npz")["this_run"]["objects"] == 0


def test_other_settings_are_refused_and_named(meshes, tmp_path):
    out = tmp_path / "out.npz"
    quick(meshes, out, limit=1)
    other = replace(QUICK, least_epsilon=0.2)
    for given, text in (
        ({"seed": 5}, "seed: 0 there, 5 asked"),
        ({"grasps": 9}, "grasps: 2 there, 9 asked"),
        ({"config": other}, r"planner\.least_epsilon: 0\.0 there, 0\.2 asked"),
        ({"validate": HoldsAbove(0.1)}, r"trial\.height_m: None there, 0\.1 asked"),
        ({"hand": "barrett"}, "hand: shadow there, barrett asked"),
    ):
        with pytest.raises(GraspPoseNetError, match=text) as caught:
            quick(meshes, out, limit=1, **given)
        assert "--overwrite" in str(caught.value)
    report = quick(meshes, out, limit=1, seed=5, overwrite=True)
    assert report["this_run"]["objects"] == 1
    assert quick(meshes, out, seed=5)["this_run"]["objects"] == 1  # the limit was no setting


def test_a_changed_mesh_is_planned_again(meshes, tmp_path):
    quick(meshes, tmp_path / "out.npz")
    first = load_dataset(tmp_path / "out.npz")
    trimesh.creation.box((0.07, 0.06, 0.1)).export(meshes / "shop" / "box_0.obj")
    assert quick(meshes, tmp_path / "out.npz")["this_run"]["objects"] == 1
    second = load_dataset(tmp_path / "out.npz")
    changed = (first.mesh_hash != second.mesh_hash).tolist()
    assert [str(name) for name, new in zip(second.objects, changed, strict=True) if new] == ["shop/box_0"]


def test_another_dataset_is_not_overwritten(meshes, tmp_path):
    (tmp_path / "out.npz").write_bytes(b"years of work")
    with pytest.raises(GraspPoseNetError, match="is there already"):
        quick(meshes, tmp_path / "out.npz")
    assert (tmp_path / "out.npz").read_bytes() == b"years of work"


def test_two_runs_at_once_are_refused(meshes, tmp_path):
    with (
        pipeline._parts_folder(tmp_path / "out.npz", False),
        pytest.raises(GraspPoseNetError, match="another run is at work"),
    ):
        quick(meshes, tmp_path / "out.npz")


def test_bad_meshes_are_left_out_with_a_line_each_and_looked_at_again(meshes, tmp_path):
    reasons = write_bad_meshes(meshes)
    report = quick(meshes, tmp_path / "out.npz", grasps=1)
    assert set(report["left_out"]) == set(reasons)
    for name, text in reasons.items():
        assert text in report["left_out"][name] and "\n" not in report["left_out"][name]
    assert report["planned"] == 2 and report["grasps"] == 2
    trimesh.creation.box((0.05, 0.06, 0.1)).export(meshes / "shop" / "open.obj")
    again = quick(meshes, tmp_path / "out.npz", grasps=1)
    assert set(again["left_out"]) == set(reasons) - {"shop/open"} and again["planned"] == 3


def test_a_fault_in_one_object_leaves_the_others(meshes, tmp_path, caplog):
    def faulty(hand, mesh, field, x):
        if len(mesh.faces) == 12:
            raise RuntimeError("decomposition\nfailed")
        return np.ones(len(x), bool)

    report = quick(meshes, tmp_path / "out.npz", validate=faulty)
    assert report["left_out"] == {"shop/box_0": "RuntimeError: decomposition failed"}
    assert report["planned"] == 1 and "Traceback" in caplog.text


def test_sources_and_folders(meshes, tmp_path):
    with pytest.raises(GraspPoseNetError, match="no meshes in it; expected files such as"):
        quick(tmp_path / "nothing", tmp_path / "out.npz")
    with pytest.raises(GraspPoseNetError, match=r"no meshes of source 'kit'; sources: shop"):
        quick(meshes, tmp_path / "out.npz", sources=["shop", "kit"])
    trimesh.creation.box().export(meshes / "shop" / "can.stl")
    with pytest.raises(GraspPoseNetError, match="both called 'shop/can'"):
        quick(meshes, tmp_path / "out.npz")
