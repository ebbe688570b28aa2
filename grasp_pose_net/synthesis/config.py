"""How grasps of an object are planned: method, shares, thresholds, schedules and budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.inference import Starts
from grasp_pose_net.refinement import Descent, Energy
from grasp_pose_net.synthesis.annealing import Annealing

Method = Literal["gradient", "annealing"]

STARTS = Starts()
SCOUT = Descent(
    energy=Energy(
        normal=0.5,
        clearance_m=0.001,
        reach_m=(0.040, 0.020),
        penetration=(2e3, 2e4),
        self_penetration=(2e3, 2e4),
    ),
    iterations=60,
    noise=0.01,
)
DESCENT = Descent(
    energy=Energy(normal=0.5, clearance_m=0.001, reach_m=(0.020, 0.012)), iterations=240, noise=0.01
)
ANNEALING = Annealing()


@dataclass(frozen=True)
class Synthesis(Settings):
    """How grasps are planned.

    Attributes:
        method: "gradient" (batched descent) or "annealing" (the paper's).
        table_share: share of the starts that stay above a support plane.
        table_poses: stable poses among which these are spread.
        table_gap_m: the hand stays this far above the support plane.
        fingertip_share: share of the starts that aim at a fingertip grasp.
        palm_weight: pull on contact points of the palm, power grasps.
        inner_weight: pull on finger points that are not on the outermost link, power grasps.
        oversample: candidates per grasp wanted in the first round.
        max_candidates: at most this many candidates for an object.
        max_trials: at most this many validations for an object.
        lot: candidates validated together.
        least_epsilon: grasps below do not pass the filter.
        weak_epsilon: where the budget of candidates does not give enough grasps, such as on objects larger than
            the hand, the best of those between this and `least_epsilon` are validated, too.
        tolerance_m: deepest penetration of hand and object and of the hand in itself, at the grasp and at its
            pre-grasp, and below the gap to the plane.
        apart: two grasps closer than this are copies, see `grasp_distance`.
        starts: distribution of the starts.
        scouts: starts for each candidate of the gradient method: all go down `scout`, and those with the best
            promise go on.
        scout: short first descent.
        promise_m: contact points this close after it count as touching in the epsilon that is its promise.
        descent: energy and schedule of the gradient method.
        annealing: schedule of the annealing method.
    """

    method: Method = "gradient"
    table_share: float = setting(0.75, 0.0, 1.0)
    table_poses: int = setting(4, 1, 1000)
    table_gap_m: float = setting(0.003, 0.0, 0.1)
    fingertip_share: float = setting(0.15, 0.0, 1.0)
    palm_weight: float = setting(0.5, 0.0, 100.0)
    inner_weight: float = setting(0.6, 0.0, 100.0)
    oversample: float = setting(3.0, 0.01, 1000.0)
    max_candidates: int = setting(3000, 1)
    max_trials: int = setting(400, 1)
    lot: int = setting(16, 1, 100000)
    least_epsilon: float = setting(0.08, 0.0, 10.0)
    weak_epsilon: float = setting(0.03, 0.0, 10.0)
    tolerance_m: float = setting(0.001, 0.0, 0.1)
    apart: float = setting(0.3, 0.0, 100.0)
    starts: Starts = STARTS
    scouts: int = setting(3, 1, 1000)
    scout: Descent = SCOUT
    promise_m: float = setting(0.015, 0.0, 0.2)
    descent: Descent = DESCENT
    annealing: Annealing = ANNEALING
