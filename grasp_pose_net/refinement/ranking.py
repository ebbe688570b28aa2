"""Refine, measure, drop what fails and count why, rank the rest by epsilon."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.quality import contacts, epsilon_batch
from grasp_pose_net.refinement.arrays import Box, Plane
from grasp_pose_net.refinement.postures import postures
from grasp_pose_net.refinement.refine import Refinement, refine
from grasp_pose_net.shapes import SignedDistanceField


@dataclass(frozen=True)
class Ranked:
    """Refined grasps, best first.

    Attributes:
        index: (G,) which candidate each came from.
        x: (G, 7 + D) pose vectors, object frame.
        epsilon: (G,) exact epsilon.
        rejected: how many candidates were dropped, by reason.
    """

    index: NDArray[np.int64]
    x: NDArray[np.float64]
    epsilon: NDArray[np.float64]
    rejected: Counter[str]


def refine_and_rank(
    hand: Hand,
    field: SignedDistanceField,
    x: NDArray[np.floating],
    plane: Plane | None = None,
    obstacles: tuple[Box, ...] = (),
    config: Refinement | None = None,
) -> Ranked:
    """Refine the candidates of one object and rank those that nothing penetrates.

    Args:
        hand: the hand.
        field: signed distance field of the object.
        x: (B, 7 + D) candidates, object frame; not modified.
        plane: support plane.
        obstacles: boxes to stay out of.
        config: of the refinement.
    """
    config = config or Refinement()
    refined = refine(hand, field, x, plane, obstacles, config)
    kinematics, pose = Kinematics(hand), torch.as_tensor(refined.x, dtype=torch.float32)
    epsilon = epsilon_batch(contacts(hand, kinematics, field, pose), field.radius).numpy()
    reasons = {
        "penetrates": refined.object_m,
        "hits the support": refined.plane_m,
        "hits a neighbour": refined.obstacle_m,
        "hits itself": refined.self_m,
    }
    rejected: Counter[str] = Counter()
    kept = np.ones(len(pose), bool)
    for reason, depth in reasons.items():
        failed = kept & (depth > config.tolerance_m)
        rejected[reason] = int(failed.sum())
        kept &= ~failed
    index = np.flatnonzero(kept)
    index = index[np.argsort(-epsilon[index], kind="stable")]
    return Ranked(index, refined.x[index], epsilon[index], +rejected)


def warm_up(hand: Hand) -> None:
    """Compile, or load from numba's cache, everything that a first request would wait for."""
    cells = np.indices((8, 8, 8)) * 0.02 - 0.07
    ball = SignedDistanceField(np.linalg.norm(cells, axis=0) - 0.03, np.full(3, -0.07), 0.02, radius=0.03)
    x = np.concatenate([-hand.grasp_centre, [1.0, 0.0, 0.0, 0.0], hand.open_joints])[None]
    refine_and_rank(hand, ball, x)
    postures(hand, ball, x)
