"""A run in progress: begun or found in its folder, its curves recorded, and kept there to go on from."""

from __future__ import annotations

import copy
import csv
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from grasp_pose_net.exceptions import CheckpointError
from grasp_pose_net.hand import Hand
from grasp_pose_net.inference.network import (
    load_network,
    make_network,
    network_header,
    save_network,
)
from grasp_pose_net.inference.weights_file import LARGEST_MB
from grasp_pose_net.reading import check_file, one_line
from grasp_pose_net.storage import whole
from grasp_pose_net.training.config import TrainConfig

KEPT = ("step", "seconds", "best", "history")


@dataclass
class Run:
    """A run in progress: everything that a checkpoint keeps, and the best network since the last one."""

    out: Path
    hand: Hand
    config: TrainConfig
    network: nn.Module
    optimiser: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0
    best: float = math.inf
    history: list[dict[str, float]] = field(default_factory=list)
    best_network: nn.Module | None = None

    @property
    def asked(self) -> dict[str, Any]:
        """What it was asked for, as a checkpoint keeps it."""
        return {"hand": self.hand.name, **asdict(self.config)}


def begin(out: Path, hand: Hand, config: TrainConfig, device: torch.device) -> Run:
    """A new run, or the one in the folder `out`.

    Raises:
        CheckpointError: the folder holds a run with another configuration.
    """
    network = _first_network(hand, config).to(device)
    if device.type == "cuda":  # the layout that its matrix units take convolutions in
        network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    adam = torch.optim.Adam(
        network.parameters(), lr=config.learning_rate, betas=(0.9, 0.999), fused=device.type == "cuda"
    )
    run = Run(out, hand, config, network, adam)
    path, wanted = out / "state.pt", run.asked
    if not path.exists():
        return run
    state = _state(path, device)
    if state["config"] != wanted:
        different = [name for name in wanted if state["config"].get(name) != wanted[name]]
        asked, found = (", ".join(f"{n}={c.get(n)!r}" for n in different) for c in (wanted, state["config"]))
        raise CheckpointError(
            f"{path}: asked to go on with {asked}, found a run with {found}; use another --out"
        )
    try:
        network.load_state_dict(state["network"])
        run.optimiser.load_state_dict(state["optimiser"])
    except Exception as error:  # whatever torch makes of other shapes
        raise CheckpointError(f"{path}: its state is of another network: {one_line(error)}") from error
    for name in KEPT:
        setattr(run, name, state[name])
    return run


def _state(path: Path, device: torch.device) -> dict[str, Any]:
    """What a run has kept."""
    check_file(path, LARGEST_MB, CheckpointError)
    try:
        state = torch.load(path, weights_only=True, map_location=device)
        if missing := {"config", "network", "optimiser", *KEPT} - set(state):
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        if not isinstance(state["config"], dict):
            raise ValueError("its configuration is none")
    except Exception as error:  # torch raises anything of a file that is cut
        raise CheckpointError(
            f"{path}: cannot go on from it ({one_line(error)}); use another --out"
        ) from error
    return state


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


def record(run: Run, means: dict[str, float], figures: dict[str, float]) -> None:
    """A row of the curves, and the best network so far: by L_consistency of the validation objects."""
    row = {"step": run.step, "seconds": round(run.seconds, 1), "waiting": round(means["waiting"], 4)}
    row |= {f"train_{name}": value for name, value in means.items() if name != "waiting"}
    row |= {f"validation_{name}": value for name, value in figures.items()}
    run.history.append(row)
    if figures["consistency"] < run.best:
        run.best, run.best_network = figures["consistency"], copy.deepcopy(run.network)


def keep(run: Run) -> None:
    """Write the curves, the best weights so far, and the state to go on from; each file whole or not at all."""
    with whole(run.out / "curves.csv") as unfinished, unfinished.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(run.history[0]))
        writer.writeheader()
        writer.writerows(run.history)
    if run.best_network is not None:
        best = min(run.history, key=lambda row: row["validation_consistency"])
        path = run.out / "best.safetensors"
        save_network(path, run.best_network, run.hand, step=best["step"], config=asdict(run.config))
        run.best_network = None
    parts = {"network": run.network.state_dict(), "optimiser": run.optimiser.state_dict()}
    with whole(run.out / "state.pt") as unfinished:
        torch.save({"config": run.asked, **parts, **{name: getattr(run, name) for name in KEPT}}, unfinished)
