"""A benchmark over a folder of meshes: objects in parallel, resumable after a kill at any moment.

Every finished trial has a file of its own in ``entries/``, which only the first process writes, whole or not at all. A
run that was killed goes on with the trials that have none. Objects that were left out are looked at again.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from grasp_pose_net.benchmark.config import BenchmarkConfig
from grasp_pose_net.benchmark.entries import report
from grasp_pose_net.benchmark.plots import save_plots
from grasp_pose_net.benchmark.tables import benchmark_text
from grasp_pose_net.benchmark.trial import LEFT_OUT, Task, make_tools, run_task
from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.inference import weights
from grasp_pose_net.provenance import commit
from grasp_pose_net.reading import read_json, read_text
from grasp_pose_net.shapes import split_of
from grasp_pose_net.storage import write_whole
from grasp_pose_net.synthesis.backends import in_parallel
from grasp_pose_net.synthesis.resumable import alone, differences
from grasp_pose_net.synthesis.sources import find_meshes, mesh_hash, object_name

SPLITS = ("test", "train", "all")


def run_benchmark(
    meshes: Path,
    out: Path,
    config: BenchmarkConfig,
    *,
    split: str = "test",
    limit: int | None = None,
    jobs: int = 1,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Measure every object of a folder and write ``report.json``, ``report.md``, plots and pictures of failures.

    Args:
        meshes: folder with files `<source>/<name>.obj` (or ply, stl, off, glb).
        out: folder to write into; the same call goes on where it stopped.
        config: what is done.
        split: side of the split by name that the objects are of: test, train or all.
        limit: only so many objects, a fair sample of all.
        jobs: trials at a time. Times are those of the protocols only where it is one.
        overwrite: begin anew where there are entries already.

    Returns:
        The report.

    Raises:
        GraspPoseNetError: there are no meshes, or what is there was made with other settings.
    """
    files = chosen_meshes(meshes, split, limit)
    make_tools(config)  # what is wrong for all objects is said once, before any work
    with alone(out, "benchmark"):
        return _run(files, out, config, jobs, overwrite, f"{split} of {meshes.name}")


def chosen_meshes(meshes: Path, split: str, limit: int | None) -> list[Path]:
    """Mesh files of one side of the split, sources mixed.

    Raises:
        GraspPoseNetError: there is no such side, or no mesh of it.
    """
    if split not in SPLITS:
        raise GraspPoseNetError(f"no split {split!r}; there are: {', '.join(SPLITS)}")
    files = [file for file in find_meshes(meshes) if split in ("all", split_of(object_name(file)))][:limit]
    if not files:
        raise GraspPoseNetError(
            f"{meshes}: no meshes of split {split} in it; expected files such as <source>/<name>.obj; "
            "--split all takes every object"
        )
    return files


def _run(
    files: Sequence[Path], out: Path, config: BenchmarkConfig, jobs: int, overwrite: bool, objects: str
) -> dict[str, Any]:
    folder = out / "entries"
    _prepare(folder, out, config, overwrite)
    tasks = [
        Task(file.resolve(), mesh_hash(file), episode, config, (out / "failures").resolve())
        for file in files
        for episode in range(config.episodes)
    ]
    done = {task: known for task in tasks if (known := _known_entry(folder, task))}
    waiting = [task for task in tasks if task not in done]
    circumstances = {"commit": commit(), "jobs": jobs}
    with tqdm(initial=len(done), total=len(tasks), unit="trial", smoothing=0.05) as progress:
        for task, result in in_parallel(_numbered, waiting, jobs=jobs):
            entry = result | circumstances
            write_whole(_entry_file(folder, task), json.dumps(entry))
            done[task] = entry
            progress.update()
    result = _reported([done[task] for task in tasks], config) | {"measured_objects": objects}
    write_whole(out / "report.json", json.dumps(result, indent=1) + "\n")
    write_whole(out / "report.md", benchmark_text(result))
    save_plots(result, out)
    return result


def _reported(entries: Sequence[dict[str, Any]], config: BenchmarkConfig) -> dict[str, Any]:
    """Report of all entries; those that were left out are not in the figures."""
    tried = [entry for entry in entries if entry["failure"] != LEFT_OUT]
    return report(tried, config.seed, weights(config.hand, config.grasps.network)) | {
        "left_out": {entry["name"]: entry["reason"] for entry in entries if entry["failure"] == LEFT_OUT},
        "jobs": sorted({entry["jobs"] for entry in entries}),
        "commits": sorted({entry["commit"] for entry in entries}),
        "config": dataclasses.asdict(config),
    }


def _numbered(task: Task) -> tuple[Task, dict[str, Any]]:
    """A task with its entry: results come in any order."""
    return task, run_task(task)


def _prepare(folder: Path, out: Path, config: BenchmarkConfig, overwrite: bool) -> None:
    """The folder of entries, whose settings are those of the configuration.

    Raises:
        GraspPoseNetError: there are entries of other settings.
    """
    settings = json.dumps(dataclasses.asdict(config) | {"episodes": None}, sort_keys=True)
    file = folder / "settings.json"
    if overwrite:
        for old in (folder, out / "failures"):
            shutil.rmtree(old, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    if file.exists() and (there := read_text(file)) != settings:
        raise GraspPoseNetError(
            f"{out} has entries of other settings ({differences(there, settings)}); ask for the same, for another "
            "--out, or use --overwrite to begin anew"
        )
    write_whole(file, settings)


def _known_entry(folder: Path, task: Task) -> dict[str, Any] | None:
    """Entry of an earlier run, if there is one of this very mesh, and it was not left out."""
    file = _entry_file(folder, task)
    if not file.exists():
        return None
    try:
        entry = read_json(file)
    except GraspPoseNetError:  # broken: it is measured again
        return None
    if not {"mesh_hash", "failure", "name", "seconds", "jobs", "commit"} <= set(entry):
        return None
    return entry if entry["mesh_hash"] == task.mesh_hash and entry["failure"] != LEFT_OUT else None


def _entry_file(folder: Path, task: Task) -> Path:
    return folder / f"{task.name}.{task.episode}.json"
