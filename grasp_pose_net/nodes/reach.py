"""Whether the arm can do a grasp in the perceived scene: the executor's own checks, asked before a grasp is offered."""

from __future__ import annotations

from collections.abc import Iterable

from moveit_msgs.msg import CollisionObject, Grasp

from grasp_pose_net.execution import GraspMotion, MotionConfig, RobotModel
from grasp_pose_net.models import robot_srdf, robot_urdf
from grasp_pose_net.nodes.motion_messages import pick_grasp, scene_from_messages


class Reach:
    """Checks grasps of one target after another."""

    def __init__(self, robot: str, config: MotionConfig) -> None:
        """Load a robot of ``models/robots/``."""
        self._robot = RobotModel(robot_urdf(robot), robot_srdf(robot))
        self._robot.chain.warm_up()
        self._config = config

    def motion(
        self, objects: Iterable[CollisionObject], target: str, supports: tuple[str, ...]
    ) -> GraspMotion:
        """Checks for grasps of a target among objects.

        Raises:
            PlanningError: target or support is not among the objects.
            ValueError: an object's message is broken.
        """
        return GraspMotion(self._robot, scene_from_messages(objects), target, supports, self._config)

    def reason(self, motion: GraspMotion, grasp: Grasp) -> str | None:
        """Why the arm cannot do a grasp, None where it can."""
        pick = pick_grasp(grasp, motion.reach_scene, self._robot.tip, self._robot.hand.names)
        return motion.reason(pick, self._robot.named_states["home"])
