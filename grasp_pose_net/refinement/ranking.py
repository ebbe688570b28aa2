"""Refined candidates in the order of their ε, and the reasons of those that were dropped."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grasp_pose_net.hand import Hand
from grasp_pose_net.quality import epsilon_of
from grasp_pose_net.refinement.arrays import Box, Plane
from grasp_pose_net.refinement.refine import Refined, Refinement, refine
from grasp_pose_net.shapes import SignedDistanceField


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """Candidates that survived refinement, best first.

    Attributes:
        index: (N,) place of each among the candidates that came in.
        x: (N, 7 + D) pose vectors, object frame.
        epsilon: (N,) ε-metric, falling.
        rejected: how many were dropped, by reason.
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
    """Refine candidates, drop those that still penetrate, and rank the others by ε.

    Args:
        hand: the hand.
        field: signed distance field of the object.
        x: (B, 7 + D) candidates, object frame; not modified.
        plane: support plane that hand and forearm stay above.
        obstacles: boxes that they stay out of.
        config: objective and tolerance.
    """
    config = config or Refinement()
    refined = refine(hand, field, x, plane, obstacles, config)
    index = np.flatnonzero(refined.ok)
    epsilon = epsilon_of(hand, field, refined.x[index])
    order = np.argsort(-epsilon, kind="stable")
    return Ranked(
        index=index[order],
        x=refined.x[index[order]],
        epsilon=epsilon[order],
        rejected=_reasons(refined, config.tolerance_m),
    )


def _reasons(refined: Refined, tolerance_m: float) -> Counter[str]:
    """Dropped candidates by the first collision that holds, the object's first."""
    rejected: Counter[str] = Counter()
    left = ~refined.ok
    depths = {
        "penetrates": refined.object_m,
        "hits the support": refined.plane_m,
        "hits an obstacle": refined.obstacle_m,
        "hits itself": refined.self_m,
    }
    for reason, depth in depths.items():
        hit = left & (depth > tolerance_m)
        if hit.any():
            rejected[reason] = int(hit.sum())
        left &= ~hit
    return rejected
