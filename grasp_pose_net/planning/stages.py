"""The stages of a plan. Each has a name and takes a batch to a batch; it ends candidates and fills columns.

A stage of one's own is one more class with ``name`` and ``__call__``; see docs/architecture.md for a worked example.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from grasp_pose_net.inference import Proposer, SampledProposer
from grasp_pose_net.planning.approach import find_approaches
from grasp_pose_net.planning.batch import Batch
from grasp_pose_net.planning.config import PlannerConfig
from grasp_pose_net.planning.context import Context
from grasp_pose_net.planning.grasps import grasp_of
from grasp_pose_net.planning.reject import APPROACH, JUDGEMENT, REACH, REFINEMENT, Reject
from grasp_pose_net.quality import contacts, epsilon_batch, worst_epsilon
from grasp_pose_net.refinement import Refinement, postures, refine
from grasp_pose_net.robot import PlanningFailed
from grasp_pose_net.world import Array

Rows = NDArray[np.intp]


class Stage(Protocol):
    """What a plan is made of."""

    name: str

    def __call__(self, batch: Batch, context: Context) -> Batch:
        """The batch with what the stage finds out of ``batch.rows``."""


def run(stages: Sequence[Stage], batch: Batch, context: Context) -> Batch:
    """One stage after the other, each one's time taken."""
    for stage in stages:
        if isinstance(stage, BestFirst):
            batch = stage(batch, context)
            continue
        with context.timed(stage.name):
            batch = stage(batch, context)
    return batch


class Propose:
    """A round of candidates: the first from the network, or what stands in for it; the others drawn around the object.

    Attributes:
        description: who proposes, in words for a log.
    """

    name = "forward"

    def __init__(self, first: Proposer, more: Proposer, rotations: Array, count: int) -> None:
        """Prepare.

        Args:
            first: proposes the first round.
            more: proposes the others.
            rotations: (R, 3, 3) of the object that may be shown to a network.
            count: how many are shown at once.
        """
        self._first, self._more, self._rotations, self._count = first, more, rotations, count
        # where the palm is expected to look, object frame, for each rotation of the object
        self._palm_directions = first.palm_direction() @ rotations
        self.description = first.description
        if not isinstance(first, SampledProposer):
            self.description += "; where too few or none is strong, more are sampled around the object"

    def __call__(self, batch: Batch, context: Context) -> Batch:
        """A batch with a further round."""
        propose = self._more if len(batch) else self._first
        plane = context.near.plane
        x = propose(context.field, self._best_rotations(context), rng=context.rng, plane=plane)
        return batch.followed_by(x)

    def _best_rotations(self, context: Context) -> Array:
        """Rotations (R, 3, 3) to show the network; over a support those that bring the hand from above."""
        if context.near.plane is None:
            return self._rotations[: self._count]
        upwards = self._palm_directions @ context.near.plane.normal
        return self._rotations[np.argsort(upwards, kind="stable")[: self._count]]


class Refine:
    """Candidates without penetration; those that keep some end here."""

    name = REFINEMENT

    def __init__(self, refinement: Refinement | None = None) -> None:
        """Store how candidates are refined; the default objective without."""
        self._refinement = refinement or Refinement()

    def __call__(self, batch: Batch, context: Context) -> Batch:
        """See `Stage`."""
        rows, near = batch.rows, context.near
        refined = refine(
            context.hand, context.field, batch.x[rows], near.plane, near.obstacles, self._refinement
        )
        batch = batch.with_rows(rows, x=refined.x)
        for reason, depth in (
            (Reject.PENETRATES, refined.object_m),
            (Reject.HITS_SUPPORT, refined.plane_m),
            (Reject.HITS_NEIGHBOUR, refined.obstacle_m),
            (Reject.HITS_ITSELF, refined.self_m),
        ):
            batch = batch.rejected(rows[depth > self._refinement.tolerance_m], reason)
        return batch


class Judge:
    """ε of each candidate that has none yet, and an end for those below a bound."""

    name = JUDGEMENT

    def __init__(self, least: float = 0.0) -> None:
        """Store the smallest ε that is let through."""
        self._least = least

    def __call__(self, batch: Batch, context: Context) -> Batch:
        """See `Stage`."""
        rows = batch.rows[np.isnan(batch.epsilon[batch.rows])]
        if len(rows):
            pose = torch.as_tensor(batch.x[rows], dtype=torch.float32)
            touching = contacts(context.hand, context.kinematics, context.field, pose)
            epsilon = epsilon_batch(touching, context.field.radius).numpy()
            batch = batch.with_rows(rows, epsilon=epsilon, quality=epsilon)
        return batch.rejected(batch.rows[batch.epsilon[batch.rows] < self._least], Reject.WEAK)


