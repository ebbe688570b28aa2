"""What brings the robot out of a grasp again: opening the hand, and backing off the way it came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.execution.checked_planner import CheckedPlanner
from grasp_pose_net.execution.measured import MeasuredRobot
from grasp_pose_net.execution.stages import Controllers, PickupConfig
from grasp_pose_net.execution.timing import smooth_move
from grasp_pose_net.robot.model import RobotModel
from grasp_pose_net.robot.motion import MotionConfig
from grasp_pose_net.world import Grasp, Scene

OPEN = "open"  # the SRDF's name of the hand's posture


class Recovery:
    """Two motions for people to ask for, after a failure or to let an object go."""

    def __init__(
        self, robot: RobotModel, controllers: Controllers, motion: MotionConfig, config: PickupConfig
    ) -> None:
        """Store who moves and how fast.

        Raises:
            ConfigError: the SRDF has no state named ``open``.
        """
        if OPEN not in robot.named_states:
            names = ", ".join(robot.named_states) or "none"
            raise ConfigError(f"the SRDF has no group_state {OPEN!r} of the hand; it has: {names}")
        self._robot, self._controllers, self._motion, self._config = robot, controllers, motion, config
        self._measured = MeasuredRobot(robot, controllers, config)
        self._open = robot.named_states[OPEN][robot.hand.indices]

    def open_hand(self, cancelled: Callable[[], bool]) -> str:
        """Open the hand as far as what is around lets it; where things are then, as text.

        Raises:
            ExecutionFailed: the joint state is not to be trusted, or the controller failed.
        """
        hand = self._robot.hand
        posture = self._measured.configuration()[hand.indices]
        limits = self._motion.hand_limits(self._robot)
        opening = smooth_move(hand.names, posture, self._open, limits, self._config.posture_s)
        self._controllers.execute(opening, may_stop_short=True, cancelled=cancelled)
        return f"opened the hand. {self._measured.whereabouts()}"

    def retreat(
        self, planner: CheckedPlanner, grasp: Grasp, scene: Scene, cancelled: Callable[[], bool]
    ) -> str:
        """Move the hand straight back, against a grasp's approach and as far; where things are then, as text.

        The hand may touch whatever it touches: it is where something went wrong. Arm and forearm keep clear.

        Args:
            planner: plans the line; without clearance, since the arm may have come closer than planned.
            grasp: tells direction and length.
            scene: what is around.
            cancelled: whether to stop.

        Raises:
            PlanningFailed: the line is out of reach or blocked; nothing was moved.
            ExecutionFailed: the joint state is not to be trusted, or the controller failed.
        """
        for entry in scene.objects:
            scene = scene.allow(self._robot.hand_links, entry.id)
        start = self._measured.configuration()
        T_world_tip = self._robot.link_pose(start, self._robot.tip)
        T_world_tip[:3, 3] -= grasp.approach_m[0] * grasp.approach
        back = planner.plan_cartesian(start, T_world_tip, scene)
        self._controllers.execute(back, may_stop_short=False, cancelled=cancelled)
        return f"moved back by {grasp.approach_m[0]:.2f} m. {self._measured.whereabouts(grasp.T_world_tip)}"


def without_clearance(motion: MotionConfig) -> MotionConfig:
    """The same speeds, for plans that start where the arm may be too close to something already."""
    return replace(motion, clearance_m=0.0)
