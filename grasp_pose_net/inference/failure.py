"""Why an object has no grasp: the stage that took the candidates, and what would help."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from grasp_pose_net.exceptions import PlanningError
from grasp_pose_net.inference.planner import Plan

NEIGHBOUR = "hits a neighbour"
# Stages in the order in which candidates pass them, with the reasons of each and what helps against it. Those of
# reach are the arm's (execution.Problem).
ADVICE: Mapping[str, Mapping[str, str]] = {
    "refinement": {
        "penetrates": "ask for more rotations",
        "hits the support": "ask for more rotations, or raise the object",
        NEIGHBOUR: "move the object's neighbours away",
        "hits itself": "ask for more rotations",
    },
    "ranking": {"ε too low": "lower min_epsilon, or ask for more rotations"},
    "approach": {"no free approach": "clear the space around the object, or shorten approach_m"},
    "reach": {
        "no inverse kinematics": "move the object nearer to the arm",
        "arm in collision": "clear the space around the object, or move it away from the arm's stand",
        "hand in collision with itself": "ask for more rotations",
        "approach out of reach or blocked": "move the object nearer to the arm, or shorten approach_m",
        "lift out of reach or blocked": "move the object nearer to the arm, or lower lift_m",
        "arm near a singularity once lifted": "move the object a little nearer to the arm, or away from it",
        "outside joint limits": "check that hand and robot have the same joint limits",
    },
}


class NoGraspFound(PlanningError):
    """No candidate was left.

    Attributes:
        plan: where they went.
        reason: what took most of them; empty where none was proposed.
    """

    def __init__(self, plan: Plan) -> None:
        """Say which stage took most candidates and which the last, and what would help against each."""
        self.plan = plan
        self.reason = next((reason for reason, _ in (+plan.rejected).most_common(1)), "")
        text = f"no grasp: {plan.summary()}."
        last = _last_reason(plan.rejected)
        if self.reason:
            text += f" Most were lost in {stage_of(self.reason)} ({self.reason}): {_advice(self.reason)}."
        if last != self.reason:
            text += f" The last were lost in {stage_of(last)} ({last}): {_advice(last)}."
        # what is pushed out of a neighbour often ends up in the object: the count alone hides the cause
        if plan.rejected[NEIGHBOUR] and NEIGHBOUR not in (self.reason, last):
            text += f" {plan.rejected[NEIGHBOUR]} were lost to neighbours: {_advice(NEIGHBOUR)}."
        super().__init__(text)


def stage_of(reason: str) -> str:
    """Stage that drops candidates for a reason; what no other stage knows is the arm's."""
    return next((stage for stage, reasons in ADVICE.items() if reason in reasons), "reach")


def _advice(reason: str) -> str:
    return ADVICE[stage_of(reason)].get(reason, "see what the arm's planner says of it")


def _last_reason(rejected: Counter[str]) -> str:
    """The most frequent reason of the last stage that candidates came to; empty where none was proposed."""
    stages = list(ADVICE)
    last = max((stages.index(stage_of(reason)) for reason in +rejected), default=0)
    counts = [(count, reason) for reason, count in rejected.items() if stage_of(reason) == stages[last]]
    return max(counts, default=(0, ""))[1]
