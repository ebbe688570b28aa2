"""The training loop; it resumes to the same result: a step depends on the seed and its number alone."""

from __future__ import annotations

import copy
import csv
import io
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from grasp_pose_net.exceptions import CheckpointError, ConfigError
from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.inference.network import (
    add_notes,
    load_network,
    make_network,
    network_header,
    save_network,
)
from grasp_pose_net.provenance import commit, machine
from grasp_pose_net.storage import whole, write_whole
from grasp_pose_net.training.batches import Draws, stream
from grasp_pose_net.training.card import licences_of, model_card
from grasp_pose_net.training.data import Batch, Objects
from grasp_pose_net.training.evaluation import evaluate_network, losses_of
from grasp_pose_net.training.losses import PoseWeights, combined_loss
from grasp_pose_net.training.parallel import Team, team
from grasp_pose_net.training.plots import save_curves
from grasp_pose_net.training.prepared import fingerprint, prepared_objects

LOSSES = ("l2", "consistency", "combined")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
REPORT_ROTATIONS = 8  # for each object in the figures of the report
# of the report, also in the header of the weights
NOTES = ("dataset", "objects", "grasps", "command", "commit", "hours", "machine")
TIMES = ("seconds", "waiting")  # columns of the curves that are no results


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a network is trained: all that the result depends on.

    Attributes:
        network: architecture, paper or compact.
        options: of the architecture, such as `rank`.
        start: weights to begin with, as `load_network` takes them; random ones where empty.
        loss: l2, consistency or combined.
        steps: optimiser steps; the learning rate falls to zero over them, half a cosine.
        seed: of weights, objects and rotations.
        batch: grids in a step; the paper's 16.
        learning_rate: of Adam at the first step; the paper's 0.001.
        beta: share of the consistency loss in the combined one; the paper's 0.75.
        collision_per_m2: weight of the collision loss in units of the residual. A contact point 1 cm deep
            counts as much as a hand 5 cm away, because the depth must go and the grasp may be another. On validation
            objects points are 6.0 mm deep without the loss and 1.8 mm with a weight of 1000; with 5000 it is 0.6 mm, but the
            points are 26 instead of 18 mm from the surface, and fewer grasps are good after refinement.
        weights: of the parts of the pose residual.
        paper_share: share of grids under one of the paper's 27 rotations; the others are random.
        objects: train only on so many objects, a fair sample; all without.
        precision: of the convolutions, float32 or bfloat16; weights, poses and losses are float32 always.
        validate_every: steps of an epoch, after each of which the validation objects are looked at.
        validation_rotations: grids of each validation object.
    """

    network: str = "compact"
    options: dict[str, Any] = field(default_factory=dict)
    start: str = ""
    loss: str = "combined"
    steps: int = 10000
    seed: int = 0
    batch: int = 16
    learning_rate: float = 0.001
    beta: float = 0.75
    collision_per_m2: float = 2500.0
    weights: PoseWeights = field(default_factory=PoseWeights)
    paper_share: float = 0.0
    objects: int | None = None
    precision: str = "float32"
    validate_every: int = 250
    validation_rotations: int = 4

    def __post_init__(self) -> None:
        """Check what cannot be trained.

        Raises:
            ConfigError: naming the entry, its value and what is valid.
        """
        if self.loss not in LOSSES:
            raise ConfigError(f"loss: expected one of {', '.join(LOSSES)}, got {self.loss!r}")
        if self.precision not in PRECISIONS:
            raise ConfigError(f"precision: expected one of {', '.join(PRECISIONS)}, got {self.precision!r}")
        for name in ("beta", "paper_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name}: expected 0 to 1, got {getattr(self, name)}")
        for name in ("steps", "batch", "validate_every", "validation_rotations", "objects"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ConfigError(f"{name}: expected at least 1, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a run may use; on a CPU the result does not depend on it.

    Attributes:
        device: cpu, cuda, or auto: cuda where there is one. On cuda the objects live and grids are made there.
        workers: processes that make grids ahead on a CPU; 0 makes them between the steps.
        checkpoint_s: least time between two checkpoints, which are written at the end of an epoch [s].
        limit_s: stop with a checkpoint at the end of the epoch in which this is over [s].
    """

    device: str = "auto"
    workers: int = 0
    checkpoint_s: float = 60.0
    limit_s: float = math.inf


