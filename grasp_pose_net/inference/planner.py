"""Object → ranked grasps: propose, refine, reject what cannot work and count why, rank by ε."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
import trimesh

from grasp_pose_net.geometry import Array
from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.inference.account import Account
from grasp_pose_net.inference.approach import find_approaches
from grasp_pose_net.inference.proposal import SampledProposer, make_proposer, retry_rotations
from grasp_pose_net.quality import worst_epsilon
from grasp_pose_net.refinement import Box, Plane, Postures, Ranked, Refinement, postures, refine_and_rank
from grasp_pose_net.shapes import RUN_TIME_RESOLUTION, SignedDistanceField

# Rotations from which those are chosen that bring the hand from above, where the object stands on something.
ROTATIONS = 128

# Position gain [N m/rad] by which a squeeze posture becomes the effort that it asks for.
SQUEEZE_NM_RAD = Postures().stiffness_nm

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class PlannerConfig:
    """What is asked of the network, or of what stands in for it, and of its grasps."""

    network: str = field(
        default="",
        metadata={
            "doc": "weights in models/networks/, or a path; empty: the hand's own, <hand>_compact, or none where "
            "there is no such file; 'sampled': no network, candidates are drawn around the object"
        },
    )
    seed: int = field(default=0, metadata={"doc": "seed of candidates that are drawn around the object"})
    rotations: int = field(
        default=28, metadata={"doc": "rotations shown to the network at once", "range": (1, 128)}
    )
    tries: int = field(
        default=4,
        metadata={
            "doc": "batches of candidates, while there are too few grasps or none is strong; the network is asked for the "
            "first, the others are drawn around the object",
            "range": (1, 10),
        },
    )
    enough: int = field(
        default=3, metadata={"doc": "grasps that no further batch is asked for", "range": (1, 100)}
    )
    strong: float = field(
        default=0.1,
        metadata={"doc": "worst ε of the best grasp that no further batch is asked for", "range": (0.0, 1.0)},
    )
    max_grasps: int = field(default=5, metadata={"doc": "grasps returned at most", "range": (1, 100)})
    min_epsilon: float = field(
        default=0.05, metadata={"doc": "smallest ε of a grasp that is offered", "range": (0, 1)}
    )
    place_error_m: float = field(
        default=0.002,
        metadata={
            "doc": "how far off the object may be; grasps are ranked by their smallest ε within it [m]",
            "range": (0.0, 0.01),
        },
    )
    approach_m: float = field(
        default=0.10, metadata={"doc": "length of the approach [m]", "range": (0.0, 0.3)}
    )
    approach_clearance_m: float = field(
        default=-0.002, metadata={"doc": "gap that must stay on the approach [m]", "range": (-0.02, 0.05)}
    )
    lift_m: float = field(default=0.15, metadata={"doc": "height of the lift [m]", "range": (0.0, 0.5)})
    field_cells: int = field(
        default=RUN_TIME_RESOLUTION,
        metadata={"doc": "cells of the distance field per side", "range": (32, 256)},
    )


@dataclass(frozen=True, kw_only=True)
class PlannedGrasp:
    """One grasp, ready for the arm; object frame, metres and radians.

    Attributes:
        x: (D,) pose vector.
        epsilon: ε-metric.
        worst_epsilon: the smallest where the object is off by ``place_error_m``; grasps are ranked by it.
        approach_direction: (3,) unit direction in which the palm travels to the grasp.
        approach_joints: (D - 7,) hand joints on the way in.
        squeeze_joints: (D - 7,) joint targets inside the surface, so that the fingers press.
    """

    x: Array
    epsilon: float
    worst_epsilon: float
    approach_direction: Array
    approach_joints: Array
    squeeze_joints: Array


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Grasps, best first, and where the other candidates went; every candidate is in one of these numbers.

    Attributes:
        grasps: ranked by their worst ε.
        candidates: how many were proposed.
        rejected: how many were dropped, by reason.
        spare: how many were left when enough was found.
        seconds: wall time by stage.
    """

    grasps: tuple[PlannedGrasp, ...]
    candidates: int
    rejected: Counter[str]
    spare: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def account(self) -> Account:
        """The numbers."""
        return Account(len(self.grasps), self.candidates, +self.rejected, self.spare, self.seconds)

    def summary(self) -> str:
        """One line: how many grasps came of how many candidates, why the others did not, and the times."""
        return self.account.text()


