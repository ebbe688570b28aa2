"""What can go wrong on the way from a grasp to a lifted object, in words that programs can tell apart."""

from __future__ import annotations

from enum import Enum

from grasp_pose_net.exceptions import ExecutionError, PlanningError


class Problem(Enum):
    """Kind of a failure; the value is what people read."""

    INVALID_GRASP = "invalid grasp"
    OUTSIDE_LIMITS = "outside joint limits"
    START_IN_COLLISION = "start in collision"
    GOAL_IN_COLLISION = "arm in collision"
    HAND_IN_COLLISION = "hand in collision with itself"
    NO_INVERSE_KINEMATICS = "no inverse kinematics"
    APPROACH_BLOCKED = "approach out of reach or blocked"
    LIFT_BLOCKED = "lift out of reach or blocked"
    NEAR_SINGULARITY = "arm near a singularity once lifted"
    NO_PATH = "no path"
    STALE_STATE = "stale joint state"
    BROKEN_STATE = "joint state that is none"
    NOT_AT_START = "robot is not where the motion starts"
    NOT_AT_END = "robot is not where the motion should have ended"
    NOT_HELD = "nothing is in the hand"
    WORLD_CHANGED = "the world has changed"
    BUSY = "controller is busy"
    REJECTED = "controller rejected the motion"
    ABORTED = "controller aborted the motion"
    TIMED_OUT = "controller did not finish in time"
    LOST = "controller is gone"
    CANCELLED = "cancelled"


class PlanningFailed(PlanningError):
    """No motion could be planned.

    Attributes:
        problem: the kind of failure.
        reason: what happened, without the kind.
    """

    def __init__(self, problem: Problem, text: str) -> None:
        """Store the kind beside the text."""
        super().__init__(f"{problem.value}: {text}")
        self.problem, self.reason = problem, text


class ExecutionFailed(ExecutionError):
    """A motion did not end as planned, or was not begun.

    Attributes:
        problem: the kind of failure.
        reason: what happened, without the kind.
    """

    def __init__(self, problem: Problem, text: str) -> None:
        """Store the kind beside the text."""
        super().__init__(f"{problem.value}: {text}")
        self.problem, self.reason = problem, text
