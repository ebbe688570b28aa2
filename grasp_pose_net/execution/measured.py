"""The robot as it is measured: may a motion start here, has it been done, and where are arm and hand now?"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from grasp_pose_net.exceptions import PlanningError
from grasp_pose_net.execution.stages import Controllers, PickupConfig, Step
from grasp_pose_net.robot.model import RobotModel
from grasp_pose_net.robot.problems import ExecutionFailed, Problem
from grasp_pose_net.world import Array, Trajectory

POLL_S = 0.01
LEAST_WAY_RAD = 0.1  # of all joints together; a hand that hardly closes cannot show whether it did
PRESSING = 2.0  # a finger that shall press by less than so often `held_rad` cannot show whether it is held up


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
        measured, tolerance = self.configuration(), self._config.start_tolerance_rad
        if why := self._arm_away(measured, step.start, "the planned start", tolerance):
            raise ExecutionFailed(Problem.NOT_AT_START, f"{why}; another controller may be moving the arm")
        if step.empty and (why := self._hand_away(measured, step.start)):
            raise ExecutionFailed(Problem.NOT_AT_START, why)

    def check_end(self, step: Step, cancelled: Callable[[], bool]) -> None:
        """Refuse a motion that its controller calls done, and that the joints do not show.

        They may settle for a while, of the time in their own stamps.

        Raises:
            ExecutionFailed: the arm is elsewhere, the hand has not closed, or nothing holds it up; or the joint state is
                not to be trusted, or it is cancelled meanwhile.
        """
        first = self._controllers.joint_state().stamp
        while (failure := self._end_problem(step)) is not None:
            if self._controllers.joint_state().stamp - first > self._config.settle_s:
                raise failure
            if cancelled():
                raise ExecutionFailed(Problem.CANCELLED, f"after {step.stage}")
            self._controllers.wait(POLL_S)

    def _end_problem(self, step: Step) -> ExecutionFailed | None:
        """What speaks against a motion having been done."""
        measured, end = self.configuration(), self._robot.after(step.start, step.trajectory)
        if why := self._arm_away(measured, end, "the planned end", self._config.end_tolerance_rad):
            return ExecutionFailed(
                Problem.NOT_AT_END, f"{why}, though its controller says it is there; does the arm follow it?"
            )
        if step.empty:
            why = self._hand_away(measured, end)
            return ExecutionFailed(Problem.NOT_AT_END, why) if why else None
        hand = measured[self._robot.hand.indices]
        if step.press is not None:
            return self._emptiness(hand, step.press)
        if step.trajectory.joint_names != self._robot.hand.names:
            return None  # the arm is there, and the hand was not to move
        way = step.trajectory.positions[-1] - step.trajectory.positions[0]
        share = float((hand - step.trajectory.positions[0]) @ way) / max(float(way @ way), 1e-12)
        if np.linalg.norm(way) < LEAST_WAY_RAD or share >= self._config.closed_share:
            return None
        return ExecutionFailed(
            Problem.NOT_AT_END,
            f"the hand has made {100 * share:.0f} % of its way to the grasp, expected at least "
            f"{100 * self._config.closed_share:.0f}; does its controller follow, or does something hold it?",
        )

    def _emptiness(self, hand: Array, press: Trajectory) -> ExecutionFailed | None:
        """Why nothing can be in a hand (H,) that presses: no finger is held up before it is where it presses to.

        What counts is the sum of a finger's joints: a tendon that drives two of them may share their bend in another way
        than the model does.
        """
        least, goal = self._config.held_rad, press.positions[-1]
        if least == 0.0:
            return None
        way = goal - press.positions[0]
        behind = [
            float(_signs(way[finger]) @ (goal - hand)[finger])
            for finger in self._robot.fingers
            if np.abs(way[finger]).max() > PRESSING * least
        ]
        if not behind or max(behind) >= least:
            return None
        return ExecutionFailed(
            Problem.NOT_HELD,
            f"none of {len(behind)} pressing fingers is held up: each is, all its joints together, within {least:g} rad of "
            "where it presses to; has the object moved since it was seen?",
        )

    def _arm_away(self, measured: Array, planned: Array, where: str, tolerance: float) -> str:
        """The arm's joint that is furthest from where it was planned, as text; empty where all are near."""
        arm = self._robot.arm
        difference = np.abs(measured - planned)[arm.indices]
        worst = int(difference.argmax())
        if difference[worst] <= tolerance:
            return ""
        return f"{arm.names[worst]} is {difference[worst]:.3f} rad from {where}, allowed {tolerance:g}"

    def _hand_away(self, measured: Array, planned: Array) -> str:
        """How far a part of the hand is from where it was planned, as text; empty where all are near."""
        # with the arm where it was planned: only the hand's own difference shall count
        hand = planned.copy()
        hand[self._robot.hand.indices] = measured[self._robot.hand.indices]
        distance = np.linalg.norm(
            self._robot.hand_parts(hand) - self._robot.hand_parts(planned), axis=1
        ).max()
        if distance <= self._config.hand_tolerance_m:
            return ""
        return (
            f"a part of the hand is {1e3 * distance:.0f} mm from where the motion was planned with it, allowed "
            f"{1e3 * self._config.hand_tolerance_m:.0f}; does its controller follow, or does something hold it?"
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


def _signs(way: Array) -> Array:
    """Which way each joint (F,) of a finger bends; those that rest bend as the finger does."""
    return np.where(way == 0.0, np.sign(way.sum()), np.sign(way))
