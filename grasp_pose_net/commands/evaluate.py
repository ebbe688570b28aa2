"""``grasp-pose-net evaluate``: networks against each other and the paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grasp_pose_net.commands.options import JsonFile, Seed, writable_folder, write_json


def evaluate(
    dataset: Annotated[list[Path], typer.Option(help="Dataset file of `synthesize`; one for each hand.")],
    meshes: Annotated[Path, typer.Option(help="Folder of meshes that the datasets were made from.")],
    network: Annotated[
        list[str],
        typer.Option(help="Weights in models/networks/, or a path; again for every loss, seed and hand."),
    ],
    out: Annotated[
        Path, typer.Option(help="Folder for evaluation.md, .json, .png and cards.", callback=writable_folder)
    ],
    rotations: Annotated[
        int, typer.Option(help="Grids of each object; of fewer than the paper's 27, a random choice.")
    ] = 28,
    refined: Annotated[
        int, typer.Option(help="Objects of each side, a fair sample, whose grasps are refined.")
    ] = 100,
    licences: Annotated[
        Path | None,
        typer.Option(help="CSV with source, name, licence; index.csv of the meshes without it."),
    ] = None,
    trial: Annotated[bool, typer.Option(help="Try grasps of refined objects in physics.")] = True,
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Compare networks with each other and with the paper: tables I and II, penetration, quality and force trials of grasps.

    Example: grasp-pose-net evaluate --dataset shadow.npz --meshes objects --network shadow_compact --out runs/figures
    Three losses: … --network runs/l2/best.safetensors --network runs/consistency/best.safetensors …
    """
    from grasp_pose_net.simulation.force_trial import ForceValidator
    from grasp_pose_net.training import Evaluation
    from grasp_pose_net.training import evaluate as run_evaluation
    from grasp_pose_net.training.tables import ratio_lines

    config = Evaluation(rotations=rotations, refined=refined, seed=seed)
    validate = ForceValidator() if trial else None
    report = run_evaluation(dataset, meshes, network, out, config, licences, validate)
    typer.echo("\n".join(ratio_lines(report)))
    typer.echo(
        f"tables: {out / 'evaluation.md'}; plot: {out / 'evaluation.png'}; beside them a card of each network"
    )
    write_json(report, json_file)