def best_of(plans: Iterable[tuple[T, Plan]]) -> tuple[T, Plan]:
    """Of objects with their plans the one with the best grasp; the first where none has any."""
    return max(plans, key=lambda one: one[1].grasps[0].worst_epsilon if one[1].grasps else -1.0)


# What stands between candidates and the arm: refinement (here, or in its own node) and the arm's reach (None: no arm).
Refine = Callable[[Array], Ranked]
Reachable = Callable[[PlannedGrasp], "str | None"]


class GraspPlanner:
    """The network, its hand, and what its grasps must fulfil.

    Attributes:
        config: what is asked.
        description: who proposes candidates, in words for a log.
    """

    def __init__(self, hand: Hand, config: PlannerConfig, refinement: Refinement | None = None) -> None:
        """Load the network, if any.

        Args:
            hand: the hand.
            config: what is asked.
            refinement: how candidates are refined in this process; the default objective without.

        Raises:
            CheckpointError: the weights are missing or belong to another hand.
        """
        self.config = config
        self._hand, self._refinement = hand, refinement
        self._kinematics = Kinematics(hand)
        self._propose = make_proposer(hand, config.network)
        self._propose_more = SampledProposer(hand)
        self.description = self._propose.description
        if not isinstance(self._propose, SampledProposer):
            self.description += "; where too few or none is strong, more are sampled around the object"
        self._rotations = retry_rotations(ROTATIONS)
        # where the palm is expected to look, object frame, for each rotation of the object
        self._palm_directions = self._propose.palm_direction() @ self._rotations

    def warm_up(self) -> None:
        """Plan once for a small box, so that the first answer does not wait for compilers."""
        box = SignedDistanceField.from_mesh(trimesh.creation.box((0.06, 0.06, 0.12)), self.config.field_cells)
        self.plan(box, plane=Plane((0.0, 0.0, 1.0), -0.06))

    def plan(
        self,
        distance: SignedDistanceField,
        *,
        plane: Plane | None = None,
        obstacles: tuple[Box, ...] = (),
        refine: Refine | None = None,
        reachable: Reachable | None = None,
    ) -> Plan:
        """Grasps of one object.

        Args:
            distance: signed distance field of the object.
            plane: support surface, object frame.
            obstacles: neighbours to stay out of, object frame.
            refine: refinement and ranking; in this process where left out.
            reachable: says why the arm cannot do a grasp, None where it can.
        """
        seconds = dict.fromkeys(("forward", "refinement", "ranking", "approach", "reach"), 0.0)
        rejected: Counter[str] = Counter()
        offered: list[PlannedGrasp] = []
        candidates = spare = 0
        rng = np.random.default_rng(self.config.seed)  # anew: the same object gets the same grasps
        rotations = self._best_rotations(plane)
        for attempt in range(self.config.tries):
            propose = self._propose_more if attempt else self._propose
            with _timed(seconds, "forward"):
                x = propose(distance, rotations, rng=rng, plane=plane)
            candidates += len(x)
            with _timed(seconds, "refinement"):
                ranked = refine(x) if refine else self._refined(distance, x, plane, obstacles)
            rejected += ranked.rejected
            good = ranked.epsilon >= self.config.min_epsilon
            rejected["ε too low"] += int((~good).sum())
            with _timed(seconds, "ranking"):
                x, epsilon, worst = self._ranked(distance, ranked.x[good], ranked.epsilon[good])
            # as many at a time as are wanted, the best first: mostly the others need not be looked at
            for k in range(0, len(x), self.config.max_grasps):
                few = slice(k, k + self.config.max_grasps)
                if worst[k] <= self._least_worst(offered):
                    spare += len(x) - k
                    break
                with _timed(seconds, "approach"):
                    grasps = self._with_approach(
                        distance, x[few], epsilon[few], worst[few], plane, obstacles, rejected
                    )
                with _timed(seconds, "reach"):
                    offered += _reachable_ones(grasps, reachable, rejected)
            strong = max((grasp.worst_epsilon for grasp in offered), default=0.0) >= self.config.strong
            if strong and len(offered) >= self.config.enough:
                break
        offered.sort(key=lambda grasp: -grasp.worst_epsilon)
        best = tuple(offered[: self.config.max_grasps])
        spare += len(offered) - len(best)
        return Plan(grasps=best, candidates=candidates, rejected=+rejected, spare=spare, seconds=seconds)

    def _least_worst(self, offered: list[PlannedGrasp]) -> float:
        """Worst ε that one more grasp must exceed, not to be one too many."""
        if len(offered) < self.config.max_grasps:
            return -1.0
        return sorted((grasp.worst_epsilon for grasp in offered), reverse=True)[self.config.max_grasps - 1]

    def _best_rotations(self, plane: Plane | None) -> Array:
        """Rotations (R, 3, 3) to show the network; over a support those that bring the hand from above."""
        if plane is None:
            return self._rotations[: self.config.rotations]
        upwards = self._palm_directions @ plane.normal
        return self._rotations[np.argsort(upwards, kind="stable")[: self.config.rotations]]

    def _refined(
        self, distance: SignedDistanceField, x: Array, plane: Plane | None, obstacles: tuple[Box, ...]
    ) -> Ranked:
        return refine_and_rank(self._hand, distance, x, plane, obstacles, self._refinement)

    def _ranked(self, distance: SignedDistanceField, x: Array, epsilon: Array) -> tuple[Array, Array, Array]:
        """Grasps x (B, D), their ε and their worst ε, the best of these first."""
        pose = torch.as_tensor(x, dtype=torch.float32)
        worst = worst_epsilon(self._hand, self._kinematics, distance, pose, self.config.place_error_m).numpy()
        order = np.argsort(-worst, kind="stable")
        return x[order], epsilon[order], worst[order]

    def _with_approach(
        self,
        distance: SignedDistanceField,
        x: Array,
        epsilon: Array,
        worst: Array,
        plane: Plane | None,
        obstacles: tuple[Box, ...],
        rejected: Counter[str],
    ) -> list[PlannedGrasp]:
        """Those of grasps x (B, D) that have a free way in, in their order."""
        pregrasp, squeeze = postures(self._hand, distance, x, plane)
        ways = find_approaches(self._hand, distance, x, pregrasp, self.config.approach_m, plane, obstacles)
        free = ways.clearance_m >= self.config.approach_clearance_m
        rejected["no free approach"] += int((~free).sum())
        return [
            PlannedGrasp(
                x=x[i],
                epsilon=float(epsilon[i]),
                worst_epsilon=float(worst[i]),
                approach_direction=ways.directions[i],
                approach_joints=ways.joints[i],
                squeeze_joints=squeeze[i],
            )
            for i in np.flatnonzero(free)
        ]


def _reachable_ones(
    grasps: list[PlannedGrasp], reachable: Reachable | None, rejected: Counter[str]
) -> list[PlannedGrasp]:
    """Those that the arm can do."""
    if reachable is None:
        return grasps
    reasons = [reachable(grasp) for grasp in grasps]
    rejected += Counter(reason for reason in reasons if reason is not None)
    return [grasp for grasp, reason in zip(grasps, reasons, strict=True) if reason is None]


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[stage] += time.perf_counter() - started
