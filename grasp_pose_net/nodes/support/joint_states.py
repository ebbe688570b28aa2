"""The robot's joints as a topic tells them, or why they are not known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from sensor_msgs.msg import JointState as JointStateMessage

from grasp_pose_net.exceptions import MessageError, WorldError
from grasp_pose_net.nodes.messages.basics import stamp_seconds
from grasp_pose_net.nodes.support.qos import SENSOR
from grasp_pose_net.nodes.support.stopwatch import Stopwatch
from grasp_pose_net.robot import ExecutionFailed, Problem
from grasp_pose_net.world import JointState

WARN_EVERY_S = 5.0


@dataclass(frozen=True)
class _Heard:
    """What was last told of one joint: position [rad], stamp [s], and the time since it arrived."""

    position: float
    stamp: float
    since: Stopwatch


class JointStates:
    """The newest position of each of a robot's joints; several publishers may each tell some of them."""

    def __init__(
        self,
        node: Node,
        topic: str,
        joint_names: tuple[str, ...],
        allowed_s: float,
        slowest: float,
        group: CallbackGroup,
    ) -> None:
        """Subscribe.

        Args:
            node: takes the messages.
            topic: of ``sensor_msgs/JointState``.
            joint_names: the joints that must be known; others are not kept.
            allowed_s: the age from which on a position is refused.
            slowest: pace of a simulated clock, see :class:`Stopwatch`.
            group: of the callback.
        """
        self._node, self._topic, self._names = node, topic, joint_names
        self._wanted = frozenset(joint_names)
        self._allowed_s, self._slowest = allowed_s, slowest
        self._heard: dict[str, _Heard] = {}
        self._refused = ""
        node.create_subscription(JointStateMessage, topic, self._take, SENSOR, callback_group=group)

    def newest(self) -> JointState:
        """All joints; the age is that of the one heard of longest ago.

        Raises:
            ExecutionFailed: a joint was not told, too long ago, from the future, or as what is no number; the text names it.
        """
        heard = dict(self._heard)
        if missing := [name for name in self._names if name not in heard]:
            raise ExecutionFailed(
                Problem.STALE_STATE,
                f"{self._topic} has not told {len(missing)} of {len(self._names)} joints: "
                f"{', '.join(missing[:5])}; is the robot's driver or the simulation running?{self._refused}",
            )
        positions = np.array([heard[name].position for name in self._names])
        stamp = min(heard[name].stamp for name in self._names)
        age_s = self._age_s(heard)
        try:
            return JointState(self._names, positions, stamp=stamp, age_s=age_s)
        except WorldError as error:
            raise ExecutionFailed(
                Problem.BROKEN_STATE,
                f"{self._topic}: {error}; is the robot switched on and its driver connected?",
            ) from error

    def _take(self, message: JointStateMessage) -> None:
        names, positions = tuple(message.name), message.position
        if len(names) != len(positions) or len(set(names)) != len(names):
            self._refuse(f"{len(positions)} positions for {len(names)} joints, {len(set(names))} different")
            return
        try:
            stamp = stamp_seconds(message.header.stamp)
        except MessageError as error:
            self._refuse(str(error))
            return
        since = Stopwatch(self._node.get_clock(), self._slowest)
        # what is not finite is kept, too: from now on the joint is not known, whatever was told before
        for name, position in zip(names, positions, strict=True):
            if name in self._wanted:
                self._heard[name] = _Heard(position, stamp, since)

    def _refuse(self, why: str) -> None:
        """A message that is none is not taken: what it should have told grows old, and motions are refused."""
        self._refused = f"; a message was refused: {why}"
        self._node.get_logger().warning(
            f"{self._topic}: a message was refused: {why}", throttle_duration_sec=WARN_EVERY_S
        )

    def _age_s(self, heard: dict[str, _Heard]) -> float:
        """Time since the joint heard of longest ago was measured, or since it was heard of, whichever is longer.

        Raises:
            ExecutionFailed: it is too long ago, or yet to come.
        """
        now = self._node.get_clock().now().nanoseconds * 1e-9
        ages = {name: max(now - heard[name].stamp, heard[name].since.seconds) for name in self._names}
        oldest = max(ages, key=lambda name: ages[name])
        latest = max(self._names, key=lambda name: heard[name].stamp)
        if ages[oldest] > self._allowed_s:
            raise ExecutionFailed(
                Problem.STALE_STATE,
                f"joint states on {self._topic} are {ages[oldest]:.2f} s old, allowed {self._allowed_s:g} s; is the publisher "
                f"of {oldest} alive, and do the clocks of its machine and this one agree?{self._refused}",
            )
        if (ahead := heard[latest].stamp - now) > self._allowed_s:
            raise ExecutionFailed(
                Problem.STALE_STATE,
                f"joint states on {self._topic} are stamped {ahead:.2f} s in the future ({latest}), allowed "
                f"{self._allowed_s:g} s; do the clocks of their publisher's machine and this one agree?",
            )
        return ages[oldest]
