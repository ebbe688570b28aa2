"""Train on a GPU machine that has neither the meshes nor the network: one compressed file goes there, weights come back.

    grasp-pose-net study remote-training prepare --dataset shadow.npz --meshes objects --out prepared.npz
    grasp-pose-net study remote-training train --data prepared.npz --network paper --out runs/paper
    grasp-pose-net study remote-training shrink --weights runs/paper/best.safetensors --out low_rank.safetensors
    grasp-pose-net study remote-training train --data prepared.npz --network paper --start low_rank.safetensors \
        --steps 3000 --out runs/paper_low_rank

The file holds training and validation objects only, some 50 kB each with 100 grasps: 24 MB for 473. All of it lies on the GPU,
which makes the grids there. `train` stops with a checkpoint when its minutes are over; the same command goes on. The paper's
network writes 7 GB of state and 1.2 GB of weights; at rank 96 it is 16 MB.

The machine needs torch, numpy, scipy, numba, safetensors, PyYAML, tqdm, typer, joblib and matplotlib, and of pure Python
trimesh and xacro. On the CPU the same commands work at small size, see `--options`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import torch
import typer

from grasp_pose_net.commands.options import Seed, writable_file, writable_folder
from grasp_pose_net.hand import Hand
from grasp_pose_net.inference.network import load_network, network_header, save_network
from grasp_pose_net.provenance import commit
from grasp_pose_net.reading import parse_json
from grasp_pose_net.training import (
    Resources,
    TrainConfig,
    load_objects,
    load_prepared,
    low_rank,
    save_prepared,
    train_on,
)
from grasp_pose_net.training.loop import keep_notes
from grasp_pose_net.training.parallel import alone_in
from grasp_pose_net.training.prepared import fingerprint, prepared_notes

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)

HandName = Annotated[str, typer.Option(help="Hand in models/hands/, or a path to a hand.yaml.")]


@app.command()
def prepare(
    dataset: Annotated[Path, typer.Option(help="Dataset file of `synthesize`.")],
    meshes: Annotated[Path, typer.Option(help="Folder of meshes that the dataset was made from.")],
    out: Annotated[Path, typer.Option(help="File to write (NPZ).", callback=writable_file(".npz"))],
    hand: HandName = "shadow",
) -> None:
    """Write fields and grasps of the training side into one file; test objects stay here."""
    loaded = Hand.load(hand)
    sides = load_objects(dataset, meshes, loaded)
    del sides["test"]
    save_prepared(out, sides, loaded, dataset=fingerprint(dataset), commit=commit())
    counts = ", ".join(f"{len(objects)} {side}" for side, objects in sides.items())
    typer.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB, objects: {counts}")


@app.command()
def train(
    data: Annotated[Path, typer.Option(help="File of `prepare`.")],
    out: Annotated[
        Path, typer.Option(help="Folder of the run; goes on where it stopped.", callback=writable_folder)
    ],
    hand: HandName = "shadow",
    network: Annotated[str, typer.Option(help="paper or compact.")] = "paper",
    options: Annotated[str, typer.Option(help='JSON of its options, such as {"rank": 96}.')] = "{}",
    start: Annotated[str, typer.Option(help="Weights to begin with.")] = "",
    loss: Annotated[str, typer.Option(help="l2, consistency or combined.")] = "combined",
    steps: Annotated[int, typer.Option(help="Optimiser steps in all.")] = 20000,
    batch: Annotated[int, typer.Option(min=2, help="Grids in a step.")] = 16,
    epoch: Annotated[int, typer.Option(help="Steps between two looks at the held-out objects.")] = 500,
    paper_share: Annotated[
        float, typer.Option(help="Share of grids under the paper's 27 rotations; the others are random.")
    ] = 0.5,
    precision: Annotated[str, typer.Option(help="Of the convolutions: float32 or bfloat16.")] = "bfloat16",
    minutes: Annotated[float, typer.Option(help="Stop after the epoch in which these are over.")] = 8.0,
    checkpoint_s: Annotated[float, typer.Option(help="Least time between two checkpoints [s].")] = 120.0,
    seed: Seed = 0,
) -> None:
    """Train for some minutes, or go on.

    Long because every option is a line of the signature.
    """
    torch.backends.cudnn.benchmark = True  # shapes never change, so the search for the fastest kernels pays
    config = TrainConfig(
        network=network,
        options=parse_json(options, "options"),
        start=start,
        loss=loss,
        steps=steps,
        batch=batch,
        validate_every=epoch,
        paper_share=paper_share,
        precision=precision,
        seed=seed,
    )
    resources = Resources(checkpoint_s=checkpoint_s, limit_s=60 * minutes)
    loaded = Hand.load(hand)
    with alone_in(out):
        report = train_on(load_prepared(data, loaded), out, loaded, config, resources)
        if report:
            keep_notes(out, report, **prepared_notes(data), command=" ".join(sys.argv))
    if report:
        typer.echo(
            f"{report['steps']} of {steps} steps, {report['hours'] * 60:.1f} min on {report['machine']}: "
            + json.dumps(report["figures"])
        )


@app.command()
def shrink(
    weights: Annotated[str, typer.Option(help="Trained paper network of full rank.")],
    out: Annotated[
        Path,
        typer.Option(
            help="File to write (.safetensors, half precision).", callback=writable_file(".safetensors")
        ),
    ],
    rank: Annotated[int, typer.Option(min=1, help="Of the wide layers.")] = 96,
    device: Annotated[str, typer.Option(help="cuda takes seconds, cpu some minutes.")] = "cpu",
) -> None:
    """Write the wide layers of a paper network as products of two thin ones."""
    header, of_network = network_header(weights), ("hand", "architecture", "options", "pose_size")
    hand = Hand.load(header["hand"])
    small = low_rank(load_network(weights, hand).to(device), hand, rank)
    notes = {name: value for name, value in header.items() if name not in of_network}
    save_network(out, small, hand, **notes, rank=rank)
    typer.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB")
