"""``grasp-pose-net train``: a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grasp_pose_net.commands.options import HandName, JsonFile, Seed, writable_folder, write_json


def train(
    dataset: Annotated[Path, typer.Option(help="Dataset file of `synthesize`.")],
    meshes: Annotated[Path, typer.Option(help="Folder of meshes that the dataset was made from.")],
    out: Annotated[
        Path, typer.Option(help="Folder of the run; goes on where it stopped.", callback=writable_folder)
    ],
    hand: HandName = "shadow",
    network: Annotated[str, typer.Option(help="paper or compact.")] = "compact",
    loss: Annotated[str, typer.Option(help="l2, consistency or combined.")] = "combined",
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 10000,
    objects: Annotated[int | None, typer.Option(help="Only so many training objects, a fair sample.")] = None,
    start: Annotated[str, typer.Option(help="Weights to begin with: a name or a path.")] = "",
    precision: Annotated[
        str, typer.Option(help="Of the convolutions: float32, or bfloat16 (faster on a GPU).")
    ] = "float32",
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: cuda where there is one.")] = "auto",
    workers: Annotated[int, typer.Option(help="Processes that make grids ahead on a CPU.")] = 1,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder of prepared fields; ~/.cache/grasp_pose_net without.", callback=writable_folder
        ),
    ] = None,
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Train a network.

    Example: grasp-pose-net train --dataset shadow.npz --meshes objects --out runs/compact
    On several GPUs: torchrun --nproc-per-node 4 -m grasp_pose_net.cli train --network paper --precision bfloat16 …
    """
    from grasp_pose_net.training import Resources, TrainConfig
    from grasp_pose_net.training import train as run_training

    config = TrainConfig(
        network=network, loss=loss, steps=steps, objects=objects, start=start, precision=precision, seed=seed
    )
    resources = Resources(device=device, workers=workers)
    report = run_training(dataset, meshes, out, hand, config, resources, cache)
    if not report:  # one of several processes, and not the first
        return
    typer.echo(f"weights: {report['weights']}; card: {out / 'card.md'}; curves: {out / 'curves.png'}")
    write_json(report, json_file)
