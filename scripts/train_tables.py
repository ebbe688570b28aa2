"""Train every network of the paper's tables and of the learning curve, several at once; goes on where it stopped.

    python scripts/train_tables.py --shadow shadow.npz --barrett barrett.npz --meshes objects --out runs/tables
    grasp-pose-net evaluate --dataset shadow.npz --dataset barrett.npz --meshes objects --out runs/figures \
        $(printf -- '--network %s ' runs/tables/*/best.safetensors)

Three losses and three seeds for the Shadow Hand, three losses for the Barrett hand, the combined loss on fewer objects. Each
network is trained by `grasp-pose-net train` in a process of one thread, which uses two cores better than one network after the
other does: 6000 steps take 11 minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

LOSSES = ("combined", "consistency", "l2")


def commands(arguments: argparse.Namespace) -> Iterator[tuple[Path, list[str]]]:
    """Folder and command of every training, the most wanted first."""
    plain = [(seed, loss, None) for seed in range(arguments.seeds) for loss in LOSSES]
    fewer = [(0, "combined", objects) for objects in arguments.objects]
    for hand, runs in (("barrett", plain[:3]), ("shadow", [*plain[:3], *fewer, *plain[3:]])):
        dataset = getattr(arguments, hand)
        for seed, loss, objects in runs if dataset else []:
            out = arguments.out / "_".join([hand, loss, str(objects or "all"), str(seed)])
            words = ["--hand", hand, "--loss", loss, "--seed", str(seed), "--steps", str(arguments.steps)]
            words += ["--objects", str(objects)] if objects else []
            words += ["--dataset", str(dataset), "--meshes", str(arguments.meshes), "--out", str(out)]
            yield out, [sys.executable, "-m", "grasp_pose_net.cli", "train", *words, "--workers", "0"]


def finished(out: Path, steps: int) -> bool:
    """Whether a run's report, which is written last, tells of all steps."""
    report = out / "report.json"
    return report.exists() and json.loads(report.read_text()).get("config", {}).get("steps") == steps


def train(out: Path, command: list[str]) -> int:
    """Exit status of one training, whose words go to a file beside its weights."""
    out.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    with (out / "log.txt").open("a") as log:
        return subprocess.run(command, stdout=log, stderr=log, env=environment, check=False).returncode


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shadow", type=Path, help="dataset of the Shadow Hand")
    parser.add_argument("--barrett", type=Path, help="dataset of the Barrett hand")
    parser.add_argument("--meshes", type=Path, required=True, help="folder of meshes they were made from")
    parser.add_argument("--out", type=Path, required=True, help="folder with a folder for each run")
    parser.add_argument("--steps", type=int, default=6000, help="optimiser steps of each (6000)")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of the Shadow Hand's networks (3)")
    parser.add_argument(
        "--objects", type=int, nargs="*", default=[50, 100, 200], help="learning curve (50 100 200)"
    )
    parser.add_argument("--jobs", type=int, default=2, help="trainings at once (2)")
    arguments = parser.parse_args()
    if not (arguments.shadow or arguments.barrett):
        parser.error("nothing to train on: give --shadow, --barrett or both")
    runs = [run for run in commands(arguments) if not finished(run[0], arguments.steps)]
    with ThreadPoolExecutor(arguments.jobs) as pool, tqdm(total=len(runs), unit="network") as progress:
        results = []
        for out, command in runs:
            results.append(pool.submit(train, out, command))
            results[-1].add_done_callback(lambda _: progress.update())
        failed = [out for (out, _), result in zip(runs, results, strict=True) if result.result() != 0]
    for out in failed:
        print(f"error: {out}: training ended early; see {out / 'log.txt'}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