class Doubt:
    """The smallest ε where the object is a little off, because cameras are wrong by as much; it is the quality."""

    name = JUDGEMENT

    def __init__(self, off_m: float) -> None:
        """Store how far off the object may be [m]."""
        self._off_m = off_m

    def __call__(self, batch: Batch, context: Context) -> Batch:
        """See `Stage`."""
        pose = torch.as_tensor(batch.x[batch.rows], dtype=torch.float32)
        worst = worst_epsilon(context.hand, context.kinematics, context.field, pose, self._off_m).numpy()
        return batch.with_rows(batch.rows, worst_epsilon=worst, quality=worst)


class Approach:
    """The way in and the postures around the grasp; no way, no grasp."""

    name = APPROACH

    def __init__(self, length_m: float, clearance_m: float) -> None:
        """Store the length of the way, and the gap that must stay on it [m]."""
        self._length_m, self._clearance_m = length_m, clearance_m

    def __call__(self, batch: Batch, context: Context) -> Batch:
        """See `Stage`."""
        rows, hand, near = batch.rows, context.hand, context.near
        x = batch.x[rows]
        pre_grasp, squeeze = postures(hand, context.field, x, near.plane)
        ways = find_approaches(hand, context.field, x, pre_grasp, self._length_m, near.plane, near.obstacles)
        batch = batch.with_rows(rows, approach=ways.directions, pre_grasp=ways.joints, squeeze=squeeze)
        return batch.rejected(rows[ways.clearance_m < self._clearance_m], Reject.NO_APPROACH)


class Reach:
    """What the arm can do; without an arm, everything."""

    name = REACH

    def __init__(self, config: PlannerConfig) -> None:
        """Store the lengths of approach and lift."""
        self._config = config

    def __call__(self, batch: Batch, context: Context) -> Batch:
        """See `Stage`."""
        if context.motion is None or context.start is None:
            return batch
        for row in batch.rows:
            try:
                next(context.motion.paths(grasp_of(batch, row, context, self._config), context.start))
            except PlanningFailed as failure:
                batch = batch.rejected(np.array([row]), Reject.of(failure.problem))
        return batch


class BestFirst:
    """Stages that only those candidates go through which can be among the best; mostly the others need not.

    What the quality is before is an upper bound of what the stages leave of it. ``doubt`` lowers it and is asked first,
    for few at a time. Candidates that are left when nothing can outdo what was found end as spare.

    Attributes:
        stages: what the best go through; a stage of one's own may be added.
    """

    name = "best first"

    def __init__(self, doubt: Stage, stages: Sequence[Stage], count: int) -> None:
        """Store the stages, and how many grasps are wanted."""
        self._doubt, self.stages, self._count = doubt, list(stages), count

    def __call__(self, batch: Batch, context: Context) -> Batch:
        """See `Stage`."""
        waiting = batch.rows[np.argsort(-batch.quality[batch.rows], kind="stable")]
        doubted = found = waiting[:0]
        while True:
            bar = self._bar(batch, found)
            while (
                len(waiting) and batch.quality[waiting[0]] > bar and self._unclear(batch, doubted, waiting[0])
            ):
                few, waiting = waiting[: self._count], waiting[self._count :]
                batch = self._only(few, [self._doubt], batch, context)
                doubted = np.concatenate([doubted, few])
            doubted = doubted[batch.alive[doubted]]
            doubted = doubted[np.argsort(-batch.quality[doubted], kind="stable")]
            few, doubted = doubted[: self._count], doubted[self._count :]
            if not len(few) or batch.quality[few[0]] <= bar:
                return batch.rejected(np.concatenate([few, doubted, waiting]), Reject.SPARE)
            batch = self._only(few, self.stages, batch, context)
            found = np.concatenate([found, few])

    def _bar(self, batch: Batch, found: Rows) -> float:
        """Quality that one more grasp must exceed, not to be one too many."""
        offered = np.concatenate([np.flatnonzero(batch.alive[: batch.first]), found[batch.alive[found]]])
        best = np.sort(batch.quality[offered])[::-1]
        return float(best[self._count - 1]) if len(best) >= self._count else -np.inf

    def _unclear(self, batch: Batch, doubted: Rows, row: int) -> bool:
        """Whether a candidate that was not doubted yet may be one of the next few."""
        return int((batch.quality[doubted] >= batch.quality[row]).sum()) < self._count

    @staticmethod
    def _only(rows: Rows, stages: Sequence[Stage], batch: Batch, context: Context) -> Batch:
        """Stages on some rows alone."""
        part = run(stages, batch.taken(rows), context)
        return batch.put_back(rows, part)
