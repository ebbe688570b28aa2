"""The training loop; it resumes to the same result: a step depends on the seed and its number alone."""

from __future__ import annotations

import csv
import json
import logging
import math
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from grasp_pose_net.exceptions import CheckpointError, ConfigError
from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.inference.network import load_network, make_network, save_network
from grasp_pose_net.training.card import licences_of, machine, model_card
from grasp_pose_net.training.data import Objects, draw_batch, load_objects
from grasp_pose_net.training.evaluation import evaluate_network, losses_of
from grasp_pose_net.training.losses import PoseWeights, combined_loss
from grasp_pose_net.training.plots import save_curves

logger = logging.getLogger(__name__)

LOSSES = ("l2", "consistency", "combined")
REPORT_ROTATIONS = 8  # for each object in the figures of the report


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a network is trained.

    Attributes:
        network: architecture, paper or compact.
        loss: l2, consistency or combined.
        steps: optimiser steps; the learning rate falls to zero over them, half a cosine.
        seed: of weights, objects and rotations.
        batch: grids in a step; the paper's 16.
        learning_rate: of Adam at the first step; the paper's 0.001.
        beta: share of the consistency loss in the combined one; the paper's 0.75.
        collision_per_m2: weight of the collision loss in units of the residual. A contact point 1 cm deep
            counts as much as a hand 3 cm away, because the depth must go and the grasp may be another.
        weights: of the parts of the pose residual.
        validate_every: steps between two looks at the validation objects, each of which is also a checkpoint.
        validation_rotations: grids of each validation object.
    """

    network: str = "compact"
    loss: str = "combined"
    steps: int = 10000
    seed: int = 0
    batch: int = 16
    learning_rate: float = 0.001
    beta: float = 0.75
    collision_per_m2: float = 1000.0
    weights: PoseWeights = field(default_factory=PoseWeights)
    validate_every: int = 250
    validation_rotations: int = 4

    def __post_init__(self) -> None:
        """Check what cannot be trained.

        Raises:
            ConfigError: naming the entry, its value and what is valid.
        """
        if self.loss not in LOSSES:
            raise ConfigError(f"loss: expected one of {', '.join(LOSSES)}, got {self.loss!r}")
        if not 0.0 <= self.beta <= 1.0:
            raise ConfigError(f"beta: expected 0 to 1, got {self.beta}")
        for name in ("steps", "batch", "validate_every", "validation_rotations"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}: expected at least 1, got {getattr(self, name)}")


@dataclass
class Run:
    """A run in progress: everything that a checkpoint keeps."""

    network: nn.Module
    optimiser: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0
    best: float = math.inf
    history: list[dict[str, float]] = field(default_factory=list)


def train(
    dataset: Path,
    meshes: Path,
    out: Path,
    hand: str = "shadow",
    network: str = "compact",
    loss: str = "combined",
    steps: int = 10000,
    seed: int = 0,
) -> dict[str, Any]:
    """Train a network, or go on where a run in the same folder stopped.

    Args:
        dataset: file of `synthesize`.
        meshes: folder of the meshes it was made from.
        out: folder of the run: `best.safetensors` with `card.md`, `report.json`, `curves.csv`,
            `curves.png`, and `state.pt` to go on from.
        hand: name of the hand, or path of its hand.yaml.
        network: paper or compact.
        loss: l2, consistency or combined.
        steps: optimiser steps in all.
        seed: of weights, objects and rotations.

    Returns:
        The report: configuration, objects, time, and all residuals of the best checkpoint by side of the
        split.

    Raises:
        ConfigError: an impossible configuration.
        CheckpointError: the folder holds a run with another configuration.
        GraspPoseNetError: the dataset cannot be used.
    """
    config = TrainConfig(network=network, loss=loss, steps=steps, seed=seed)
    loaded = Hand.load(hand)
    sides = load_objects(dataset, meshes, loaded)
    report = train_on(sides, out, loaded, config)
    report["sources"] = licences_of(meshes, [name for objects in sides.values() for name in objects.names])
    report["command"] = (
        f"grasp-pose-net train --dataset {dataset.name} --meshes {meshes.name} --out {out.name} "
        f"--hand {hand} --network {network} --loss {loss} --steps {steps} --seed {seed}"
    )
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    (out / "card.md").write_text(model_card(report))
    return report


def train_on(sides: dict[str, Objects], out: Path, hand: Hand, config: TrainConfig) -> dict[str, Any]:
    """Train on loaded objects; see `train`."""
    out.mkdir(parents=True, exist_ok=True)
    run = _start(out, hand, config)
    kinematics = Kinematics(hand)
    started = time.perf_counter() - run.seconds
    sums: dict[str, float] = {}
    progress = tqdm(
        range(run.step, config.steps), initial=run.step, total=config.steps, desc="train", unit="step"
    )
    for _ in progress:
        for name, value in step(run, sides["train"], kinematics, config).items():
            sums[name] = sums.get(name, 0.0) + value / config.validate_every
        if run.step % config.validate_every == 0 or run.step == config.steps:
            held_out = sides["validation"] if len(sides["validation"]) else sides["train"]
            figures = evaluate_network(
                run.network,
                held_out,
                kinematics,
                config.weights,
                rotations=config.validation_rotations,
                beta=config.beta,
                collision_per_m2=config.collision_per_m2,
            )
            run.seconds = time.perf_counter() - started
            _record(run, sums, figures, out, hand, config)
            progress.set_postfix(train=f"{sums['loss']:.4f}", validation=f"{figures['consistency']:.4f}")
            sums = {}
    return _report(run, sides, out, hand, config)


def step(run: Run, objects: Objects, kinematics: Kinematics, config: TrainConfig) -> dict[str, float]:
    """One optimiser step on a batch that depends on the seed and the number of the step alone; the losses."""
    batch = draw_batch(objects, config.batch, rng=np.random.default_rng([config.seed, run.step]))
    run.network.train()
    for group in run.optimiser.param_groups:
        group["lr"] = config.learning_rate * 0.5 * (1 + math.cos(math.pi * run.step / config.steps))
    losses = losses_of(objects, batch, run.network(batch.grids), kinematics, config.weights)
    combined = combined_loss(losses["consistency"], losses["collision"], config.beta, config.collision_per_m2)
    loss = combined if config.loss == "combined" else losses[config.loss]
    run.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    run.optimiser.step()
    run.step += 1
    return {"loss": loss.item(), **{name: value.item() for name, value in losses.items()}}


def _start(out: Path, hand: Hand, config: TrainConfig) -> Run:
    """A new run, or the one in the folder."""
    network = make_network(config.network, hand, seed=config.seed)
    run = Run(network, torch.optim.Adam(network.parameters(), lr=config.learning_rate, betas=(0.9, 0.999)))
    path = out / "state.pt"
    wanted = {"hand": hand.name, **asdict(config)}
    if not path.exists():
        return run
    state = torch.load(path, weights_only=True)
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
    logger.info("going on at step %d of %s", run.step, out)
    return run


def _record(
    run: Run, sums: dict[str, float], figures: dict[str, float], out: Path, hand: Hand, config: TrainConfig
) -> None:
    """Keep the curves, the best weights so far, and the state to go on from."""
    row = {"step": run.step, "seconds": round(run.seconds, 1)}
    row |= {f"train_{name}": value for name, value in sums.items()}
    row |= {f"validation_{name}": value for name, value in figures.items()}
    run.history.append(row)
    with (out / "curves.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(row))
        writer.writeheader()
        writer.writerows(run.history)
    if figures["consistency"] < run.best:
        run.best = figures["consistency"]
        save_network(out / "best.safetensors", run.network, hand, step=run.step, config=asdict(config))
    state = {
        "config": {"hand": hand.name, **asdict(config)},
        "network": run.network.state_dict(),
        "optimiser": run.optimiser.state_dict(),
        "step": run.step,
        "seconds": run.seconds,
        "best": run.best,
        "history": run.history,
    }
    torch.save(state, out / "state.partial")
    os.replace(out / "state.partial", out / "state.pt")


def _report(
    run: Run, sides: dict[str, Objects], out: Path, hand: Hand, config: TrainConfig
) -> dict[str, Any]:
    """Figures of the best checkpoint on every side of the split, also written to `report.json`."""
    best = load_network(str(out / "best.safetensors"), hand)
    kinematics = Kinematics(hand)
    figures = {
        side: evaluate_network(
            best,
            objects,
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
        "hours": round(run.seconds / 3600, 3),
        "machine": machine(),
        "figures": figures,
        "weights": str(out / "best.safetensors"),
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    save_curves(out / "curves.csv", out / "curves.png")
    return report