@dataclass
class Run:
    """A run in progress: everything that a checkpoint keeps, and the best network since the last one."""

    network: nn.Module
    optimiser: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0
    best: float = math.inf
    history: list[dict[str, float]] = field(default_factory=list)
    best_network: nn.Module | None = None


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
        GraspPoseNetError: the dataset cannot be used.
    """
    config = config or TrainConfig()
    loaded = Hand.load(hand)
    sides = prepared_objects(dataset, meshes, loaded, cache)
    report = train_on(sides, out, loaded, config, resources or Resources())
    if not report:
        return report
    report["sources"] = licences_of(meshes, [name for objects in sides.values() for name in objects.names])
    flags = {"network": config.network, "loss": config.loss, "steps": config.steps, "seed": config.seed}
    less_usual = ("objects", "start", "precision")
    flags |= {
        name: getattr(config, name)
        for name in less_usual
        if getattr(config, name) != getattr(TrainConfig(), name)
    }
    command = (
        f"grasp-pose-net train --dataset {dataset.name} --meshes {meshes.name} --out {out.name} --hand {hand} "
        + " ".join(f"--{name} {value}" for name, value in flags.items())
    )
    keep_notes(out, report, dataset=fingerprint(dataset), commit=commit(), command=command)
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
    out.mkdir(parents=True, exist_ok=True)
    with team(resources.device) as processes:
        run = _start(out, hand, config, processes.device)
        _fit(run, sides, out, hand, config, resources, processes)
        return _report(run, sides, out, hand, config) if processes.rank == 0 else {}


def _fit(
    run: Run,
    sides: dict[str, Objects],
    out: Path,
    hand: Hand,
    config: TrainConfig,
    resources: Resources,
    processes: Team,
) -> None:
    """Epochs until the steps or the time are over, each with a row of the curves."""
    device = processes.device
    kinematics, network = Kinematics(hand, device=device), processes.joined(run.network)
    objects = sides["train"].to(device)
    held_out = (sides["validation"] if len(sides["validation"]) else sides["train"]).to(device)
    draws = Draws(objects, config.batch, processes.part(config.batch), config.seed, config.paper_share)
    workers = resources.workers if device.type == "cpu" else 0
    batches = stream(draws, range(run.step, config.steps), workers)
    began = saved = time.perf_counter()
    before, stop = run.seconds, run.step == config.steps
    progress = tqdm(initial=run.step, total=config.steps, desc="train", unit="step", disable=None)
    while not stop:
        means = _epoch(run, network, batches, objects, kinematics, config)
        means = dict(zip(means, processes.mean(list(means.values())), strict=True))
        if processes.rank == 0:
            measure = {"beta": config.beta, "collision_per_m2": config.collision_per_m2}
            figures = evaluate_network(
                run.network,
                held_out,
                kinematics,
                config.weights,
                rotations=config.validation_rotations,
                **measure,
            )
            run.seconds = before + time.perf_counter() - began
            _record(run, means, figures)
            tqdm.write(_line(run.history[-1]))
            progress.update(run.step - progress.n)
        over = float(time.perf_counter() - began > resources.limit_s)
        stop = run.step == config.steps or processes.mean([over])[0] > 0
        if processes.rank == 0 and (stop or time.perf_counter() - saved >= resources.checkpoint_s):
            _checkpoint(run, out, hand, config)
            saved = time.perf_counter()
    progress.close()


def _epoch(
    run: Run,
    network: nn.Module,
    batches: Iterator[Batch],
    objects: Objects,
    kinematics: Kinematics,
    config: TrainConfig,
) -> dict[str, float]:
    """Steps to the next look at the validation objects; mean losses, and the share of time waited for grids."""
    network.train()
    began, waited, losses = time.perf_counter(), 0.0, []
    last = min(config.steps, (run.step // config.validate_every + 1) * config.validate_every)
    while run.step < last:
        asked = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - asked
        losses.append(step(run, network, batch, objects, kinematics, config))
    # fetched from a GPU only now, so that it never waits for us
    means = {name: torch.stack([row[name] for row in losses]).double().mean().item() for name in losses[0]}
    return means | {"waiting": waited / (time.perf_counter() - began)}


def step(
    run: Run,
    network: nn.Module,
    batch: Batch,
    objects: Objects,
    kinematics: Kinematics,
    config: TrainConfig,
) -> dict[str, torch.Tensor]:
    """One optimiser step; the losses before it."""
    for group in run.optimiser.param_groups:
        group["lr"] = config.learning_rate * 0.5 * (1 + math.cos(math.pi * run.step / config.steps))
    precision = PRECISIONS[config.precision]
    with torch.autocast(batch.grids.device.type, precision, enabled=precision is not torch.float32):
        x = network(batch.grids)
    losses = losses_of(objects, batch, x, kinematics, config.weights)
    losses["combined"] = combined_loss(
        losses["consistency"], losses["collision"], config.beta, config.collision_per_m2
    )
    run.optimiser.zero_grad(set_to_none=True)
    losses[config.loss].backward()
    run.optimiser.step()
    run.step += 1
    return {name: value.detach() for name, value in losses.items()}


def _start(out: Path, hand: Hand, config: TrainConfig, device: torch.device) -> Run:
    """A new run, or the one in the folder."""
    network = _first_network(hand, config).to(device)
    if device.type == "cuda":  # the layout that its matrix units take convolutions in
        network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    adam = torch.optim.Adam(
        network.parameters(), lr=config.learning_rate, betas=(0.9, 0.999), fused=device.type == "cuda"
    )
    run = Run(network, adam)
    path = out / "state.pt"
    wanted = {"hand": hand.name, **asdict(config)}
    if not path.exists():
        return run
    state = torch.load(path, weights_only=True, map_location=device)
    if state["config"] != wanted:
        different = [name for name in wanted if state["config"].get(name) != wanted[name]]
        found = ", ".join(f"{name}={state['config'].get(name)!r}" for name in different)
        asked = ", ".join(f"{name}={wanted[name]!r}" for name in different)
        raise CheckpointError(
            f"{path}: asked to go on with {asked}, found a run with {found}; use another --out"
        )
    network.load_state_dict(state["network"])
    run.optimiser.load_state_dict(state["optimiser"])
    run.step, run.seconds, run.best, run.history = (
        state[key] for key in ("step", "seconds", "best", "history")
    )
    return run


def _first_network(hand: Hand, config: TrainConfig) -> nn.Module:
    """The network before the first step."""
    if not config.start:
        return make_network(config.network, hand, seed=config.seed, **config.options)
    found = network_header(config.start)["architecture"]
    if found != config.network:
        raise CheckpointError(
            f"{config.start}: asked to begin with architecture {config.network!r}, found {found!r}"
        )
    return load_network(config.start, hand)


def _record(run: Run, means: dict[str, float], figures: dict[str, float]) -> None:
    """A row of the curves, and the best network so far: by L_consistency of the validation objects."""
    row = {"step": run.step, "seconds": round(run.seconds, 1), "waiting": round(means["waiting"], 4)}
    row |= {f"train_{name}": value for name, value in means.items() if name != "waiting"}
    row |= {f"validation_{name}": value for name, value in figures.items()}
    run.history.append(row)
    if figures["consistency"] < run.best:
        run.best, run.best_network = figures["consistency"], copy.deepcopy(run.network)


def _line(row: dict[str, float]) -> str:
    """What is said about an epoch."""
    losses = " ".join(f"{name} {row[f'train_{name}']:.4g}" for name in (*LOSSES, "collision"))
    return (
        f"step {row['step']:.0f}: {losses}; held out: consistency {row['validation_consistency']:.4g}, "
        f"{row['seconds']:.0f} s, waited for grids {100 * row['waiting']:.1f} %"
    )


def _checkpoint(run: Run, out: Path, hand: Hand, config: TrainConfig) -> None:
    """Write the curves, the best weights so far, and the state to go on from; each file whole or not at all."""
    table = io.StringIO()
    writer = csv.DictWriter(table, fieldnames=list(run.history[0]))
    writer.writeheader()
    writer.writerows(run.history)
    write_whole(out / "curves.csv", table.getvalue())
    if run.best_network is not None:
        best = min(run.history, key=lambda row: row["validation_consistency"])
        save_network(
            out / "best.safetensors", run.best_network, hand, step=best["step"], config=asdict(config)
        )
        run.best_network = None
    state = {
        "config": {"hand": hand.name, **asdict(config)},
        "network": run.network.state_dict(),
        "optimiser": run.optimiser.state_dict(),
        "step": run.step,
        "seconds": run.seconds,
        "best": run.best,
        "history": run.history,
    }
    with whole(out / "state.pt") as unfinished:
        torch.save(state, unfinished)


def _report(
    run: Run, sides: dict[str, Objects], out: Path, hand: Hand, config: TrainConfig
) -> dict[str, Any]:
    """Figures of the best checkpoint on every side of the split, also written to `report.json`."""
    device = next(run.network.parameters()).device
    best = load_network(str(out / "best.safetensors"), hand).to(device)
    kinematics = Kinematics(hand, device=device)
    figures = {
        side: evaluate_network(
            best,
            objects.to(device),
            kinematics,
            config.weights,
            rotations=REPORT_ROTATIONS,
            beta=config.beta,
            collision_per_m2=config.collision_per_m2,
        )
        for side, objects in sides.items()
        if len(objects)
    }
    report = {
        "hand": hand.name,
        "config": asdict(config),
        "objects": {side: len(objects) for side, objects in sides.items()},
        "grasps": {side: int(objects.valid.sum()) for side, objects in sides.items()},
        "rotations": REPORT_ROTATIONS,
        "steps": run.step,
        "hours": round(run.seconds / 3600, 3),
        "waiting": round(sum(row["waiting"] for row in run.history) / len(run.history), 4),
        "machine": machine() if device.type == "cpu" else torch.cuda.get_device_name(device),
        "figures": figures,
        "weights": str(out / "best.safetensors"),
    }
    write_whole(out / "report.json", json.dumps(report, indent=2) + "\n")
    save_curves(out / "curves.csv", out / "curves.png")
    return report
