"""The demo's side of the system's interfaces: one client for all services, and the object's track."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import Any

import numpy as np
import rclpy
from geometry_msgs.msg import PoseArray
from moveit_msgs.action import Pickup
from moveit_msgs.msg import PlanningSceneWorld
from moveit_msgs.srv import GraspPlanning
from rcl_interfaces.srv import SetParameters
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from std_msgs.msg import String
from std_srvs.srv import Trigger

from grasp_pose_net.exceptions import ExecutionError
from grasp_pose_net.nodes.messages.basics import stamp_seconds
from grasp_pose_net.nodes.support.patience import Patience
from grasp_pose_net.nodes.support.qos import LATCHED
from grasp_pose_net.nodes.support.runtime import spinning
from grasp_pose_net.world import Array

# Compiling the kernels takes a minute or two on two cores, once.
READY_TIMEOUT_S = 400.0
CALL_TIMEOUT_S = 60.0
REPORT_S = 1.0


class DemoClient(Node):
    """Asks the five nodes for one episode after another; every wait ends early when a node has died."""

    def __init__(self, check: Callable[[], None]) -> None:
        """Create the clients.

        Args:
            check: raises when one of the node processes is gone.
        """
        super().__init__("grasp_demo", parameter_overrides=[Parameter("use_sim_time", value=True)])
        self._check = check
        self._interrupted = threading.Event()
        self.reset_client: Any = self.create_client(Trigger, "/simulation/reset")
        self.parameters_client: Any = self.create_client(SetParameters, "/simulation/set_parameters")
        self.capture_client: Any = self.create_client(Trigger, "/perception/capture")
        self.plan_client: Any = self.create_client(GraspPlanning, "/plan_grasp")
        self.refine_client: Any = self.create_client(GraspPlanning, "/refine_grasp")
        self.pickup_client: Any = ActionClient(self, Pickup, "/pickup")
        self.scene: PlanningSceneWorld | None = None
        self.create_subscription(PlanningSceneWorld, "/perception/objects", self._take_scene, LATCHED)
        self._reports: dict[str, dict[str, Any]] = {}
        for name in ("perception", "inference"):
            take = partial(self._take_report, name)
            self.create_subscription(String, f"/{name}/report", take, LATCHED)

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Handler of a signal: ends what the main thread does.

        Raises:
            KeyboardInterrupt: always, and again in the next wait: Python drops it where it meets a destructor.
        """
        self._interrupted.set()
        raise KeyboardInterrupt

    def _take_scene(self, message: PlanningSceneWorld) -> None:
        self.scene = message

    def _take_report(self, name: str, message: String) -> None:
        self._reports[name] = json.loads(message.data)

    def reported(self, name: str, client: Any, request: Any) -> tuple[Any, dict[str, Any]]:
        """Answer of a service of a node, and what the node's ``~/report`` says of it; empty where it says nothing."""
        self._reports.pop(name, None)
        answer = self.call(client, request)
        return answer, self.said(name)

    def said(self, name: str) -> dict[str, Any]:
        """What a node's ``~/report`` says; empty where it says nothing."""
        with suppress(ExecutionError):  # a node that has failed early has nothing to report
            self.wait(lambda: name in self._reports, REPORT_S, f"the report of {name}")
        return self._reports.get(name, {})

    def wait_until_ready(self) -> None:
        """Block until every service and action of the five nodes is there."""
        clients = [
            self.parameters_client, self.reset_client, self.capture_client, self.refine_client, self.plan_client,
        ]  # fmt: skip
        for client in clients:
            self.wait(client.service_is_ready, READY_TIMEOUT_S, f"service {client.srv_name}")
        self.wait(self.pickup_client.server_is_ready, READY_TIMEOUT_S, "action /pickup")

    def call(self, client: Any, request: Any, timeout_s: float = CALL_TIMEOUT_S) -> Any:
        """Answer of a service."""
        return self.result(client.call_async(request), timeout_s, f"answer of {client.srv_name}")

    def trigger(self, client: Any) -> str:
        """Text of a Trigger service that succeeded.

        Raises:
            ExecutionError: it did not succeed; the text is its own.
        """
        answer = self.call(client, Trigger.Request())
        if not answer.success:
            raise ExecutionError(answer.message)
        return answer.message

    def set_simulation(self, **values: Any) -> None:
        """Set parameters of the simulation node.

        Raises:
            ExecutionError: the node refused one.
        """
        parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        answer = self.call(self.parameters_client, SetParameters.Request(parameters=parameters))
        for parameter, result in zip(parameters, answer.results, strict=True):
            if not result.successful:
                raise ExecutionError(f"simulation refused {parameter.name}: {result.reason}")

    def result(self, future: Future, timeout_s: float, what: str) -> Any:
        """Result of a future."""
        self.wait(future.done, timeout_s, what)
        return future.result()

    def wait(self, ready: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Wait for a condition, on the simulation's clock.

        Raises:
            ExecutionError: it did not come true in time, or a node has died; the text names it.
        """
        patience = Patience(self.get_clock(), timeout_s)
        while not ready():
            self._check()
            if self._interrupted.is_set():
                raise KeyboardInterrupt
            if patience.over:
                raise ExecutionError(f"waited {timeout_s:g} s for {what}; see the nodes' logs")
            patience.rest()


@contextmanager
def connected(make_client: Callable[[], DemoClient]) -> Iterator[DemoClient]:
    """A client whose callbacks run in the background; Ctrl-C reaches the main thread as KeyboardInterrupt."""
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        client = make_client()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, client.interrupt)
        with spinning(client, threads=2):
            yield client
    finally:
        rclpy.try_shutdown()


class Track:
    """Height of the object's centre of mass over time, from the simulation's own truth."""

    def __init__(self, node: Node) -> None:
        """Begin to record."""
        self._samples: list[tuple[float, float]] = []
        node.create_subscription(PoseArray, "/simulation/object_poses", self._take, 50)

    def restart(self) -> None:
        """Forget what was recorded."""
        self._samples = []

    def _take(self, message: PoseArray) -> None:
        self._samples.append((stamp_seconds(message.header.stamp), message.poses[0].position.z))

    @property
    def now(self) -> float:
        """Time of the newest sample [s]; minus infinity before the first."""
        return self._samples[-1][0] if self._samples else -np.inf

    def arrays(self) -> tuple[Array, Array]:
        """Times (N,) [s] and heights (N,) [m]."""
        times, heights = np.array(self._samples).T
        return times, heights
