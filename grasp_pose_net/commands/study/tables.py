"""Train every network of the paper's tables and of the learning curve, several at once; goes on where it stopped.

    grasp-pose-net study tables --shadow shadow.npz --barrett barrett.npz --meshes objects --out runs/tables
    grasp-pose-net evaluate --dataset shadow.npz --dataset barrett.npz --meshes objects --out runs/figures \
        $(printf -- '--network %s ' runs/tables/*/best.safetensors)

Three losses and three seeds for the Shadow Hand, three losses for the Barrett hand, the combined loss on fewer objects. Each
network is trained by `grasp-pose-net train` in a process of one thread, which uses two cores better than one network after the
other does: 6000 steps take 11 minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from grasp_pose_net.commands.options import writable_folder
from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.reading import read_json

LOSSES = ("combined", "consistency", "l2")


def commands(
    datasets: Mapping[str, Path],
    meshes: Path,
    out: Path,
    steps: int,
    seeds: int,
    fewer_objects: Sequence[int],
) -> Iterator[tuple[Path, list[str]]]:
    """Folder and command of every training, the most wanted first."""
    plain = [(seed, loss, None) for seed in range(seeds) for loss in LOSSES]
    fewer = [(0, "combined", objects) for objects in fewer_objects]
    for hand, runs in (("barrett", plain[:3]), ("shadow", [*plain[:3], *fewer, *plain[3:]])):
        dataset = datasets.get(hand)
        for seed, loss, objects in runs if dataset else []:
            folder = out / "_".join([hand, loss, str(objects or "all"), str(seed)])
            words = ["--hand", hand, "--loss", loss, "--seed", str(seed), "--steps", str(steps)]
            words += ["--objects", str(objects)] if objects else []
            words += ["--dataset", str(dataset), "--meshes", str(meshes), "--out", str(folder)]
            yield folder, [sys.executable, "-m", "grasp_pose_net.cli", "train", *words, "--workers", "0"]


def finished(out: Path, steps: int) -> bool:
    """Whether a run's report, which is written last, tells of all steps."""
    report = out / "report.json"
    return report.exists() and dict(read_json(report).get("config", {})).get("steps") == steps


def train(out: Path, command: list[str]) -> int:
    """Exit status of one training, whose words go to a file beside its weights."""
    out.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    with (out / "log.txt").open("a") as log:
        return subprocess.run(command, stdout=log, stderr=log, env=environment, check=False).returncode


def main(
    meshes: Annotated[Path, typer.Option(help="Folder of meshes that the datasets were made from.")],
    out: Annotated[Path, typer.Option(help="Folder with a folder for each run.", callback=writable_folder)],
    shadow: Annotated[Path | None, typer.Option(help="Dataset of the Shadow Hand.")] = None,
    barrett: Annotated[Path | None, typer.Option(help="Dataset of the Barrett hand.")] = None,
    steps: Annotated[int, typer.Option(help="Optimiser steps of each.")] = 6000,
    seeds: Annotated[int, typer.Option(min=1, help="Of the Shadow Hand's networks.")] = 3,
    objects: Annotated[list[int], typer.Option(help="Of the learning curve; again for each.")] = [
        50,
        100,
        200,
    ],
    jobs: Annotated[int, typer.Option(min=1, help="Trainings at once.")] = 2,
) -> None:
    """Train what is missing."""
    datasets = {name: file for name, file in (("shadow", shadow), ("barrett", barrett)) if file}
    if not datasets:
        raise ConfigError("nothing to train on: give --shadow, --barrett or both")
    every = commands(datasets, meshes, out, steps, seeds, objects)
    runs = [run for run in every if not finished(run[0], steps)]
    with ThreadPoolExecutor(jobs) as pool, tqdm(total=len(runs), unit="network") as progress:
        results = []
        for folder, command in runs:
            results.append(pool.submit(train, folder, command))
            results[-1].add_done_callback(lambda _: progress.update())
        failed = [one for (one, _), result in zip(runs, results, strict=True) if result.result() != 0]
    if failed:
        logs = ", ".join(str(one / "log.txt") for one in failed)
        raise ConfigError(f"{len(failed)} trainings ended early; see {logs}")
