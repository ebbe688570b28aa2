"""A joint trajectory controller as ``control_msgs/action/FollowJointTrajectory`` describes it, without ROS.

The owner calls :meth:`TrajectoryController.update` before every control step, always from the same thread
that starts
and stops goals, or under one lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.robot import MotionLimits
from grasp_pose_net.simulation.interpolation import Path, starting_at
from grasp_pose_net.world import Array, Trajectory


@dataclass(frozen=True, kw_only=True)
class ControllerConfig(Settings):
    """What a controller demands of goals that do not say it themselves; 0 stands for: anything is good."""

    start_tolerance_rad: float = setting(0.05, 0.001, 1.0, "largest distance from the state to a start")
    path_tolerance_rad: float = setting(0.0, 0.0, 1.0, "largest error on the way; 0: any")
    goal_tolerance_rad: float = setting(0.0, 0.0, 1.0, "largest error at the end; 0: any")
    goal_time_s: float = setting(1.0, 0.0, 60.0, "time after a trajectory's end to reach its goal")


class ResultCode(IntEnum):
    """Result codes of FollowJointTrajectory."""

    SUCCESSFUL = 0
    INVALID_GOAL = -1
    INVALID_JOINTS = -2
    OLD_HEADER_TIMESTAMP = -3
    PATH_TOLERANCE_VIOLATED = -4
    GOAL_TOLERANCE_VIOLATED = -5


@dataclass(frozen=True)
class Outcome:
    """How a goal ended."""

    code: ResultCode
    text: str = ""


@dataclass(frozen=True)
class Goal:
    """A trajectory with what counts as following it.

    Attributes:
        trajectory: its points, of all the controller's joints in any order.
        path_tolerance: (J,) largest position error on the way [rad], in the trajectory's order; infinity for
            any.
        goal_tolerance: (J,) largest position error at the end [rad], likewise.
        goal_time_s: how long after the trajectory's end the goal may be reached.
    """

    trajectory: Trajectory
    path_tolerance: Array
    goal_tolerance: Array
    goal_time_s: float


@dataclass(frozen=True)
class Progress:
    """Where the joints of a running goal should be and are; (J,) each [rad, rad/s]."""

    desired: Array
    desired_velocity: Array
    actual: Array


class TrajectoryController:
    """Makes a group of joints follow one trajectory at a time, and hold still without one."""

    def __init__(self, names: Sequence[str], limits: MotionLimits, start_tolerance_rad: float) -> None:
        """Hold nothing yet: :meth:`hold` first.

        Args:
            names: the joints, in the order of all arrays.
            limits: limits in that order.
            start_tolerance_rad: largest distance between where the joints are and where a trajectory starts.
        """
        self.names = tuple(names)
        self.limits = limits
        self._start_tolerance = start_tolerance_rad
        self._target = np.zeros(len(self.names))
        self._goal: Goal | None = None
        self._path: Path | None = None
        self._start_time = 0.0
        self.progress: Progress | None = None

    @property
    def active(self) -> bool:
        """Whether a goal runs."""
        return self._goal is not None

    def start(self, goal: Goal, now: float, actual: Array) -> Outcome | None:
        """Take a goal over, in place of the running one; an outcome at once where it cannot be followed.

        Args:
            goal: what to do.
            now: time at which it starts [s].
            actual: (J,) where the joints are [rad].
        """
        names = goal.trajectory.joint_names
        if problem := self._joint_problem(names):
            return Outcome(ResultCode.INVALID_JOINTS, problem)
        trajectory = starting_at(goal.trajectory.ordered(self.names), self._target)
        path = Path(trajectory)
        if problem := path.problem(self.limits) or self._start_problem(trajectory, actual):
            return Outcome(ResultCode.INVALID_GOAL, problem)
        order = [names.index(name) for name in self.names]
        self._path, self._goal = (
            path,
            replace(
                goal,
                trajectory=trajectory,
                path_tolerance=goal.path_tolerance[order],
                goal_tolerance=goal.goal_tolerance[order],
            ),
        )
        self._start_time = now
        return None

    def hold(self, positions: Array) -> None:
        """Drop the goal and stay at ``positions`` (J,), moved inside the limits."""
        self._goal = self._path = None
        self._target = np.clip(positions, self.limits.lower, self.limits.upper)

    def update(self, now: float, actual: Array) -> tuple[Array, Array, Outcome | None]:
        """Targets for now, and the outcome where the goal has just ended.

        Args:
            now: time [s].
            actual: (J,) where the joints are [rad].

        Returns:
            Position targets (J,) [rad], velocity targets (J,) [rad/s], outcome or None.
        """
        if self._goal is None or self._path is None:
            return self._target, np.zeros(len(self.names)), None
        elapsed = now - self._start_time
        self._target, velocity = self._path.sample(elapsed)
        self.progress = Progress(self._target, velocity, actual.copy())
        outcome = self._judge(self._goal, elapsed, np.abs(actual - self._target))
        if outcome is not None:
            # a failed goal must not go on pushing; a reached one holds what was asked
            self.hold(self._target if outcome.code == ResultCode.SUCCESSFUL else actual)
            return self._target, np.zeros(len(self.names)), outcome
        return self._target, velocity, None

    def _judge(self, goal: Goal, elapsed: float, error: Array) -> Outcome | None:
        end = goal.trajectory.duration
        if elapsed < end:
            return self._violation(
                ResultCode.PATH_TOLERANCE_VIOLATED, "on the way", error, goal.path_tolerance
            )
        if (error <= goal.goal_tolerance).all():
            return Outcome(ResultCode.SUCCESSFUL)
        if elapsed < end + goal.goal_time_s:
            return None
        return self._violation(ResultCode.GOAL_TOLERANCE_VIOLATED, "at the end", error, goal.goal_tolerance)

    def _violation(self, code: ResultCode, where: str, error: Array, tolerance: Array) -> Outcome | None:
        excess = error - tolerance
        worst = int(excess.argmax())
        if excess[worst] <= 0:
            return None
        return Outcome(
            code,
            f"{self.names[worst]} was off by {error[worst]:.4f} rad {where}, "
            f"allowed are {tolerance[worst]:.4f} rad",
        )

    def _joint_problem(self, names: Sequence[str]) -> str:
        if sorted(names) == sorted(self.names):
            return ""
        missing, unknown = sorted(set(self.names) - set(names)), sorted(set(names) - set(self.names))
        detail = f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
        return (
            f"a trajectory must name each joint of the controller once ({detail}; of {', '.join(self.names)})"
        )

    def _start_problem(self, trajectory: Trajectory, actual: Array) -> str:
        # fingers that hold something are not where they are told to be: both are a fair place to start from
        start = trajectory.positions[0]
        error = np.minimum(np.abs(start - actual), np.abs(start - self._target))
        worst = int(error.argmax())
        if error[worst] <= self._start_tolerance:
            return ""
        return (
            f"the trajectory starts {error[worst]:.4f} rad from where {self.names[worst]} is, "
            f"allowed are {self._start_tolerance:.4f} rad; plan from the measured joint state"
        )
