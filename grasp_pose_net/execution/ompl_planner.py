"""Motion planning with OMPL's RRT-Connect (Kuffner and LaValle, 2000) and Pinocchio's collision checks."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from ompl import base, geometric, util

from grasp_pose_net.execution.checked_planner import CheckedPlanner
from grasp_pose_net.execution.timing import along_path
from grasp_pose_net.robot.cancel import never
from grasp_pose_net.robot.collision import CollisionChecker
from grasp_pose_net.robot.model import RobotModel
from grasp_pose_net.robot.motion import MotionConfig
from grasp_pose_net.robot.problems import PlanningFailed, Problem
from grasp_pose_net.world import Array, Scene, Trajectory

CHECK_STEP_RAD = 0.03  # distance of the configurations that are checked along an edge
SPACINGS_RAD = (0.2, 0.05, 0.015)  # of the points that the spline goes through; close ones cut corners less
SEARCHES = 4  # for a path whose smooth motion keeps clear, too
SEARCH_SPAN_RAD = np.pi  # the search stays within this distance of start and goal, joint by joint


class OmplPlanner(CheckedPlanner):
    """Plans with OMPL; needs no ROS. Not for several threads at once."""

    def __init__(
        self, robot: RobotModel, config: MotionConfig, cancelled: Callable[[], bool] = never
    ) -> None:
        """See :class:`CheckedPlanner`."""
        super().__init__(robot, config, cancelled)
        util.noOutputHandler()

    def _motion(self, start: Array, goal: Array, scene: Scene) -> Trajectory:
        """See :class:`CheckedPlanner`."""
        begin = start[self._robot.arm.indices]
        deadline = time.monotonic() + self._config.planning_time_s
        for attempt in range(SEARCHES):
            util.RNG.setSeed(self._config.seed + attempt)
            path = self._search(start, begin, goal, self._checker(scene), deadline)
            for spacing in SPACINGS_RAD:
                trajectory = along_path(self._robot.arm.names, _resampled(path, spacing), self._limits)
                if self._clear(start, trajectory, scene):
                    return trajectory
        raise PlanningFailed(Problem.NO_PATH, "a path was found, but no smooth motion along it keeps clear")

    def _search(
        self, start: Array, begin: Array, goal: Array, checker: CollisionChecker, deadline: float
    ) -> Array:
        """Corner points (N, A) of a path that was checked every ``CHECK_STEP_RAD``, shortened."""
        space = self._space(begin, goal)
        configuration, indices = start.copy(), self._robot.arm.indices
        dimensions = range(len(indices))

        def valid(state: base.State) -> bool:
            if self._cancel():  # nothing is worth looking at any more: what OMPL does next ends soon
                return False
            configuration[indices] = [state[i] for i in dimensions]
            return checker.free(configuration)

        information = base.SpaceInformation(space)
        information.setStateValidityChecker(valid)
        information.setStateValidityCheckingResolution(CHECK_STEP_RAD / space.getMaximumExtent())
        information.setup()
        problem = base.ProblemDefinition(information)
        problem.setStartAndGoalStates(_state(information, begin), _state(information, goal))
        planner = geometric.RRTConnect(information)
        planner.setProblemDefinition(problem)
        planner.setRange(1.0)
        planner.setup()
        status = planner.solve(
            base.PlannerTerminationCondition(lambda: time.monotonic() > deadline or self._cancel())
        )
        self._cancel.check()
        if not problem.hasExactSolution():
            raise PlanningFailed(
                Problem.NO_PATH,
                f"none found in {self._config.planning_time_s:g} s ({status.asString()}); make room between",
            )
        path = problem.getSolutionPath()
        simplifier = geometric.PathSimplifier(information)
        simplifier.reduceVertices(path)
        simplifier.partialShortcutPath(path)
        simplifier.smoothBSpline(path)
        self._cancel.check()
        return np.array([[state[i] for i in dimensions] for state in path.getStates()])

    def _space(self, begin: Array, goal: Array) -> base.RealVectorStateSpace:
        """Joint space around start and goal: a search over all turns of ±2π joints would wander."""
        space = base.RealVectorStateSpace(len(begin))
        bounds = base.RealVectorBounds(len(begin))
        low = np.maximum(np.minimum(begin, goal) - SEARCH_SPAN_RAD, self._robot.arm.lower)
        high = np.minimum(np.maximum(begin, goal) + SEARCH_SPAN_RAD, self._robot.arm.upper)
        for i in range(len(begin)):
            bounds.setLow(i, float(min(low[i], begin[i])))
            bounds.setHigh(i, float(max(high[i], begin[i])))
        space.setBounds(bounds)
        return space


def _state(information: base.SpaceInformation, joints: Array) -> base.State:
    state = information.allocState()
    for i, value in enumerate(joints):
        state[i] = float(value)
    return state


def _resampled(path: Array, spacing: float) -> Array:
    """Points (N, A) on the corner path, no further apart than ``spacing`` [rad]; its corners stay."""
    parts = [path[:1]]
    for a, b in pairwise(path):
        count = max(1, int(np.ceil(np.linalg.norm(b - a) / spacing)))
        parts.append(a + (b - a) * (np.arange(1, count + 1) / count)[:, None])
    return np.vstack(parts)
