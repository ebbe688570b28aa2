"""Residuals and penetration of a network on a set of objects: the paper's figures for ours."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from grasp_pose_net.hand import Kinematics
from grasp_pose_net.shapes import random_rotations
from grasp_pose_net.training.data import Batch, Objects, make_batch
from grasp_pose_net.training.losses import (
    PoseWeights,
    collision_loss,
    combined_loss,
    consistency_loss,
    l2_loss,
)

BATCH = 32


def losses_of(
    objects: Objects, batch: Batch, x: torch.Tensor, kinematics: Kinematics, weights: PoseWeights
) -> dict[str, torch.Tensor]:
    """Every loss of predictions, before β: "l2", "consistency" and "collision" [m²], scalars.

    Args:
        objects: that the batch was drawn from.
        batch: grids that the network saw.
        x: (B, 7 + J) its answers, in the frame of the grids.
        kinematics: of the hand.
        weights: of the parts of the residual.
    """
    x = batch.to_object_frame(x)
    targets, valid = objects.grasps[batch.index], objects.valid[batch.index]
    points, _ = kinematics.contacts(x)
    return {
        "l2": l2_loss(x, targets[:, 0], weights),
        "consistency": consistency_loss(x, targets, valid, weights),
        "collision": collision_loss(objects.distance(batch.index, points)),
    }


def evaluate_network(
    network: nn.Module,
    objects: Objects,
    kinematics: Kinematics,
    weights: PoseWeights,
    *,
    beta: float,
    collision_per_m2: float,
    rotations: int,
) -> dict[str, float]:
    """Mean figures over all objects, each under the same fixed random rotations.

    Args:
        network: to evaluate; left in the mode it was in.
        objects: to evaluate on.
        kinematics: of the hand.
        weights: of the parts of the residual.
        beta: share of the consistency loss in the combined one.
        collision_per_m2: weight of the collision loss in it.
        rotations: how many for each object.

    Returns:
        "l2", "consistency", "collision" [m²] and "combined" residuals, "penetrating_points" of the hand's
        contact points, their "mean_depth_m", and "surface_distance_m", the mean distance of all of them
        to the surface.
    """
    was_training = network.training
    network.eval()
    index = np.repeat(np.arange(len(objects)), rotations)
    turns = random_rotations(len(index), rng=np.random.default_rng(0))
    sums: dict[str, float] = {}
    with torch.inference_mode():
        for first in range(0, len(index), BATCH):
            batch = make_batch(objects, index[first : first + BATCH], turns[first : first + BATCH])
            x = network(batch.grids)
            figures = losses_of(objects, batch, x, kinematics, weights) | _depths(
                objects, batch, x, kinematics
            )
            for name, value in figures.items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(x)
    network.train(was_training)
    means = {name: value / len(index) for name, value in sums.items()}
    consistency, collision = torch.tensor(means["consistency"]), torch.tensor(means["collision"])
    return means | {"combined": float(combined_loss(consistency, collision, beta, collision_per_m2))}


def _depths(
    objects: Objects, batch: Batch, x: torch.Tensor, kinematics: Kinematics
) -> dict[str, torch.Tensor]:
    """Penetration and distance of the contact points, means over the batch."""
    distance = objects.distance(batch.index, kinematics.contacts(batch.to_object_frame(x))[0])
    inside = distance < 0
    depth = (-distance).clamp(min=0).sum(1) / inside.sum(1).clamp(min=1)
    return {
        "penetrating_points": inside.sum(1).double().mean(),
        "mean_depth_m": depth.mean(),
        "surface_distance_m": distance.abs().mean(),
    }
