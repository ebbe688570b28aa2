"""Only one executor commands a robot's controllers: each says on ``/diagnostics`` which, and the later one refuses."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from grasp_pose_net.exceptions import ConfigError

FORGET_S = 5.0  # five reports that did not come: the other one has gone
LISTEN_S = 3.0  # finding each other takes a second, and a report another
COMMANDS, BEGUN = "commands", "began as"


class Rivals:
    """Listens for other executors of the same controllers."""

    def __init__(self, node: Node, actions: tuple[str, ...]) -> None:
        """Begin to listen.

        Args:
            node: takes the reports.
            actions: of the controllers.
        """
        self._node = node
        self._actions = frozenset(node.resolve_service_name(action) for action in actions)
        # by which two executors agree on who was first, wherever they run
        self._begun = f"{time.time_ns():020d} {uuid.uuid4().hex}"
        self._listening = time.monotonic()
        self._heard: dict[str, tuple[str, float]] = {}
        node.create_subscription(
            DiagnosticArray, "/diagnostics", self._take, 50, callback_group=ReentrantCallbackGroup()
        )

    @property
    def values(self) -> Mapping[str, str]:
        """What this executor says of itself."""
        return {COMMANDS: " ".join(sorted(self._actions)), BEGUN: self._begun}

    def first(self) -> str:
        """Who was there before and commands one of the controllers, as text; empty where nobody does."""
        now = time.monotonic()
        names = [
            name
            for begun, (name, at) in list(self._heard.items())
            if begun < self._begun and now - at < FORGET_S
        ]
        if not names:
            return ""
        return (
            f"another executor ({names[0]}) already commands {' and '.join(sorted(self._actions))}; end one of the two, or "
            "give each controllers of its own"
        )

    def refuse_second(self) -> None:
        """Listen for long enough to hear of others, before anything can be asked.

        Raises:
            ConfigError: somebody was there before.
        """
        executor = SingleThreadedExecutor(context=self._node.context)
        executor.add_node(self._node)
        try:
            while not self.first() and time.monotonic() - self._listening < LISTEN_S:
                executor.spin_once(timeout_sec=0.1)
        finally:
            executor.remove_node(self._node)
            executor.shutdown()
        if text := self.first():
            raise ConfigError(text)

    def _take(self, message: DiagnosticArray) -> None:
        now = time.monotonic()
        self._heard = {begun: said for begun, said in self._heard.items() if now - said[1] < FORGET_S}
        for status in message.status:
            begun, commands = _said(status)
            if begun and begun != self._begun and self._actions & set(commands.split()):
                self._heard[begun] = (status.name.partition(":")[0], now)


def _said(status: DiagnosticStatus) -> tuple[str, str]:
    values = {entry.key: entry.value for entry in status.values}
    return values.get(BEGUN, ""), values.get(COMMANDS, "")
