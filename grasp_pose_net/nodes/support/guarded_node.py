"""A node that no message, request or timer ends: what a callback raises is logged, shown on ``/diagnostics`` and answered.

A callback refuses by itself what it expects to be wrong, in its own words and with its own code. What is here is for all else.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from moveit_msgs.msg import MoveItErrorCodes
from rcl_interfaces.msg import SetParametersResult
from rclpy.action import ActionServer
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node

from grasp_pose_net.nodes.support.health import Health
from grasp_pose_net.nodes.support.qos import REQUESTS

SAID_AGAIN_S = 5.0  # what goes wrong with every message is not logged with every message
SHOWN_S = 60.0  # how long an error is the state of a node that goes on
INVALID_GOAL = -1  # of control_msgs


class Faults:
    """What went wrong in callbacks, last and how often."""

    def __init__(self) -> None:
        """None yet."""
        self._lock = threading.Lock()
        self._text, self._count, self._at, self._logged = "", 0, 0.0, 0.0

    def note(self, text: str) -> bool:
        """Keep a fault; whether it is worth a line in the log."""
        with self._lock:
            now = time.monotonic()
            new = text != self._text or now - self._logged > SAID_AGAIN_S
            self._text, self._count, self._at = text, self._count + 1, now
            self._logged = now if new else self._logged
            return new

    def health(self) -> Health:
        """For ``/diagnostics``."""
        with self._lock:
            values = {"unexpected errors": self._count, "last": self._text}
            if self._count and time.monotonic() - self._at < SHOWN_S:
                return Health(self._text, DiagnosticStatus.ERROR, values)
            return Health("no unexpected error in the last minute", values=values)


class GuardedNode(Node):
    """A node whose callbacks may raise.

    Attributes:
        faults: what they raised.
    """

    def __init__(self, name: str, **options: Any) -> None:
        """As `rclpy.node.Node`."""
        self.faults = Faults()  # rclpy makes services in its constructor
        super().__init__(name, **options)

    def create_subscription(self, msg_type: Any, topic: str, callback: Any, *given: Any, **named: Any) -> Any:
        """As rclpy's."""
        guarded = self._guarded(f"a message on {topic}", callback)
        return super().create_subscription(msg_type, topic, guarded, *given, **named)

    def create_timer(self, timer_period_sec: float, callback: Any, *given: Any, **named: Any) -> Any:
        """As rclpy's."""
        return super().create_timer(timer_period_sec, self._guarded("a timer", callback), *given, **named)

    def create_service(self, srv_type: Any, srv_name: str, callback: Any, **named: Any) -> Any:
        """As rclpy's, for more requests at a time."""

        def answer(text: str, request: Any, response: Any) -> Any:
            return refusal(type(response)(), text, self.get_name(), request)

        guarded = self._guarded(f"a request to {srv_name}", callback, answer)
        return super().create_service(srv_type, srv_name, guarded, **{"qos_profile": REQUESTS, **named})

    def create_action_server(
        self, action_type: Any, name: str, execute: Callable[[ServerGoalHandle], Any], **named: Any
    ) -> ActionServer:
        """`ActionServer` of this node; a goal whose execution raises is aborted with the reason."""

        def answer(text: str, handle: ServerGoalHandle) -> Any:
            if handle.is_active:
                handle.abort()
            return refusal(action_type.Result(), text, self.get_name())

        guarded = self._guarded(f"a goal for {name}", execute, answer)
        return ActionServer(self, action_type, name, execute_callback=guarded, **named)

    def later(self, function: Callable[..., None], *arguments: Any) -> None:
        """Call a function on the node's threads, once the present callback is over."""
        if self.executor is not None:
            self.executor.create_task(self._guarded(function.__name__, function), *arguments)

    def fault(self, what: str, error: Exception) -> str:
        """Log and show an error that nobody expected; what to answer because of it."""
        text = f"unexpected error in {what}: {error!r}"
        if self.faults.note(text):
            cause = "".join(traceback.format_exception(error))
            self.get_logger().error(f"{text}\n{cause}")
        return f"{text}; see the log of {self.get_name()}"

    def _guarded(
        self, what: str, callback: Callable[..., Any], answer: Callable[..., Any] = lambda text, *_: None
    ) -> Callable[..., Any]:
        """A callback, and ``answer(text, *arguments)`` in place of its answer where it raises."""

        @wraps(callback)  # rclpy looks at the parameters
        def guarded(*arguments: Any) -> Any:
            try:
                return callback(*arguments)
            except Exception as error:
                return answer(self.fault(what, error), *arguments)

        return guarded


def refusal(answer: Any, text: str, source: str, request: Any = None) -> Any:
    """An answer of a service or an action, filled with code and reason as its type has them."""
    if hasattr(answer, "error_string"):  # control_msgs
        answer.error_code, answer.error_string = INVALID_GOAL, text
    elif hasattr(answer, "error_code"):  # moveit_msgs
        answer.error_code = MoveItErrorCodes(val=MoveItErrorCodes.FAILURE, message=text, source=source)
    elif hasattr(answer, "success"):  # std_srvs
        answer.success, answer.message = False, text
    elif hasattr(answer, "results"):  # rcl_interfaces
        answer.results = [SetParametersResult(successful=False, reason=text) for _ in request.parameters]
    elif hasattr(answer, "result"):
        answer.result = SetParametersResult(successful=False, reason=text)
    return answer
