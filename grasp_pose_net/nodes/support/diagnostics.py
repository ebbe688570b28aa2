"""What a node says about itself on ``/diagnostics``, once a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType

from grasp_pose_net.nodes.support.guarded_node import GuardedNode
from grasp_pose_net.nodes.support.health import Health as Health

PERIOD_S = 1.0


class Diagnostics:
    """Asks a node's parts how they are, and publishes the answers; it is the node's thread pool that runs it."""

    def __init__(self, node: GuardedNode, parts: Mapping[str, Callable[[], Health]]) -> None:
        """Begin to publish.

        Args:
            node: its name comes first in every status.
            parts: by name, beside what the node's callbacks raised; asked every second, on the wall's clock, so that a
                stopped simulation can say so.
        """
        self._node, self._parts = node, {**parts, "callbacks": node.faults.health}
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._clock = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(PERIOD_S, self._publish, callback_group=ReentrantCallbackGroup(), clock=self._clock)

    def _publish(self) -> None:
        message = DiagnosticArray(status=[self._status(name, ask()) for name, ask in self._parts.items()])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def _status(self, part: str, health: Health) -> DiagnosticStatus:
        return DiagnosticStatus(
            level=health.level,
            name=f"{self._node.get_name()}: {part}",
            message=health.text,
            hardware_id="grasp_pose_net",
            values=[KeyValue(key=str(key), value=str(value)) for key, value in health.values.items()],
        )
