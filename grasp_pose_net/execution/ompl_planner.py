"""Motion planning with OMPL's RRT-Connect, Pinocchio's collision checks and TOPP-RA."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from ompl import base, geometric, util

from grasp_pose_net.execution.collision import CollisionChecker, scene_checker
from grasp_pose_net.execution.lines import line_poses
from grasp_pose_net.execution.planner import MotionConfig, MotionPlanner
from grasp_pose_net.execution.problems import PlanningFailed, Problem
from grasp_pose_net.execution.robot import RobotModel
from grasp_pose_net.execution.scene import Scene
from grasp_pose_net.execution.trajectory import Trajectory, along_path
from grasp_pose_net.geometry import Array

CHECK_STEP_RAD = 0.03  # distance of the configurations that are checked along an edge
SPACINGS_RAD = (0.2, 0.05, 0.015)  # of the points that the spline goes through; close ones cut corners less
SEARCH_SPAN_RAD = np.pi  # the search stays within this distance of start and goal, joint by joint
IK_STARTS = 32
POSE_ATTEMPTS = 2  # arm configurations of a pose that a path is searched to, once their goals are free


class OmplPlanner(MotionPlanner):
    """Plans with OMPL; needs no ROS. Not for several threads at once."""

    def __init__(self, robot: RobotModel, config: MotionConfig) -> None:
        """Store what all plans share.

        Args:
            robot: the robot.
            config: speeds, clearance and search time.
        """
        self._robot, self._config = robot, config
        self._limits = config.arm_limits(robot)
        self._starts = robot.chain.spread_starts(IK_STARTS, np.random.default_rng(config.seed))
        self._checked: tuple[Scene, CollisionChecker] | None = None
        util.noOutputHandler()

    def plan_to_joints(self, start: Array, goal: Array, scene: Scene) -> Trajectory:
        """See :class:`MotionPlanner`."""
        checker = self._checker(scene)
        self._check_start(start, checker)
        self._check_goal(start, goal, checker)
        begin = start[self._robot.arm.indices]
        path = self._search(start, begin, np.asarray(goal, float), checker)
        for spacing in SPACINGS_RAD:
            trajectory = along_path(self._robot.arm.names, _resampled(path, spacing), self._limits)
            if self._blocked(start, trajectory.positions, checker) is None:
                return trajectory
        raise PlanningFailed(Problem.NO_PATH, "a path was found, but no smooth motion along it keeps clear")

    def plan_to_pose(self, start: Array, T_world_tip: Array, scene: Scene) -> Trajectory:
        """See :class:`MotionPlanner`."""
        near = start[self._robot.arm.indices]
        failure = PlanningFailed(
            Problem.NO_INVERSE_KINEMATICS,
            f"{self._robot.tip} cannot reach {np.round(T_world_tip[:3, 3], 3)} m so turned",
        )
        searched = 0
        for goal in self._robot.chain.inverse(T_world_tip, near, self._starts):
            try:
                return self.plan_to_joints(start, goal, scene)
            except PlanningFailed as error:
                if error.problem is Problem.START_IN_COLLISION or self._robot.outside_limits(start):
                    raise
                failure = error
                searched += error.problem is Problem.NO_PATH
            if searched == POSE_ATTEMPTS:
                break
        raise failure

    def plan_cartesian(self, start: Array, T_world_tip: Array, scene: Scene) -> Trajectory:
        """See :class:`MotionPlanner`."""
        checker = self._checker(scene)
        self._check_start(start, checker)
        begin = start[self._robot.arm.indices]
        poses = line_poses(self._robot.chain.tip_pose(begin), T_world_tip, self._config.line_step_m)
        path = self._robot.chain.track(begin, poses, self._config.line_jump_rad)
        if len(path) < len(poses):
            part = 100 * len(path) / len(poses)
            raise PlanningFailed(
                Problem.NO_INVERSE_KINEMATICS, f"only {part:.0f} % of the straight line are in reach"
            )
        trajectory = along_path(self._robot.arm.names, np.vstack([begin, path]), self._limits)
        if blocked := self._blocked(start, trajectory.positions, checker):
            raise PlanningFailed(Problem.NO_PATH, f"on the straight line {blocked[0]} hits {blocked[1]}")
        return trajectory

    def _checker(self, scene: Scene) -> CollisionChecker:
        if self._checked is None or self._checked[0] is not scene:
            self._checked = (scene, scene_checker(self._robot, scene, self._config.clearance_m))
        return self._checked[1]

    def _check_start(self, start: Array, checker: CollisionChecker) -> None:
        if outside := self._robot.outside_limits(start):
            raise PlanningFailed(
                Problem.OUTSIDE_LIMITS, f"the start has {'; '.join(outside)}; move these joints back first"
            )
        if hit := checker.collision(start):
            raise PlanningFailed(
                Problem.START_IN_COLLISION, f"{hit[0]} with {hit[1]}; move the arm free by hand first"
            )

    def _check_goal(self, start: Array, goal: Array, checker: CollisionChecker) -> None:
        end = self._with_arm(start, goal)
        if outside := self._robot.outside_limits(end):
            raise PlanningFailed(Problem.OUTSIDE_LIMITS, f"the goal has {'; '.join(outside)}")
        if hit := checker.collision(end):
            raise PlanningFailed(Problem.GOAL_IN_COLLISION, f"at the goal {hit[0]} hits {hit[1]}")

    def _with_arm(self, configuration: Array, arm: Array) -> Array:
        configuration = configuration.copy()
        configuration[self._robot.arm.indices] = arm
        return configuration

    def _blocked(self, start: Array, positions: Array, checker: CollisionChecker) -> tuple[str, str] | None:
        """The first collision on arm positions (N, A), None if there is none."""
        for arm in positions:
            configuration = self._with_arm(start, arm)
            if not checker.free(configuration):
                return checker.collision(configuration) or ("the arm", "something")
        return None

    def _search(self, start: Array, begin: Array, goal: Array, checker: CollisionChecker) -> Array:
        """Corner points (N, A) of a path that was checked every ``CHECK_STEP_RAD``, shortened."""
        space = self._space(begin, goal)
        configuration, indices = start.copy(), self._robot.arm.indices
        dimensions = range(len(indices))

        def valid(state: base.State) -> bool:
            configuration[indices] = [state[i] for i in dimensions]
            return checker.free(configuration)

        util.RNG.setSeed(self._config.seed)
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
        status = planner.solve(self._config.planning_time_s)
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
