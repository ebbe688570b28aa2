"""How grasps of an object are planned: method, shares, thresholds, schedules and budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.inference import Starts
from grasp_pose_net.refinement import Descent, Energy
from grasp_pose_net.synthesis.annealing import Annealing

Method = Literal["gradient", "annealing"]
METHODS = get_args(Method)

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
class Synthesis:
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
    table_share: float = 0.75
    table_poses: int = 4
    table_gap_m: float = 0.003
    fingertip_share: float = 0.15
    palm_weight: float = 0.5
    inner_weight: float = 0.6
    oversample: float = 3.0
    max_candidates: int = 3000
    max_trials: int = 400
    lot: int = 16
    least_epsilon: float = 0.08
    weak_epsilon: float = 0.03
    tolerance_m: float = 0.001
    apart: float = 0.3
    starts: Starts = STARTS
    scouts: int = 3
    scout: Descent = SCOUT
    promise_m: float = 0.015
    descent: Descent = DESCENT
    annealing: Annealing = ANNEALING

    def __post_init__(self) -> None:
        """Check what a file or a command line can get wrong.

        Raises:
            ConfigError: naming the entry and what is valid.
        """
        if self.method not in METHODS:
            raise ConfigError(f"synthesis.method must be one of {', '.join(METHODS)}, got {self.method!r}")
        for name in ("oversample", "max_candidates", "max_trials", "lot", "scouts"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"synthesis.{name} must be > 0, got {getattr(self, name)}")
