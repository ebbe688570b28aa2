"""What goes around the trials: which objects, going on after a kill, settings that must agree, and the report."""

from __future__ import annotations

import fcntl
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from grasp_pose_net.benchmark import benchmark_config, run, run_benchmark
from grasp_pose_net.benchmark.config import BenchmarkConfig
from grasp_pose_net.benchmark.entries import entry
from grasp_pose_net.benchmark.trial import LEFT_OUT, Task
from grasp_pose_net.exceptions import ConfigError, GraspPoseNetError
from grasp_pose_net.shapes import split_of

CONFIG = BenchmarkConfig(stages=("plan", "force"), episodes=2)


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replaces trials by made-up entries; lists which were asked for."""
    asked: list[str] = []

    def run_task(task: Task) -> dict[str, Any]:
        asked.append(f"{task.name}.{task.episode}")
        held = not task.name.endswith("b")
        known = {"episode": task.episode, "mesh_hash": task.mesh_hash, "force_success": held}
        failure = {} if held else {"failure": "force", "reason": "lost along +x"}
        return entry(task.name, **known, **failure, epsilon=0.2, feasible=4, seconds={"plan": 0.4})

    monkeypatch.setattr(run, "run_task", run_task)
    monkeypatch.setattr(run, "make_tools", lambda config: None)
    return asked


ALL = [f"made/{name}.{episode}" for name in "abc" for episode in (0, 1)]


def test_every_trial_is_in_the_report_once(meshes: Path, tmp_path: Path, tried: list[str]) -> None:
    report = run_benchmark(meshes, tmp_path / "out", CONFIG, split="all")
    assert sorted(tried) == ALL
    assert sorted(f"{one['name']}.{one['episode']}" for one in report["objects"]) == ALL
    assert report["summary"]["force_success"] == pytest.approx(4 / 6)
    assert report["summary"]["failure"] == {"force": 2} and report["jobs"] == [1]
    written = json.loads((tmp_path / "out" / "report.json").read_text())
    assert written["summary"] == report["summary"]
    assert {
        "machine",
        "commit",
        "command",
        "seed",
        "versions",
        "weights",
    } <= set(written)
    text = (tmp_path / "out" / "report.md").read_text()
    assert "## Failed: force (2)" in text and "made/b, episode 1: lost along +x" in text
    assert (tmp_path / "out" / "report.png").stat().st_size > 10_000
    assert len((tmp_path / "out" / "report.csv").read_text().splitlines()) == 7


def test_a_killed_run_goes_on_without_loss_or_repetition(
    meshes: Path, tmp_path: Path, tried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run.run_task

    def dies(task: Task) -> dict[str, Any]:
        if len(tried) == 4:
            raise KeyboardInterrupt
        return whole(task)

    monkeypatch.setattr(run, "run_task", dies)
    with pytest.raises(KeyboardInterrupt):
        run_benchmark(meshes, tmp_path / "out", CONFIG, split="all")
    # what a kill in the middle of writing would leave
    (tmp_path / "out" / "entries" / "made" / "c.1.json.part").write_text("{")
    monkeypatch.setattr(run, "run_task", whole)
    report = run_benchmark(meshes, tmp_path / "out", CONFIG, split="all")
    assert sorted(tried) == ALL
    assert sorted(f"{one['name']}.{one['episode']}" for one in report["objects"]) == ALL
    run_benchmark(meshes, tmp_path / "out", CONFIG, split="all")
    assert len(tried) == 6


def test_another_mesh_of_the_same_name_is_tried_again(meshes: Path, tmp_path: Path, tried: list[str]) -> None:
    run_benchmark(meshes, tmp_path / "out", CONFIG, split="all")
    (meshes / "made" / "a.ply").write_bytes((meshes / "made" / "c.ply").read_bytes())
    run_benchmark(meshes, tmp_path / "out", CONFIG, split="all")
    assert sorted(tried[6:]) == ["made/a.0", "made/a.1"]


def test_entries_of_other_settings_are_not_mixed(meshes: Path, tmp_path: Path, tried: list[str]) -> None:
    run_benchmark(meshes, tmp_path / "out", CONFIG, split="all")
    other = BenchmarkConfig(stages=("plan", "force"), episodes=2, seed=7)
    with pytest.raises(GraspPoseNetError, match=r"other settings \(seed: 0 there, 7 asked\).*--overwrite"):
        run_benchmark(meshes, tmp_path / "out", other, split="all")
    run_benchmark(meshes, tmp_path / "out", other, split="all", overwrite=True)
    assert len(tried) == 12
    # more episodes of the same are only added
    more = BenchmarkConfig(stages=("plan", "force"), episodes=3, seed=7)
    run_benchmark(meshes, tmp_path / "out", more, split="all")
    assert sorted(tried[12:]) == ["made/a.2", "made/b.2", "made/c.2"]


def test_two_at_once_are_refused(meshes: Path, tmp_path: Path, tried: list[str]) -> None:
    (tmp_path / "out").mkdir()
    with (tmp_path / "out" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(GraspPoseNetError, match="another benchmark is at work"):
            run_benchmark(meshes, tmp_path / "out", CONFIG, split="all")
    assert tried == []


def test_objects_are_those_of_the_split(meshes: Path, tmp_path: Path, tried: list[str]) -> None:
    sides = {side: [name for name in "abc" if split_of(f"made/{name}") == side] for side in ("train", "test")}
    for side, names in sides.items():
        if not names:
            with pytest.raises(GraspPoseNetError, match=f"no meshes of split {side}.*--split all"):
                run_benchmark(meshes, tmp_path / side, CONFIG, split=side)
            continue
        report = run_benchmark(meshes, tmp_path / side, CONFIG, split=side)
        assert {one["name"] for one in report["objects"]} == {f"made/{name}" for name in names}
    with pytest.raises(GraspPoseNetError, match="no split 'half'; there are: test, train, all"):
        run_benchmark(meshes, tmp_path / "half", CONFIG, split="half")


def test_what_cannot_be_used_is_left_out_with_its_reason(
    meshes: Path, tmp_path: Path, tried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_task(task: Task) -> dict[str, Any]:
        tried.append(task.name)
        known = {"episode": task.episode, "mesh_hash": task.mesh_hash}
        return entry(task.name, failure=LEFT_OUT, reason="it has holes", **known)

    monkeypatch.setattr(run, "run_task", run_task)
    report = run_benchmark(meshes, tmp_path / "out", CONFIG, split="all", limit=1)
    assert report["objects"] == [] and list(report["left_out"].values()) == ["it has holes"]
    run_benchmark(meshes, tmp_path / "out", CONFIG, split="all", limit=1)
    assert len(tried) == 4, "what was left out is looked at again"


def test_stages_must_fit_together() -> None:
    asked = {"grasps": {}, "descent": {}}
    assert benchmark_config(stages=["lift", "plan", "scan"], **asked).stages == ("scan", "plan", "lift")
    for stages, text in (
        (["plan", "lift"], "lift needs scan"),
        (["force"], "force needs plan"),
        (["dance"], r"stages\[0\] is 'dance'; valid: scan, plan, force, lift"),
        ([], "stages: expected at least one"),
    ):
        with pytest.raises(ConfigError, match=text):
            benchmark_config(stages=stages, **asked)
    with pytest.raises(ConfigError, match="lift needs an arm"):
        benchmark_config(stages=["scan", "plan", "lift"], arm=False, **asked)


def test_parameters_are_those_of_the_nodes() -> None:
    config = benchmark_config(stages=["scan", "plan"], grasps={"rotations": 7}, descent={"iterations": 50})
    assert config.grasps.rotations == 7 and config.grasps.max_grasps == 5
    assert config.descent.iterations == 50 and config.descent.objective == "closing"
    assert config.perception.min_views == 2 and config.perception.workspace_min[0] == 0.30
    assert config.world.cameras.position_error_m == 0.002


def test_tasks_reach_workers_as_they_are(tmp_path: Path) -> None:
    task = Task(tmp_path / "made" / "a.ply", "hash", 1, CONFIG, tmp_path)
    assert pickle.loads(pickle.dumps(task)) == task and task.name == "made/a"
    other = Task(tmp_path / "made" / "b.ply", "hash", 1, CONFIG, tmp_path)
    assert task.own_seed != other.own_seed, "objects draw their own placements"
