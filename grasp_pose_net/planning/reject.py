"""Why a candidate is not offered: every reason once, with the stage that finds it, its text, and what helps."""

from __future__ import annotations

from enum import Enum

from grasp_pose_net.robot.problems import Problem

REFINEMENT, JUDGEMENT, APPROACH, REACH, CHOICE = STAGES = (
    "refinement",
    "ranking",
    "approach",
    "reach",
    "choice",
)
MORE = "ask for more rotations"
CLEAR = "clear the space around the object"


class Reject(Enum):
    """End of a candidate: stage, text for people, remedy."""

    PENETRATES = (REFINEMENT, "penetrates", MORE)
    HITS_SUPPORT = (REFINEMENT, "hits the support", f"{MORE}, or raise the object")
    HITS_NEIGHBOUR = (REFINEMENT, "hits a neighbour", "move the object's neighbours away")
    HITS_ITSELF = (REFINEMENT, "hits itself", MORE)
    WEAK = (JUDGEMENT, "ε too low", f"lower min_epsilon, or {MORE}")
    NO_APPROACH = (APPROACH, "no free approach", f"{CLEAR}, or shorten approach_m")
    OUT_OF_REACH = (REACH, Problem.NO_INVERSE_KINEMATICS.value, "move the object nearer to the arm")
    ARM_HITS = (REACH, Problem.GOAL_IN_COLLISION.value, f"{CLEAR}, or move it away from the arm's stand")
    HAND_HITS = (REACH, Problem.HAND_IN_COLLISION.value, MORE)
    APPROACH_BLOCKED = (
        REACH,
        Problem.APPROACH_BLOCKED.value,
        "move the object nearer to the arm, or shorten approach_m",
    )
    LIFT_BLOCKED = (REACH, Problem.LIFT_BLOCKED.value, "move the object nearer to the arm, or lower lift_m")
    SINGULAR = (
        REACH,
        Problem.NEAR_SINGULARITY.value,
        "move the object a little nearer to the arm, or away from it",
    )
    OUTSIDE_LIMITS = (
        REACH,
        Problem.OUTSIDE_LIMITS.value,
        "check that hand and robot have the same joint limits",
    )
    LAID_ASIDE = (CHOICE, "laid aside by a rule of its own", "see the stage that was added")
    SPARE = (CHOICE, "not needed", "raise max_grasps")

    def __init__(self, stage: str, text: str, remedy: str) -> None:
        """Name the parts of a row."""
        self.stage, self.text, self.remedy = stage, text, remedy

    @classmethod
    def of(cls, problem: Problem) -> Reject:
        """The end of a candidate that the arm cannot do."""
        return next(one for one in cls if one.stage == REACH and one.text == problem.value)

    @classmethod
    def named(cls, name: str) -> Reject:
        """By its name, as it travels between nodes.

        Raises:
            ValueError: there is none of this name.
        """
        if name not in cls.__members__:
            raise ValueError(f"no reason {name!r}; there are: {', '.join(cls.__members__)}")
        return cls[name]
