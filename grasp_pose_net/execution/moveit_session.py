"""MoveIt through ``moveit_py``: one instance of it, its planning scene, and its motion planning.

The only module that knows ``moveit_py``, which it imports when a session is made; MoveIt 2.11 (ROS 2 Jazzy) or newer.
Messages are made by whoever starts the session (``nodes/moveit_messages.py``), so that the library stays free of them.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np

from grasp_pose_net.robot.model import RobotModel
from grasp_pose_net.robot.motion import MotionConfig
from grasp_pose_net.robot.problems import PlanningFailed, Problem
from grasp_pose_net.world import Array, Box, Scene, SceneObject, Trajectory

NODE = "grasp_pose_net_moveit"
BREATHER_S = 0.05

# moveit_msgs/MoveItErrorCodes; whatever is not here is "no path"
PROBLEMS = {
    -10: Problem.START_IN_COLLISION,
    -26: Problem.OUTSIDE_LIMITS,  # START_STATE_INVALID: CheckStartStateBounds says so
    -12: Problem.GOAL_IN_COLLISION,
    -31: Problem.NO_INVERSE_KINEMATICS,
}


class MoveItMessages(Protocol):
    """Makes and reads MoveIt's messages; poses are in the world, except where a link carries an object."""

    def collision_object(self, entry: SceneObject, shrink_m: float) -> Any:
        """``CollisionObject`` to add; its boxes smaller by ``shrink_m`` on each side."""

    def removed_object(self, name: str) -> Any:
        """``CollisionObject`` to remove."""

    def attached_object(self, scene: Scene) -> Any:
        """``AttachedCollisionObject`` of what the scene says is held."""

    def detached_objects(self) -> Any:
        """``AttachedCollisionObject`` that puts all that is held back into the world."""

    def link_padding(self, links: Iterable[str], padding_m: float) -> Any:
        """``PlanningScene`` that changes nothing but the padding of links."""

    def robot_trajectory(self, trajectory: Trajectory) -> Any:
        """``RobotTrajectory`` of a trajectory."""

    def trajectory(self, message: Any, joint_names: tuple[str, ...]) -> Trajectory:
        """Trajectory of a ``RobotTrajectory`` with speeds and accelerations, joints in the order given."""


