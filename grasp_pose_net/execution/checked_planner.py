"""What all motion planners share: the checks of start, goal and motion, lines, and cancelling.

A planner's own search only proposes motions; what it proposes is checked here before it is given out. So the
errors have the same kinds whoever searched, and no planner's idea of a collision has to be trusted.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import numpy as np

from grasp_pose_net.execution.motion_planner import MotionPlanner
from grasp_pose_net.execution.timing import along_path
from grasp_pose_net.robot.cancel import Cancel, never
from grasp_pose_net.robot.collision import CollisionChecker, scene_checker
from grasp_pose_net.robot.lines import line_poses
from grasp_pose_net.robot.model import RobotModel
from grasp_pose_net.robot.motion import MotionConfig
from grasp_pose_net.robot.problems import PlanningFailed, Problem
from grasp_pose_net.world import Array, Scene, Trajectory

IK_STARTS = 32
STEP_RAD = 0.0025  # most that a joint moves between two checked configurations: 3 mm of an arm of 1.3 m
DEEPER_M = 1e-4  # what rounding makes of a contact that stays as it is
POSE_ATTEMPTS = 2  # arm configurations of a pose that a path is searched to, once their goals are free


class CheckedPlanner(MotionPlanner):
    """Leaves to its heirs the search for a motion between two free configurations."""

    def __init__(
        self, robot: RobotModel, config: MotionConfig, cancelled: Callable[[], bool] = never
    ) -> None:
        """Store what all plans share.

        Args:
            robot: the robot.
            config: speeds, clearance and search time.
            cancelled: asked again and again; once true, planning ends with ``Problem.CANCELLED``.
        """
        self._robot, self._config, self._cancel = robot, config, Cancel(cancelled)
        self._limits = config.arm_limits(robot)
        self._starts = robot.chain.spread_starts(IK_STARTS, np.random.default_rng(config.seed))
        self._checked: tuple[Scene, CollisionChecker] | None = None

    @abstractmethod
    def _motion(self, start: Array, goal: Array, scene: Scene) -> Trajectory:
        """Motion of the arm to joints (A,), both ends known to be free; :meth:`_clear` holds for the result.

        Raises:
            PlanningFailed: none was found, or the search was cancelled.
        """

    def plan_to_joints(self, start: Array, goal: Array, scene: Scene) -> Trajectory:
        """See :class:`MotionPlanner`."""
        checker = self._checker(scene)
        self._check_start(start, checker)
        self._check_goal(start, goal, checker)
        self._cancel.check()
        return self._motion(start, np.asarray(goal, float), scene)

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
                hopeless = error.problem in (Problem.START_IN_COLLISION, Problem.CANCELLED)
                if hopeless or self._robot.outside_limits(start):
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
        self._cancel.check()
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

    def plan_leaving(self, start: Array, path: Array, scene: Scene) -> Trajectory:
        """Motion through arm joints (K, A) that only leaves what the robot touches: no contact deepens, and none begins.

        Args:
            start: (J,) configuration of the whole robot, which may touch something [rad].
            path: (K, A) joints of the arm [rad], close to each other.
            scene: what is around.

        Raises:
            PlanningFailed: naming what would be touched more.
        """
        self._cancel.check()
        checker = self._checker(scene)
        begin = start[self._robot.arm.indices]
        trajectory = along_path(self._robot.arm.names, np.vstack([begin, path]), self._limits)
        touched = checker.contacts(start)
        for arm in _filled(trajectory.positions):
            now = checker.contacts(self._with_arm(start, arm))
            for pair, depth in now.items():
                # not a number, where depth is not defined, is no less either
                if not depth <= touched.get(pair, -np.inf) + DEEPER_M:
                    raise PlanningFailed(
                        Problem.NO_PATH, f"on the way out {pair[0]} would press into {pair[1]}"
                    )
            touched = now
        return trajectory

    def touched(self, configuration: Array, scene: Scene) -> dict[tuple[str, str], float]:
        """What collides at a configuration (J,) [rad], and how deep [m], see :meth:`CollisionChecker.contacts`."""
        return self._checker(scene).contacts(configuration)

    def _clear(self, start: Array, trajectory: Trajectory, scene: Scene) -> bool:
        """Whether nothing collides on a motion from a configuration (J,), at its samples and between them."""
        return self._blocked(start, trajectory.positions, self._checker(scene)) is None

    def _checker(self, scene: Scene) -> CollisionChecker:
        if self._checked is None or self._checked[0] is not scene:
            checker = scene_checker(self._robot, scene, self._config.clearance_m, self._cancel)
            self._checked = (scene, checker)
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
        """The first collision on the way through arm positions (N, A), None if there is none."""
        for arm in _filled(positions):
            self._cancel.check()
            configuration = self._with_arm(start, arm)
            if not checker.free(configuration):
                return checker.collision(configuration) or ("the arm", "something")
        return None


def _filled(positions: Array) -> Array:
    """Positions (N, A) with others between them, so that no joint moves by more than ``STEP_RAD`` to the next."""
    largest = np.abs(np.diff(positions, axis=0)).max(axis=1, initial=0.0)
    counts = np.maximum(1, np.ceil(largest / STEP_RAD).astype(int))
    places = np.concatenate([[0.0], np.cumsum(np.repeat(1.0 / counts, counts))])
    columns = [np.interp(places, np.arange(len(positions)), column) for column in positions.T]
    return np.stack(columns, axis=1)
