"""Object → ranked grasps: propose, refine, reject what cannot work and count why, rank by ε."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import trimesh

from grasp_pose_net.exceptions import PlanningError
from grasp_pose_net.geometry import Array
from grasp_pose_net.hand import Hand
from grasp_pose_net.inference.approach import find_approaches
from grasp_pose_net.inference.proposal import make_proposer, retry_rotations
from grasp_pose_net.refinement import Plane, Ranked, postures, refine_and_rank
from grasp_pose_net.shapes import RUN_TIME_RESOLUTION, SignedDistanceField

# Enough rotations for the most that can be asked for, twice over: half of them may be from below.
ROTATIONS = 1024
# A palm that is expected to look up by more than this (sine of the elevation) would have to come through the support.
MOST_UPWARDS = 0.2


@dataclass(frozen=True, kw_only=True)
class PlannerConfig:
    """What is asked of the network, or of what stands in for it, and of its grasps."""

    network: str = field(
        default="",
        metadata={
            "doc": "weights in models/networks/, or a path; empty: <hand>_compact; 'sampled': no network"
        },
    )
    seed: int = field(default=0, metadata={"doc": "seed of candidates that are drawn, where no network is"})
    rotations: int = field(
        default=28, metadata={"doc": "rotations shown to the network at once", "range": (1, 128)}
    )
    tries: int = field(
        default=4, metadata={"doc": "batches of rotations, while none gives a grasp", "range": (1, 4)}
    )
    max_grasps: int = field(default=5, metadata={"doc": "grasps returned at most", "range": (1, 100)})
    min_epsilon: float = field(
        default=0.05, metadata={"doc": "smallest ε of a grasp that is offered", "range": (0, 1)}
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
        approach_direction: (3,) unit direction in which the palm travels to the grasp.
        approach_joints: (D - 7,) hand joints on the way in.
        squeeze_joints: (D - 7,) joint targets inside the surface, so that the fingers press.
    """

    x: Array
    epsilon: float
    approach_direction: Array
    approach_joints: Array
    squeeze_joints: Array


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Grasps, best first, and where the other candidates went.

    Attributes:
        grasps: ranked by ε.
        candidates: how many were proposed.
        rejected: how many were dropped, by reason.
        seconds: wall time by stage.
    """

    grasps: tuple[PlannedGrasp, ...]
    candidates: int
    rejected: Counter[str]
    seconds: dict[str, float]

    def summary(self) -> str:
        """One line: how many grasps came of how many candidates, and why the others did not."""
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.rejected.most_common())
        times = ", ".join(f"{stage} {1e3 * seconds:.0f} ms" for stage, seconds in self.seconds.items())
        return f"{len(self.grasps)} grasps of {self.candidates} candidates; rejected: {reasons or 'none'}; {times}"


# What stands between candidates and the arm: refinement (here, or in its own node) and the arm's reach (None: no arm).
Refine = Callable[[Array], Ranked]
Reachable = Callable[[PlannedGrasp], "str | None"]


class GraspPlanner:
    """The network, its hand, and what its grasps must fulfil."""

    def __init__(self, hand: Hand, config: PlannerConfig) -> None:
        """Load the network, if any.

        Raises:
            CheckpointError: the weights are missing or belong to another hand.
        """
        self._hand, self._config = hand, config
        self._propose = make_proposer(hand, config.network)
        self._rotations = retry_rotations(ROTATIONS)
        # where the palm is expected to look, object frame, for each rotation of the object
        self._palm_directions = self._propose.palm_direction() @ self._rotations

    def warm_up(self) -> None:
        """Plan once for a small box, so that the first answer does not wait for compilers."""
        box = SignedDistanceField.from_mesh(
            trimesh.creation.box((0.06, 0.06, 0.12)), self._config.field_cells
        )
        self.plan(box, plane=Plane((0.0, 0.0, 1.0), -0.06))

    def plan(
        self,
        distance: SignedDistanceField,
        *,
        plane: Plane | None = None,
        refine: Refine | None = None,
        reachable: Reachable | None = None,
    ) -> Plan:
        """Grasps of one object.

        Args:
            distance: signed distance field of the object.
            plane: support surface, object frame.
            refine: refinement and ranking; in this process where left out.
            reachable: says why the arm cannot do a grasp, None where it can.
        """
        seconds = dict.fromkeys(("forward", "refinement", "approach", "reach"), 0.0)
        rejected: Counter[str] = Counter()
        offered: list[PlannedGrasp] = []
        asked = 0
        rng = np.random.default_rng(self._config.seed)  # anew: the same object gets the same grasps
        for rotations in self._batches(plane):
            with _timed(seconds, "forward"):
                x = self._propose(distance, rotations, rng=rng, plane=plane)
            asked += len(x)
            with _timed(seconds, "refinement"):
                ranked = refine(x) if refine else refine_and_rank(self._hand, distance, x, plane=plane)
            rejected += ranked.rejected
            with _timed(seconds, "approach"):
                grasps = self._with_approach(distance, ranked, plane, rejected)
            with _timed(seconds, "reach"):
                offered = self._reachable_ones(grasps, reachable, rejected)
            if offered:
                break
        return Plan(grasps=tuple(offered), candidates=asked, rejected=rejected, seconds=seconds)

    def _batches(self, plane: Plane | None) -> list[Array]:
        """Rotations (R, 3, 3) to try at once; over a support only those that do not bring the hand from below."""
        rotations = self._rotations
        if plane is not None:
            upwards = self._palm_directions @ plane.normal
            rotations = rotations[upwards <= MOST_UPWARDS]
        size = self._config.rotations
        return [rotations[k * size : (k + 1) * size] for k in range(self._config.tries)]

    def _with_approach(
        self, distance: SignedDistanceField, ranked: Ranked, plane: Plane | None, rejected: Counter[str]
    ) -> list[PlannedGrasp]:
        """Grasps with enough ε and a free way in, best first."""
        good = ranked.epsilon >= self._config.min_epsilon
        rejected["ε too low"] += int((~good).sum())
        x, epsilon = ranked.x[good], ranked.epsilon[good]
        if len(x) == 0:
            return []
        pregrasp, squeeze = postures(self._hand, distance, x, plane)
        ways = find_approaches(self._hand, distance, x, pregrasp, self._config.approach_m, plane)
        free = ways.clearance_m >= self._config.approach_clearance_m
        rejected["no free approach"] += int((~free).sum())
        return [
            PlannedGrasp(
                x=x[i],
                epsilon=float(epsilon[i]),
                approach_direction=ways.directions[i],
                approach_joints=ways.joints[i],
                squeeze_joints=squeeze[i],
            )
            for i in np.flatnonzero(free)
        ]

    def _reachable_ones(
        self, grasps: list[PlannedGrasp], reachable: Reachable | None, rejected: Counter[str]
    ) -> list[PlannedGrasp]:
        """The first ``max_grasps`` that the arm can do."""
        offered: list[PlannedGrasp] = []
        for grasp in grasps:
            if len(offered) == self._config.max_grasps:
                break
            reason = reachable(grasp) if reachable else None
            if reason is None:
                offered.append(grasp)
            else:
                rejected[reason] += 1
        return offered


def explain_failure(plan: Plan) -> PlanningError:
    """What to tell a user whose object has no grasp: the stage that took most candidates, and what would help."""
    advice = {
        "ε too low": "lower min_epsilon, or ask for more rotations",
        "no free approach": "clear the space around the object, or shorten approach_m",
        "penetrates": "ask for more rotations",
        "hits the support": "ask for more rotations, or raise the object",
    }
    reason, _ = plan.rejected.most_common(1)[0] if plan.rejected else ("none was proposed", 0)
    return PlanningError(
        f"no grasp: {plan.summary()}. {advice.get(reason, 'Move the object nearer to the arm').capitalize()}."
    )


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[stage] += time.perf_counter() - started
