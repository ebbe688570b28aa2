"""Residuals, penetration and quality of a network's grasps on a set of objects: the paper's figures for ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import torch
from torch import nn

from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.quality import contacts, epsilon_batch, penetration
from grasp_pose_net.refinement import Refinement, refine
from grasp_pose_net.shapes import SignedDistanceField, random_rotations
from grasp_pose_net.training.data import Objects, TrainingBatch, make_batch
from grasp_pose_net.training.losses import (
    Measure,
    PoseWeights,
    collision_loss,
    combined_loss,
    consistency_loss,
    l2_loss,
    pose_residual,
)

BATCH = 32
GOOD_EPSILON = 0.05  # what the planner offers at least (`PlannerConfig.min_epsilon`)
TOLERANCE_M = Refinement().tolerance_m  # deepest that still counts as free

TRIED = ("raw_held", "first_held", "best_held")
# force trial of grasps (B, 7 + J) of one object: whether each held, (B,)
Held = Callable[[np.ndarray], np.ndarray]


def losses_of(
    objects: Objects, batch: TrainingBatch, x: torch.Tensor, kinematics: Kinematics, measure: Measure
) -> dict[str, torch.Tensor]:
    """Every loss of predictions: "l2", "consistency", "collision" [m²] and "combined", scalars.

    Args:
        objects: that the batch was drawn from.
        batch: grids that the network saw.
        x: (B, 7 + J) its answers, in the frame of the grids.
        kinematics: of the hand.
        measure: what they are counted in.
    """
    x = batch.to_object_frame(x)
    targets, valid = objects.grasps[batch.index], objects.valid[batch.index]
    points, _ = kinematics.contacts(x)
    consistency = consistency_loss(x, targets, valid, measure.weights)
    collision = collision_loss(objects.distance(batch.index, points))
    return {
        "l2": l2_loss(x, targets[:, 0], measure.weights),
        "consistency": consistency,
        "collision": collision,
        "combined": combined_loss(consistency, collision, measure.beta, measure.collision_per_m2),
    }


def residuals(
    objects: Objects, batch: TrainingBatch, x: torch.Tensor, kinematics: Kinematics, measure: Measure
) -> dict[str, float]:
    """`losses_of` as numbers."""
    return {name: float(value) for name, value in losses_of(objects, batch, x, kinematics, measure).items()}


def depths(
    objects: Objects, batch: TrainingBatch, x: torch.Tensor, kinematics: Kinematics
) -> dict[str, float]:
    """Where the hand's contact points are, means over a batch; arguments as `losses_of`.

    Returns:
        "penetrating_points", how many are inside; "mean_depth_m" of those, 0 where none is; "total_depth_m",
        the sum of their depths; "surface_distance_m", the mean distance of all points to the surface.
    """
    distance = objects.distance(batch.index, kinematics.contacts(batch.to_object_frame(x))[0])
    inside = (distance < 0).sum(1)
    total = (-distance).clamp(min=0).sum(1)
    return {
        "penetrating_points": float(inside.double().mean()),
        "mean_depth_m": float((total / inside.clamp(min=1)).mean()),
        "total_depth_m": float(total.mean()),
        "surface_distance_m": float(distance.abs().mean()),
    }


def spread_of_grasps(grasps: torch.Tensor, weights: PoseWeights) -> dict[str, float]:
    """How far the grasps of one object are from each other: what a network as good as the dataset would reach.

    Args:
        grasps: (K, 7 + J), at least two.
        weights: of the parts of the residual.

    Returns:
        Means over all grasps: "consistency", the residual to the nearest other one; "l2", to any other one, of which
        "l2_position", "l2_quaternion" and "l2_joints" are the parts.
    """
    own = torch.eye(len(grasps), dtype=torch.bool)
    nothing = dict.fromkeys(asdict(weights), 0.0)
    parts = {
        name.split("_")[0]: pose_residual(grasps[:, None], grasps, PoseWeights(**{**nothing, name: value}))
        for name, value in asdict(weights).items()
    }
    residual = sum(parts.values(), torch.zeros(()))
    nearest = residual.masked_fill(own, torch.inf).amin(1).mean()
    figures = {"l2": residual, **{f"l2_{name}": part for name, part in parts.items()}}
    return {"consistency": float(nearest), **{name: float(v[~own].mean()) for name, v in figures.items()}}


def refined_figures(
    hand: Hand,
    kinematics: Kinematics,
    distance: SignedDistanceField,
    x: np.ndarray,
    held: Held | None = None,
) -> dict[str, float]:
    """What run-time refinement makes of the candidates of one object.

    A candidate is good where nothing is deeper than the planner's tolerance and ε is `GOOD_EPSILON` or more.

    Args:
        hand: the hand.
        kinematics: of the hand.
        distance: the object's field.
        x: (R, 7 + J) candidates, object frame.
        held: force trial of the object; none without.

    Returns:
        Over all candidates, dropped ones among them, "refined_points" inside and "refined_depth_m", their
        mean depth; "good_share" of the candidates; "best_epsilon" of those that nothing penetrates, 0
        without any; "object_good" and "first_good", 1 where any, or the first one, is good. With a trial, 1 where a grasp
        held and 0 where it did not, or was not good: "raw_held" of the first candidate as it came, which need not be
        good, "first_held" of the first, and "best_held" of the one with the best ε.
    """
    refined = refine(hand, distance, x)
    pose = torch.as_tensor(refined.x, dtype=torch.float32)
    depth = penetration(hand, kinematics, distance, pose)
    epsilon = epsilon_batch(contacts(hand, kinematics, distance, pose), distance.radius).numpy()
    free = refined.ok & (depth.hand_penetration_m.numpy() <= TOLERANCE_M)
    good = free & (epsilon >= GOOD_EPSILON)
    figures = {
        "refined_points": float(depth.penetrating_points.double().mean()),
        "refined_depth_m": float(depth.mean_depth_m.mean()),
        "good_share": float(good.mean()),
        "best_epsilon": float(np.where(free, epsilon, 0.0).max()),
        "object_good": float(good.any()),
        "first_good": float(good[0]),
    }
    if held is None:
        return figures
    best = int(np.where(good, epsilon, -1.0).argmax())
    tried = held(np.stack([x[0], refined.x[0], refined.x[best]]))
    counts = tried & np.array([True, good[0], good[best]])
    return figures | {name: float(count) for name, count in zip(TRIED, counts, strict=True)}


def evaluate_network(
    network: nn.Module,
    objects: Objects,
    kinematics: Kinematics,
    measure: Measure,
    rotations: int,
) -> dict[str, float]:
    """Mean figures over all objects, each under the same fixed random rotations.

    Args:
        network: to evaluate, on any device; left in the mode it was in.
        objects: to evaluate on.
        kinematics: of the hand.
        measure: what the residuals are counted in.
        rotations: how many for each object.

    Returns:
        What `residuals` and `depths` give.
    """
    was_training, device = network.training, next(network.parameters()).device
    network.eval()
    index = np.repeat(np.arange(len(objects)), rotations)
    turns = random_rotations(len(index), rng=np.random.default_rng(0))
    sums: dict[str, float] = {}
    with torch.inference_mode():
        for first in range(0, len(index), BATCH):
            batch = make_batch(objects, index[first : first + BATCH], turns[first : first + BATCH])
            x = network(batch.grids.to(device)).float().to(batch.grids.device)
            figures = residuals(objects, batch, x, kinematics, measure)
            figures |= depths(objects, batch, x, kinematics)
            for name, value in figures.items():
                sums[name] = sums.get(name, 0.0) + value * len(x)
    network.train(was_training)
    return {name: value / len(index) for name, value in sums.items()}
