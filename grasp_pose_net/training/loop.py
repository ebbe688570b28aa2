"""The training loop; it resumes to the same result: a step depends on the seed and its number alone."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from grasp_pose_net import provenance
from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.inference.network import add_notes, load_network
from grasp_pose_net.storage import prepare_folder, write_whole
from grasp_pose_net.training.card import licences_of, model_card
from grasp_pose_net.training.checkpoints import Run, begin, keep, record
from grasp_pose_net.training.config import LOSSES, PRECISIONS, Resources, TrainConfig
from grasp_pose_net.training.data import Draws, Objects, TrainingBatch, stream
from grasp_pose_net.training.evaluation import evaluate_network, losses_of
from grasp_pose_net.training.parallel import Team, alone_in, team
from grasp_pose_net.training.plots import save_curves
from grasp_pose_net.training.prepared import fingerprint, prepared_objects

REPORT_ROTATIONS = 8  # for each object in the figures of the report
# of the report, also in the header of the weights
NOTES = ("dataset", "objects", "grasps", "command", "commit", "hours", "machine")


def train(
    dataset: Path,
    meshes: Path,
    out: Path,
    hand: str = "shadow",
    config: TrainConfig | None = None,
    resources: Resources | None = None,
    cache: Path | None = None,
) -> dict[str, Any]:
    """Train a network, or go on where a run in the same folder stopped.

    Args:
        dataset: file of `synthesize`.
        meshes: folder of the meshes it was made from.
        out: folder of the run: `best.safetensors` with `card.md`, `report.json`, `curves.csv`,
            `curves.png`, and `state.pt` to go on from.
        hand: name of the hand, or path of its hand.yaml.
        config: what to train and how.
        resources: what it may use.
        cache: folder of prepared fields and grasps; the user's cache folder without.

    Returns:
        The report: configuration, objects, time, and all residuals of the best checkpoint by side of the
        split; empty in all processes but the first of `torchrun`.

    Raises:
        CheckpointError: the folder holds a run with another configuration.
        GraspPoseNetError: the dataset cannot be used, or another training is at work in the folder.
    """
    with alone_in(out):
        return _train(dataset, meshes, out, hand, config or TrainConfig(), resources or Resources(), cache)


def _train(
    dataset: Path,
    meshes: Path,
    out: Path,
    hand: str,
    config: TrainConfig,
    resources: Resources,
    cache: Path | None,
) -> dict[str, Any]:
    """Train in a folder that is this run's alone; see `train`."""
    loaded = Hand.load(hand)
    sides = prepared_objects(dataset, meshes, loaded, cache)
    report = train_on(sides, out, loaded, config, resources)
    if not report:
        return report
    report["sources"] = licences_of(meshes, [name for objects in sides.values() for name in objects.names])
    asked, usual = asdict(config), asdict(TrainConfig())
    said = ["network", "loss", "steps", "seed"]
    said += [name for name in ("objects", "start", "precision") if asked[name] != usual[name]]
    command = (
        f"grasp-pose-net train --dataset {dataset.name} --meshes {meshes.name} --out {out.name} --hand {hand} "
        + " ".join(f"--{name} {asked[name]}" for name in said)
    )
    own = {
        key: report[key] for key in ("machine", "weights")
    }  # the GPU that it was trained on, the file it made
    keep_notes(
        out,
        report,
        dataset=fingerprint(dataset),
        **(provenance.record(config.seed) | own | {"command": command}),
    )
    write_whole(out / "card.md", model_card(report))
    return report


def keep_notes(out: Path, report: dict[str, Any], **entries: Any) -> None:
    """Complete the report of a run, in place and in its file, and the header of its weights, which may go elsewhere."""
    report |= entries
    add_notes(out / "best.safetensors", **{name: report[name] for name in NOTES})
    write_whole(out / "report.json", json.dumps(report, indent=2) + "\n")


def train_on(
    sides: dict[str, Objects],
    out: Path,
    hand: Hand,
    config: TrainConfig,
    resources: Resources | None = None,
) -> dict[str, Any]:
    """Train on loaded objects; see `train`."""
    resources = resources or Resources()
    if config.objects is not None:
        sides = {**sides, "train": sides["train"].first(config.objects)}
    prepare_folder(out)
    with team(resources.device) as processes:
        run = begin(out, hand, config, processes.device)
        _fit(run, sides, resources, processes)
        return _report(run, sides) if processes.rank == 0 else {}


