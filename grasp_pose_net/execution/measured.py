"""The robot as it is measured: may a motion start here, and where are arm and hand now?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from grasp_pose_net.exceptions import PlanningError
from grasp_pose_net.execution.stages import Controllers, PickupConfig, Step
from grasp_pose_net.robot.model import RobotModel
from grasp_pose_net.robot.problems import ExecutionFailed, Problem
from grasp_pose_net.world import Array


class MeasuredRobot:
    """Reads the joints; what it cannot vouch for is an error."""

    def __init__(self, robot: RobotModel, controllers: Controllers, config: PickupConfig) -> None:
        """Store who measures and what is tolerated."""
        self._robot, self._controllers, self._config = robot, controllers, config

    def configuration(self) -> Array:
        """The measured configuration (J,) [rad], put back into the limits where it is barely outside.

        Raises:
            ExecutionFailed: the joint state is too old, lacks joints, or is outside the limits.
        """
        state = self._controllers.joint_state()
        try:
            measured = self._robot.configuration(state.by_name)
        except PlanningError as error:
            raise ExecutionFailed(Problem.STALE_STATE, str(error)) from error
        if outside := self._robot.outside_limits(measured, self._config.start_tolerance_rad):
            raise ExecutionFailed(
                Problem.OUTSIDE_LIMITS, f"measured {'; '.join(outside)}; move these joints back first"
            )
        return np.clip(measured, self._robot.lower, self._robot.upper)

    def check_start(self, step: Step) -> None:
        """Refuse a motion that was planned from elsewhere.

        The arm is compared joint by joint, the empty hand by where its parts are: a tendon that drives two joints
        may share their bend in another way than the model does. A hand on an object may be held up anywhere.

        Raises:
            ExecutionFailed: the difference is too large, or the joint state is not to be trusted.
        """
        measured = self.configuration()
        arm = self._robot.arm
        difference = np.abs(measured - step.start)[arm.indices]
        worst, tolerance = int(difference.argmax()), self._config.start_tolerance_rad
        if difference[worst] > tolerance:
            raise ExecutionFailed(
                Problem.NOT_AT_START,
                f"{arm.names[worst]} is {difference[worst]:.3f} rad from the planned start, allowed "
                f"{tolerance:g}; another controller may be moving the arm",
            )
        # with the arm where it was planned: only the hand's own difference shall count
        hand = step.start.copy()
        hand[self._robot.hand.indices] = measured[self._robot.hand.indices]
        distance = np.linalg.norm(
            self._robot.hand_parts(hand) - self._robot.hand_parts(step.start), axis=1
        ).max()
        if step.empty and distance > self._config.hand_tolerance_m:
            raise ExecutionFailed(
                Problem.NOT_AT_START,
                f"a part of the hand is {1e3 * distance:.0f} mm from where the motion was planned with it, allowed "
                f"{1e3 * self._config.hand_tolerance_m:.0f}; does its controller follow, or does something hold it?",
            )

    def whereabouts(
        self, T_world_grasp: Array | None = None, postures: Mapping[str, Array] | None = None
    ) -> str:
        """Where arm and hand are now, as text.

        Args:
            T_world_grasp: (4, 4) pose of the tip to tell the distance to.
            postures: (H,) hand joints by name [rad], of which the nearest is told.
        """
        try:
            measured = self.configuration()
        except ExecutionFailed as failure:
            return f"State of arm and hand unknown: {failure}"
        position = self._robot.link_pose(measured, self._robot.tip)[:3, 3]
        text = "Arm: {} at ({:.3f}, {:.3f}, {:.3f}) m".format(self._robot.tip, *position)
        if T_world_grasp is not None:
            text += f", {np.linalg.norm(position - T_world_grasp[:3, 3]):.3f} m from its grasp pose"
        hand = measured[self._robot.hand.indices]
        known = postures or {n: c[self._robot.hand.indices] for n, c in self._robot.named_states.items()}
        far = {name: float(np.abs(hand - posture).max()) for name, posture in known.items()}
        name = min(far, key=lambda name: far[name])
        return f"{text}; hand: nearest to the {name} posture, largest difference {far[name]:.2f} rad"
