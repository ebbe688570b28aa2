"""Motion planning with MoveIt: it searches and times, and every motion is checked as those of OMPL are."""

from __future__ import annotations

import time
from collections.abc import Callable

from grasp_pose_net.execution.checked_planner import CheckedPlanner
from grasp_pose_net.execution.moveit_session import MoveItSession
from grasp_pose_net.execution.timing import within_limits
from grasp_pose_net.robot.cancel import never
from grasp_pose_net.robot.model import RobotModel
from grasp_pose_net.robot.motion import MotionConfig
from grasp_pose_net.robot.problems import PlanningFailed, Problem
from grasp_pose_net.world import Array, Scene, Trajectory

# MoveIt cannot be interrupted and keeps Python's lock: it searches for so long at a time, then a cancel is seen.
SLICE_S = 0.5


class MoveItPlanner(CheckedPlanner):
    """Plans through a MoveIt session.

    The arm's joints at a pose, and along a straight line, are found here and not by MoveIt: ``moveit_py`` has no
    Cartesian interpolation, and with one solver both planners fail at the same poses with the same problem.
    """

    def __init__(
        self,
        robot: RobotModel,
        config: MotionConfig,
        session: MoveItSession,
        cancelled: Callable[[], bool] = never,
    ) -> None:
        """See :class:`CheckedPlanner`; ``session`` is shared by all planners of a process."""
        super().__init__(robot, config, cancelled)
        self._session = session

    def show(self, scene: Scene) -> None:
        """See :class:`MotionPlanner`."""
        self._session.show(scene)

    def plan_cartesian(self, start: Array, T_world_tip: Array, scene: Scene) -> Trajectory:
        """See :class:`MotionPlanner`."""
        trajectory = super().plan_cartesian(start, T_world_tip, scene)
        if not self._session.accepts(start, trajectory, scene):
            raise PlanningFailed(
                Problem.NO_PATH,
                "on the straight line the robot hits something in MoveIt's scene; see its log",
            )
        return trajectory

    def _motion(self, start: Array, goal: Array, scene: Scene) -> Trajectory:
        """See :class:`CheckedPlanner`."""
        deadline = time.monotonic() + self._config.planning_time_s
        why = ""
        while (left := deadline - time.monotonic()) > 0.0:
            self._cancel.check()
            try:
                planned = self._session.plan(start, goal, scene, self._config, min(SLICE_S, left))
            except PlanningFailed as failure:
                if failure.problem is not Problem.NO_PATH:
                    raise
                why = str(failure)
                continue
            trajectory = within_limits(planned, self._limits)
            if self._clear(start, trajectory, scene):
                return trajectory
            why = "what MoveIt proposes does not keep clear"
        self._cancel.check()
        raise PlanningFailed(
            Problem.NO_PATH, f"none found in {self._config.planning_time_s:g} s ({why}); make room between"
        )