def _fit(run: Run, sides: dict[str, Objects], resources: Resources, processes: Team) -> None:
    """Epochs until the steps or the time are over, each with a row of the curves."""
    config, device = run.config, processes.device
    kinematics, network = Kinematics(run.hand, device=device), processes.joined(run.network)
    objects = sides["train"].to(device)
    held_out = (sides["validation"] if len(sides["validation"]) else sides["train"]).to(device)
    draws = Draws(objects, config.batch, processes.part(config.batch), config.seed, config.paper_share)
    workers = resources.workers if device.type == "cpu" else 0
    batches = stream(draws, range(run.step, config.steps), workers)
    began = saved = time.perf_counter()
    before, stop = run.seconds, run.step == config.steps
    progress = tqdm(initial=run.step, total=config.steps, desc="train", unit="step", disable=None)
    while not stop:
        means = _epoch(run, network, batches, objects, kinematics)
        means = dict(zip(means, processes.mean(list(means.values())), strict=True))
        if processes.rank == 0:
            figures = evaluate_network(
                run.network, held_out, kinematics, config.measure, config.validation_rotations
            )
            run.seconds = before + time.perf_counter() - began
            record(run, means, figures)
            tqdm.write(_line(run.history[-1]))
            progress.update(run.step - progress.n)
        over = float(time.perf_counter() - began > resources.limit_s)
        stop = run.step == config.steps or processes.mean([over])[0] > 0
        if processes.rank == 0 and (stop or time.perf_counter() - saved >= resources.checkpoint_s):
            keep(run)
            saved = time.perf_counter()
    progress.close()


def _epoch(
    run: Run, network: nn.Module, batches: Iterator[TrainingBatch], objects: Objects, kinematics: Kinematics
) -> dict[str, float]:
    """Steps to the next look at the validation objects; mean losses, and the share of time waited for grids."""
    network.train()
    began, waited, losses = time.perf_counter(), 0.0, []
    every = run.config.validate_every
    last = min(run.config.steps, (run.step // every + 1) * every)
    while run.step < last:
        asked = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - asked
        losses.append(step(run, network, batch, objects, kinematics))
    # fetched from a GPU only now, so that it never waits for us
    means = {name: torch.stack([row[name] for row in losses]).double().mean().item() for name in losses[0]}
    return means | {"waiting": waited / (time.perf_counter() - began)}


def step(
    run: Run, network: nn.Module, batch: TrainingBatch, objects: Objects, kinematics: Kinematics
) -> dict[str, torch.Tensor]:
    """One optimiser step; the losses before it."""
    config = run.config
    for group in run.optimiser.param_groups:
        group["lr"] = config.learning_rate * 0.5 * (1 + math.cos(math.pi * run.step / config.steps))
    precision = PRECISIONS[config.precision]
    with torch.autocast(batch.grids.device.type, precision, enabled=precision is not torch.float32):
        x = network(batch.grids)
    losses = losses_of(objects, batch, x, kinematics, config.measure)
    run.optimiser.zero_grad(set_to_none=True)
    losses[config.loss].backward()
    run.optimiser.step()
    run.step += 1
    return {name: value.detach() for name, value in losses.items()}


def _line(row: dict[str, float]) -> str:
    """What is said about an epoch."""
    losses = " ".join(f"{name} {row[f'train_{name}']:.4g}" for name in (*LOSSES, "collision"))
    return (
        f"step {row['step']:.0f}: {losses}; held out: consistency {row['validation_consistency']:.4g}, "
        f"{row['seconds']:.0f} s, waited for grids {100 * row['waiting']:.1f} %"
    )


def _report(run: Run, sides: dict[str, Objects]) -> dict[str, Any]:
    """Figures of the best checkpoint on every side of the split, also written to `report.json`."""
    device, weights = next(run.network.parameters()).device, run.out / "best.safetensors"
    best, kinematics = load_network(str(weights), run.hand).to(device), Kinematics(run.hand, device=device)
    measure = run.config.measure
    figures = {
        side: evaluate_network(best, objects.to(device), kinematics, measure, REPORT_ROTATIONS)
        for side, objects in sides.items()
        if len(objects)
    }
    report = {
        "hand": run.hand.name,
        "config": asdict(run.config),
        "objects": {side: len(objects) for side, objects in sides.items()},
        "grasps": {side: int(objects.valid.sum()) for side, objects in sides.items()},
        "rotations": REPORT_ROTATIONS,
        "steps": run.step,
        "hours": round(run.seconds / 3600, 3),
        "waiting": round(sum(row["waiting"] for row in run.history) / len(run.history), 4),
        "machine": provenance.machine() if device.type == "cpu" else torch.cuda.get_device_name(device),
        "figures": figures,
        "weights": str(weights),
    }
    write_whole(run.out / "report.json", json.dumps(report, indent=2) + "\n")
    save_curves(run.history, run.out / "curves.png")
    return report
