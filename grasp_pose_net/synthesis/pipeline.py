"""Grasps of a folder of meshes: objects in parallel, resumable after a kill at any moment.

While a run goes on, every finished object has a dataset file of its own in `<out>.parts/`, which only the first
process writes, whole or not at all. A run that was killed goes on with the objects that have none. Each object
has its own seed, and a worker has one thread, so that the result depends neither on where the run was cut nor
on how many workers there were. Objects that were left out are looked at again in the next run.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.hand import Hand
from grasp_pose_net.synthesis.backends import Backend, in_parallel
from grasp_pose_net.synthesis.config import Synthesis
from grasp_pose_net.synthesis.dataset_report import dataset_report
from grasp_pose_net.synthesis.files import GraspDataset, load_dataset, save_dataset
from grasp_pose_net.synthesis.one_object import Task, plan_object
from grasp_pose_net.synthesis.resumable import alone, differences
from grasp_pose_net.synthesis.search import Validate
from grasp_pose_net.synthesis.sources import find_meshes, mesh_hash

_MERGE_EVERY = 25  # objects


def synthesize_dataset(
    meshes: Path,
    out: Path,
    hand: str = "shadow",
    *,
    grasps: int = 100,
    seed: int = 0,
    config: Synthesis | None = None,
    validate: Validate | None = None,
    sources: Sequence[str] = (),
    limit: int | None = None,
    backend: Backend = "loky",
    jobs: int | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Plan grasps for every mesh of a folder and write one compressed file.

    Args:
        meshes: folder with files `<source>/<name>.obj` (or ply, stl, off).
        out: the `.npz` to write; `<out>.parts/` beside it keeps finished objects, and makes the run
            resumable.
        hand: name of the hand, or path of its hand.yaml.
        grasps: at most this many for an object.
        seed: of the run; every object draws its own from it and its name.
        config: of the planner.
        validate: (hand, mesh, field, x (B, 7 + J)) -> (B,) bool, the force trial; picklable, best a
            dataclass, whose fields then belong to what a resumed run must agree with.
        sources: only the meshes of these; all without.
        limit: only so many objects, a fair sample of all.
        backend: "loky" or "ray", see `in_parallel`.
        jobs: objects at a time; one for each core without.
        overwrite: begin anew where there are grasps already.

    Returns:
        Report of the whole and, under "this_run", of this call: objects, grasps, wall seconds and rate.

    Raises:
        GraspPoseNetError: there are no meshes, or what is there was made with other settings.
    """
    config = config or Synthesis()
    hand = str(Path(hand).resolve()) if hand.endswith(("yaml", "yml")) else hand
    files = find_meshes(meshes, sources)[:limit]
    if not files:
        raise GraspPoseNetError(f"{meshes}: no meshes in it; expected files such as <source>/<name>.obj")
    run = describe_run(hand, grasps, seed, config, validate)
    settings = (hand, grasps, seed, config, validate, run)
    tasks = [Task(file.resolve(), mesh_hash(file), *settings) for file in files]
    with _parts_folder(out, overwrite) as parts:
        done = _finished(parts, tasks)
        waiting = [task for task in tasks if task.name not in done]
        start = time.perf_counter()
        planned = in_parallel(plan_object, waiting, backend=backend, jobs=jobs)
        found = _take_in(planned, done, tasks, parts, out)
        data, seconds = _merged(done, tasks), time.perf_counter() - start
        save_dataset(out, data)
    this_run = {"objects": len(waiting), "grasps": found, "seconds": seconds}
    this_run["grasps_per_second"] = found / seconds if waiting else 0.0
    return dataset_report(data) | {"this_run": this_run}


def describe_run(hand: str, grasps: int, seed: int, config: Synthesis, validate: Validate | None) -> str:
    """JSON of all that grasps depend on besides the mesh: two runs that agree in it give the same grasps."""
    loaded = Hand.load(hand)
    trial: Any = validate and {"name": getattr(validate, "__name__", type(validate).__name__)}
    if dataclasses.is_dataclass(validate) and not isinstance(validate, type):
        trial |= dataclasses.asdict(validate)
    facts = {"hand": loaded.name, "hand_hash": loaded.fingerprint, "grasps": grasps, "seed": seed}
    return json.dumps(
        facts | {"planner": dataclasses.asdict(config), "trial": trial}, sort_keys=True, default=str
    )


@contextmanager
def _parts_folder(out: Path, overwrite: bool) -> Iterator[Path]:
    """The folder of finished objects, for this process alone."""
    parts = out.with_suffix(".parts")
    if out.exists() and not parts.exists() and not overwrite:
        raise GraspPoseNetError(f"{out} is there already, and not of an unfinished run; use --overwrite")
    with alone(parts, "run"):
        if overwrite:
            for folder in (path for path in parts.iterdir() if path.is_dir()):
                shutil.rmtree(folder)
        yield parts


def _finished(parts: Path, tasks: Sequence[Task]) -> dict[str, GraspDataset]:
    """Objects that need no planning, by name.

    Raises:
        GraspPoseNetError: they were planned with other settings.
    """
    done = {}
    for task in tasks:
        file = parts / f"{task.name}.npz"
        if not file.exists():
            continue
        part = load_dataset(file)
        if part.run != task.run:
            raise GraspPoseNetError(
                f"{parts} has grasps of other settings ({differences(part.run, task.run)}); ask for the same, "
                "for another --out, or use --overwrite to begin anew"
            )
        if part.mesh_hash[0] == task.mesh_hash:  # else the mesh is another one now
            done[task.name] = part
    return done


def _take_in(
    planned: Iterable[GraspDataset],
    done: dict[str, GraspDataset],
    tasks: Sequence[Task],
    parts: Path,
    out: Path,
) -> int:
    """Put each object among those that are done and into a file as soon as it is planned; how many grasps there are."""
    start, found = time.perf_counter(), 0
    with tqdm(initial=len(done), total=len(tasks), unit="object", smoothing=0.05) as progress:
        for part in planned:
            name = str(part.objects[0])
            done[name] = part
            if not part.failure[0]:
                save_dataset(parts / f"{name}.npz", part)
            found += len(part.x)
            rate = found / (time.perf_counter() - start)
            progress.set_postfix_str(f"{rate:.2f} grasps/s", refresh=False)
            progress.update()
            if progress.n % _MERGE_EVERY == 0:
                save_dataset(out, _merged(done, tasks))
    return found


def _merged(done: dict[str, GraspDataset], tasks: Sequence[Task]) -> GraspDataset:
    """The objects that are done, in the order of the tasks."""
    return GraspDataset.joined([done[task.name] for task in tasks if task.name in done])
