"""How a network is trained, and what a run may use for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.training.losses import Measure, PoseWeights

LOSSES = ("l2", "consistency", "combined")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Settings):
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
    loss: str = setting("combined", choices=LOSSES)
    steps: int = setting(10000, 1)
    seed: int = setting(0, 0, 2**31 - 1)
    batch: int = setting(16, 1, 65536)
    learning_rate: float = setting(0.001, 0.0, 1.0)
    beta: float = setting(0.75, 0.0, 1.0)
    collision_per_m2: float = setting(2500.0, 0.0, 1e9)
    weights: PoseWeights = field(default_factory=PoseWeights)
    paper_share: float = setting(0.0, 0.0, 1.0)
    objects: int | None = setting(None, 1)
    precision: str = setting("float32", choices=tuple(PRECISIONS))
    validate_every: int = setting(250, 1)
    validation_rotations: int = setting(4, 1, 10000)

    @property
    def measure(self) -> Measure:
        """What its losses are counted in."""
        return Measure(weights=self.weights, beta=self.beta, collision_per_m2=self.collision_per_m2)


@dataclass(frozen=True, kw_only=True)
class Resources(Settings):
    """What a run may use; on a CPU the result does not depend on it.

    Attributes:
        device: cpu, cuda, or auto: cuda where there is one. On cuda the objects live and grids are made there.
        workers: processes that make grids ahead on a CPU; 0 makes them between the steps.
        checkpoint_s: least time between two checkpoints, which are written at the end of an epoch [s].
        limit_s: stop with a checkpoint at the end of the epoch in which this is over [s].
    """

    device: str = "auto"
    workers: int = setting(0, 0, 1024)
    checkpoint_s: float = setting(60.0, 0.0, math.inf)
    limit_s: float = setting(math.inf, 0.0, math.inf)
