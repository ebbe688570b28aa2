"""``grasp-pose-net benchmark``: many objects, scanned, planned and tried."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grasp_pose_net.commands.options import (
    HandName,
    JsonFile,
    Network,
    Objective,
    Seed,
    writable_folder,
    write_json,
)


def benchmark(
    meshes: Annotated[Path, typer.Option(help="Folder of meshes, one sub-folder for each source.")],
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for report.json, .md, .png; the same command goes on where it stopped.",
            callback=writable_folder,
        ),
    ],
    split: Annotated[str, typer.Option(help="Objects by name: test, train or all.")] = "test",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many objects, a fair sample of all.")
    ] = None,
    stages: Annotated[
        str, typer.Option(help="Of scan,plan,force,lift. Without scan, plans on the meshes themselves.")
    ] = "scan,plan,force,lift",
    episodes: Annotated[int, typer.Option(help="Trials of each object.")] = 1,
    hand: HandName = "shadow",
    arm: Annotated[
        bool, typer.Option(help="Offer only what the arm that carries the hand can reach.")
    ] = True,
    network: Network = "",
    rotations: Annotated[
        int | None,
        typer.Option(help="Rotations shown to the network; as config/inference.yaml without."),
    ] = None,
    objective: Objective = "closing",
    jobs: Annotated[
        int, typer.Option(min=1, help="Trials at a time. Times are the protocols' only with 1.")
    ] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin anew.")] = False,
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Scan, plan and try many objects in simulation, and compare the figures with the paper's.

    Status: 0 = every trial was measured, whether it failed or not; 1 = an error, or nothing could be measured; 3 = some
    meshes were left out, with the reason in the report (2 is a wrong command line).

    Example: grasp-pose-net benchmark --meshes objects --out runs/benchmark --limit 10
    Without cameras and arm: grasp-pose-net benchmark --meshes objects --out runs/force --stages plan,force --no-arm

    Long because every option is a line of the signature.
    """
    from grasp_pose_net.benchmark import benchmark_config, run_benchmark

    own = {"network": network, "seed": seed} | ({} if rotations is None else {"rotations": rotations})
    config = benchmark_config(
        stages=[stage for stage in stages.split(",") if stage],
        grasps=own,
        descent={"objective": objective},
        episodes=episodes,
        seed=seed,
        hand=hand,
        arm=arm,
    )
    report = run_benchmark(meshes, out, config, split=split, limit=limit, jobs=jobs, overwrite=overwrite)
    typer.echo((out / "report.md").read_text())
    typer.echo(
        f"report: {out / 'report.md'}; plots: {out / 'report.png'}; pictures of failures: {out / 'failures'}"
    )
    write_json(report, json_file)
    if report["left_out"]:
        raise typer.Exit(3 if report["objects"] else 1)
