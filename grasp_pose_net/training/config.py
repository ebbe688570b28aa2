"""How a network is trained, and what a run may use for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.training.losses import PoseWeights

LOSSES = ("l2", "consistency", "combined")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


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
