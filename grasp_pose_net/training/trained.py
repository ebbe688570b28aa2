"""A trained network and what its file says about how it was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from torch import nn

from grasp_pose_net.exceptions import CheckpointError, ConfigError
from grasp_pose_net.hand import Hand
from grasp_pose_net.inference.network import load_network, network_header
from grasp_pose_net.models import network_file
from grasp_pose_net.reading import brief, one_line, read_json
from grasp_pose_net.training.config import TrainConfig
from grasp_pose_net.training.losses import Measure, PoseWeights


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A network, ready to be asked.

    Attributes:
        name: as it was asked for.
        network: in evaluation mode.
        hand: that it is for.
        architecture: paper, compact, … and its rank, if that is low.
        loss: that it was trained with.
        seed: of its training.
        measure: what its losses were counted in.
        notes: header of its file, and the report of its run where that lies beside it.
    """

    name: str
    network: nn.Module
    hand: Hand
    architecture: str
    loss: str
    seed: int
    measure: Measure
    notes: dict[str, Any]

    @property
    def training_objects(self) -> int | None:
        """How many objects it was trained on, where its notes say."""
        count = self.notes.get("objects", {}).get("train")
        return None if count is None else int(count)

    @property
    def kind(self) -> dict[str, Any]:
        """What tells it from other networks, but for its loss."""
        keys = ("architecture", "seed", "training_objects")
        return {"hand": self.hand.name, **{key: getattr(self, key) for key in keys}}

    @property
    def limit(self) -> int | None:
        """The sample of training objects that it was restricted to, as `Objects.first` counts; None: all."""
        limit = self.notes["config"].get("objects")
        return None if limit is None else int(limit)


def load_trained(names: Sequence[str]) -> list[Trained]:
    """Networks that can be compared with each other.

    Args:
        names: of files in models/networks/, or paths to `.safetensors` files.

    Raises:
        CheckpointError: a file is missing or says too little, two are of the same kind and seed, or they
            were trained with differently weighted losses.
    """
    hands: dict[str, Hand] = {}
    trained = [_load(name, hands) for name in names]
    for other, one in combinations(trained, 2):
        if one.measure != other.measure:
            raise CheckpointError(
                f"asked to compare {other.name} and {one.name}, found losses weighted differently "
                f"({other.measure}, {one.measure}); evaluate them apart"
            )
        if one.kind == other.kind and one.loss == other.loss:
            raise CheckpointError(
                f"asked to take {other.name} and {one.name} for two seeds, found both for hand "
                f"{one.hand.name!r}, {one.architecture}, loss {one.loss}, seed {one.seed}; give one of them"
            )
    return trained


def _load(name: str, hands: dict[str, Hand]) -> Trained:
    notes = _notes(name)
    config = notes.get("config", {})
    missing = [key for key in ("loss", "seed", "beta", "collision_per_m2", "weights") if key not in config]
    if missing:
        raise CheckpointError(
            f"{name}: asked how it was trained, found a header without {', '.join(missing)}; "
            "train it with `grasp-pose-net train`"
        )
    if notes["hand"] not in hands:
        hands[notes["hand"]] = Hand.load(notes["hand"])
    hand, rank = hands[notes["hand"]], notes.get("options", {}).get("rank")
    try:
        known = {key: config[key] for key in ("loss", "seed", "beta", "collision_per_m2")}
        trained = TrainConfig(**known, weights=PoseWeights(**config["weights"]))
        objects = notes.get("objects", {}).get("train", 0)
        if type(objects) is not int:
            raise ConfigError(f"objects: {brief(objects)} is no number")
    except (TypeError, AttributeError, ConfigError) as error:
        raise CheckpointError(f"{name}: its header says of its training: {one_line(error)}") from error
    return Trained(
        name=name,
        network=load_network(name, hand),
        hand=hand,
        architecture=notes["architecture"] + (f", rank {rank}" if rank else ""),
        loss=trained.loss,
        seed=trained.seed,
        measure=trained.measure,
        notes=notes,
    )


def _notes(name: str) -> dict[str, Any]:
    """Header of a weights file, completed by the `report.json` of the run that made it, where that lies beside it."""
    header, path = network_header(name), network_file(name)
    file = path.with_name("report.json")
    report = read_json(file, CheckpointError) if file.is_file() else {}
    return report | header if Path(str(report.get("weights", ""))).name == path.name else header
