"""The main job from end to end: the five nodes as processes, and one client that asks them to pick objects up."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import rclpy
from geometry_msgs.msg import PoseArray
from moveit_msgs.action import Pickup
from moveit_msgs.msg import Grasp, MoveItErrorCodes, PlanningSceneWorld
from moveit_msgs.srv import GraspPlanning
from rcl_interfaces.srv import SetParameters
from rclpy.action import ActionClient
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from rich.console import Console
from std_srvs.srv import Trigger

from grasp_pose_net.bringup import Runner
from grasp_pose_net.exceptions import ExecutionError, GraspPoseNetError
from grasp_pose_net.hand import Hand
from grasp_pose_net.models import share_dir
from grasp_pose_net.nodes.grasp_messages import pose_vector
from grasp_pose_net.nodes.qos import LATCHED
from grasp_pose_net.nodes.scene import Target, target_from_message

READY_TIMEOUT_S = 120.0
CALL_TIMEOUT_S = 60.0
PICKUP_TIMEOUT_S = 180.0


class DemoClient(Node):
    """Asks the five nodes for one episode after another; every wait ends early when a node has died."""

    def __init__(self, check: Callable[[], None]) -> None:
        """Create the clients.

        Args:
            check: raises when one of the node processes is gone.
        """
        super().__init__("grasp_demo")
        self._check = check
        self.reset_client = self.create_client(Trigger, "/simulation/reset")
        self.parameters_client = self.create_client(SetParameters, "/simulation/set_parameters")
        self.capture_client = self.create_client(Trigger, "/perception/capture")
        self.plan_client = self.create_client(GraspPlanning, "/plan_grasp")
        self.refine_client = self.create_client(GraspPlanning, "/refine_grasp")
        self.pickup_client = ActionClient(self, Pickup, "/pickup")
        self.scene: PlanningSceneWorld | None = None
        self.create_subscription(PlanningSceneWorld, "/perception/objects", self._take_scene, LATCHED)

    def _take_scene(self, message: PlanningSceneWorld) -> None:
        self.scene = message

    def wait_until_ready(self) -> None:
        """Block until every service and action of the five nodes is there."""
        clients = [
            self.parameters_client, self.reset_client, self.capture_client, self.refine_client, self.plan_client,
        ]  # fmt: skip
        for client in clients:
            self._wait(client.service_is_ready, READY_TIMEOUT_S, f"service {client.srv_name}")
        self._wait(self.pickup_client.server_is_ready, READY_TIMEOUT_S, "action /pickup")

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
        self._wait(future.done, timeout_s, what)
        return future.result()

    def _wait(self, ready: Callable[[], bool], timeout_s: float, what: str) -> None:
        deadline = time.monotonic() + timeout_s
        while not ready():
            self._check()
            if time.monotonic() > deadline:
                raise ExecutionError(f"waited {timeout_s:g} s for {what}; see the nodes' logs")
            time.sleep(0.02)