class MoveItSession:
    """One MoveIt node in this process. Not for several threads at once, except ``execution``.

    Attributes:
        messages: makes its messages.
        execution: MoveIt's ``TrajectoryExecutionManager``.
    """

    def __init__(
        self,
        robot: RobotModel,
        config: MotionConfig,
        parameters: Mapping[str, Any],
        messages: MoveItMessages,
    ) -> None:
        """Start MoveIt.

        Args:
            robot: the robot.
            config: its clearance becomes the padding of the arm's links.
            parameters: from :func:`moveit_parameters`.
            messages: makes and reads messages.

        Raises:
            ImportError: ``moveit_py`` is not installed.
            RuntimeError: MoveIt does not accept the parameters; its log says why.
        """
        from moveit.planning import MoveItPy, PlanningComponent

        self._robot, self.messages = robot, messages
        self._moveit = MoveItPy(node_name=NODE, config_dict=dict(parameters))
        self._arm = PlanningComponent(robot.arm_group, self._moveit)
        self._monitor = self._moveit.get_planning_scene_monitor()
        self.execution = self._moveit.get_trajectory_execution_manager()
        self._shown: set[str] = set()
        padded = [link for link in robot.geometry_links if self._moves(link) and link not in robot.hand_links]
        self._monitor.new_planning_scene_message(
            messages.link_padding(sorted(set(padded)), config.clearance_m)
        )

    def shutdown(self) -> None:
        """End MoveIt's node."""
        self._moveit.shutdown()

    def show(self, scene: Scene) -> None:
        """Make a scene the one that MoveIt monitors and publishes: what is around, and what is held."""
        self._monitor.process_attached_collision_object(self.messages.detached_objects())
        names = {entry.id for entry in scene.objects}
        for name in sorted(self._shown - names):
            self._monitor.process_collision_object(self.messages.removed_object(name))
        for entry in scene.objects:
            self._monitor.process_collision_object(self.messages.collision_object(entry, 0.0))
        if scene.attached:
            self._monitor.process_attached_collision_object(self.messages.attached_object(scene))
        self._shown = names

    def plan(
        self, start: Array, goal: Array, scene: Scene, config: MotionConfig, seconds: float
    ) -> Trajectory:
        """Motion of the arm as MoveIt plans and times it; to be checked by the caller.

        Args:
            start: (J,) configuration of the whole robot [rad].
            goal: (A,) joints of the arm [rad].
            scene: what is around.
            config: speeds.
            seconds: longest search [s].

        Raises:
            PlanningFailed: MoveIt finds none in that time.
        """
        from moveit.planning import PlanRequestParameters

        planning_scene, state = self._planning_scene(start, scene)
        end = copy.deepcopy(state)
        self._set(end, self._robot.arm.names, goal)
        parameters = PlanRequestParameters(self._moveit, "")
        parameters.planning_time = float(seconds)
        parameters.max_velocity_scaling_factor = config.velocity_scale
        parameters.max_acceleration_scaling_factor = config.acceleration_scale
        self._arm.set_start_state(robot_state=state)
        self._arm.set_goal_state(robot_state=end)
        answer = self._arm.plan(single_plan_parameters=parameters, planning_scene=planning_scene)
        # plan() keeps Python's lock: let other threads take the joint states that have come meanwhile
        time.sleep(BREATHER_S)
        code = int(answer.error_code.val)
        if not answer:
            raise PlanningFailed(PROBLEMS.get(code, Problem.NO_PATH), f"MoveIt answers with code {code}")
        message = answer.trajectory.get_robot_trajectory_msg()
        return self.messages.trajectory(message, self._robot.arm.names)

    def accepts(self, start: Array, trajectory: Trajectory, scene: Scene) -> bool:
        """Whether MoveIt finds no collision on a motion of the arm from a configuration (J,) [rad]."""
        from moveit.core.robot_trajectory import RobotTrajectory

        planning_scene, state = self._planning_scene(start, scene)
        motion = RobotTrajectory(self._moveit.get_robot_model())
        motion.joint_model_group_name = self._robot.arm_group
        motion = motion.set_robot_trajectory_msg(state, self.messages.robot_trajectory(trajectory))
        return bool(planning_scene.is_path_valid(motion, self._robot.arm_group))

    def _planning_scene(self, start: Array, scene: Scene) -> tuple[Any, Any]:
        """MoveIt's scene and robot state for a plan, which nobody else sees.

        It has what MoveIt monitors anyway, say a wall that somebody else has published, and the objects of ``scene``.
        An allowed depth in a box becomes a smaller box, since MoveIt only knows contacts that are allowed or not.
        """
        # a copy, not PlanningScene(model): those made by moveit_py all share the world of its default argument
        with self._monitor.read_only() as monitored:
            planning_scene = copy.deepcopy(monitored)
        planning_scene.process_attached_collision_object(self.messages.detached_objects())
        for entry in scene.objects:
            depths = [a.depth_m for a in scene.allowed if a.id == entry.id and np.isfinite(a.depth_m)]
            message = self.messages.collision_object(entry, max(depths, default=0.0))
            planning_scene.apply_collision_object(message)
        matrix = planning_scene.allowed_collision_matrix
        for first, second in self._allowed_pairs(scene):
            matrix.set_entry(first, second, True)
        if scene.attached:
            planning_scene.process_attached_collision_object(self.messages.attached_object(scene))
        state = copy.deepcopy(planning_scene.current_state)
        self._set(state, self._robot.joint_names, start)
        planning_scene.current_state = state
        return planning_scene, state

    def _allowed_pairs(self, scene: Scene) -> set[tuple[str, str]]:
        """Links and objects that may touch; the hand's links may touch each other, as in ``scene_checker``."""
        hand = self._robot.hand_links
        pairs = {(a, b) for a in hand for b in hand if a < b}
        for contact in scene.allowed:
            if contact.depth_m == np.inf or not _only_boxes(scene[contact.id]):
                pairs |= {(link, contact.id) for link in contact.links}
        return pairs

    def _moves(self, link: str) -> bool:
        return self._robot.parent_joint(link)[0] > 0

    @staticmethod
    def _set(state: Any, names: tuple[str, ...], positions: Array) -> None:
        state.joint_positions = dict(zip(names, map(float, positions), strict=True))
        state.update()


def _only_boxes(entry: SceneObject) -> bool:
    """Whether an allowed depth in an object is a smaller object: MoveIt knows depth in nothing else."""
    return all(isinstance(part.shape, Box) for part in entry.parts)
