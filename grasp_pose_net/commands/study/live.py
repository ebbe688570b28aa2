"""Time of /plan_grasp through the running nodes against the same list of stages in one process, on the same scenes.

    grasp-pose-net study live --meshes objects --limit 10 --requests 40 --out docs/results/live.json

Each object lies on a table, is scanned by four noisy cameras and perceived, all in this process; what was perceived is
published, as the perception node would, to an inference and a refinement node that run as processes of their own. Then the
nodes are asked and the same planner runs here, in turns. Nothing else runs: no simulation, no cameras. Both sides have the
threads that nodes are started with. In this process it is done twice: prepared, as the nodes are when a scene has arrived some
time before the request (field of the object and collision checks of the arm are known), and from the mesh (nothing is known).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grasp_pose_net.commands.options import checked_seed, writable_file, writable_folder
from grasp_pose_net.storage import save_json


def main(
    meshes: Annotated[Path, typer.Option(help="Folder of meshes, one sub-folder for each source.")],
    out: Annotated[Path, typer.Option(help="JSON report.", callback=writable_file())],
    split: Annotated[str, typer.Option(help="Objects by name: test, train or all.")] = "test",
    limit: Annotated[int, typer.Option(min=1, help="Objects, a fair sample.")] = 10,
    requests: Annotated[int, typer.Option(min=1, help="How many, over all objects.")] = 40,
    threads: Annotated[int, typer.Option(min=1, help="Of each process, as OMP_NUM_THREADS.")] = 2,
    logs: Annotated[
        Path, typer.Option(help="Folder for what the nodes say.", callback=writable_folder)
    ] = Path("runs/live"),
    seed: Annotated[int, typer.Option(help="Of places, camera errors and noise.", callback=checked_seed)] = 0,
) -> None:
    """Ask, compare and write."""
    from grasp_pose_net.nodes.live_check import check_live

    report = check_live(meshes, split, limit, requests, threads, logs, seed)
    save_json(out, report)
    for name, seconds in report["p50_s"].items():
        typer.echo(f"{name}: p50 {1e3 * seconds:.0f} ms")
    for name, ratio in report["ratios"].items():
        typer.echo(f"live / {name}: {ratio:.2f}")
    for name, stages in report["stages_p50_s"].items():
        typer.echo(f"{name}: " + ", ".join(f"{stage} {1e3 * s:.0f} ms" for stage, s in stages.items()))
    typer.echo(f"report: {out}")
