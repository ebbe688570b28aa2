"""Where the robot is in a camera's view: its description, and its joints at the view's stamp.

Joint states are listened to for as long as a capture lasts: a driver sends some hundred a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.time import Time
from sensor_msgs.msg import JointState as JointStateMessage

from grasp_pose_net.config import setting
from grasp_pose_net.exceptions import PerceptionError, PlanningError, WorldError
from grasp_pose_net.nodes.messages.basics import stamp_seconds
from grasp_pose_net.nodes.support.patience import Patience
from grasp_pose_net.nodes.support.qos import SENSOR
from grasp_pose_net.nodes.support.shared import RobotParameters
from grasp_pose_net.robot import Body, JointHistory, RobotModel, body_at
from grasp_pose_net.world import JointState

HEARD_S = 5.0  # longest wait for the first joint states of a capture
WARN_EVERY_S = 5.0


@dataclass(frozen=True, kw_only=True)
class ViewedRobotParameters(RobotParameters):
    """Which robot may be in the views."""

    robot: str = setting(
        "",
        doc=(
            "robot in models/robots/ that may be in view and is taken out of it; empty, and no robot_description: "
            "nothing is taken out"
        ),
    )
    joint_states: str = setting("/joint_states", doc="topic of the robot's measured joints")


class RobotInView:
    """Tells the robot's shapes at a moment of the capture that goes on."""

    def __init__(self, node: Node, parameters: ViewedRobotParameters) -> None:
        """Read the description, where there is one.

        Raises:
            ConfigError: it is wrong.
        """
        self._node, self._topic = node, parameters.joint_states
        self._group = ReentrantCallbackGroup()  # states must come in while a capture waits for them
        self._robot: RobotModel | None = None
        self._history = JointHistory()
        if parameters.robot or parameters.robot_description:
            self._robot = RobotModel(*parameters.descriptions())
            node.get_logger().info(f"{self._robot.model.name} is taken out of the views")
        else:
            node.get_logger().warning(
                "no robot is taken out of the views: parameter robot is empty; what is seen of one becomes an obstacle"
            )

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Within, joint states come in; when it is entered, all joints are known.

        Raises:
            PerceptionError: nobody tells the joints.
        """
        if self._robot is None:
            yield
            return
        self._history, joints = JointHistory(), self._robot.joint_names
        subscription = self._node.create_subscription(
            JointStateMessage, self._topic, self._take, SENSOR, callback_group=self._group
        )
        try:
            patience = Patience(self._node.get_clock(), HEARD_S)
            if not patience.until(lambda: not self._history.missing(joints)):
                missing = self._history.missing(joints)
                raise PerceptionError(
                    f"{self._topic} has not told {len(missing)} of {len(joints)} joints within {HEARD_S:g} s "
                    f"({', '.join(missing[:5])}), so that nobody knows where the robot is in the views; is its driver "
                    "running? Where no robot can be in view, set robot to ''"
                )
            yield
        finally:
            self._node.destroy_subscription(subscription)

    def at(self, stamp: Time, timeout_s: float) -> Body | None:
        """The robot's shapes at a moment; None where no robot is known.

        Raises:
            PlanningError: its joints are not known for then, also after waiting.
        """
        if self._robot is None:
            return None
        patience, seconds = Patience(self._node.get_clock(), timeout_s), stamp.nanoseconds * 1e-9
        while True:
            try:
                positions = self._history.at(seconds, self._robot.joint_names)
                return body_at(self._robot, self._robot.configuration(positions))
            except PlanningError as error:
                if patience.over:
                    raise PlanningError(f"{self._topic}: {error}") from error
            patience.rest()

    def _take(self, message: JointStateMessage) -> None:
        try:
            self._history.add(
                JointState(tuple(message.name), message.position, stamp=stamp_seconds(message.header.stamp))
            )
        except WorldError as error:
            self._node.get_logger().warning(f"{self._topic}: {error}", throttle_duration_sec=WARN_EVERY_S)
