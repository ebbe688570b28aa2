"""What a callback raises ends no node: it is logged, shown on /diagnostics, and answered with a code and a reason."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

import rclpy
from action_msgs.msg import GoalStatus
from control_msgs.action import FollowJointTrajectory
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from moveit_msgs.action import Pickup
from moveit_msgs.msg import MoveItErrorCodes
from moveit_msgs.srv import GraspPlanning
from rcl_interfaces.srv import SetParameters
from rclpy.action import ActionClient
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import String
from std_srvs.srv import Trigger

from grasp_pose_net.nodes.support.diagnostics import Diagnostics
from grasp_pose_net.nodes.support.guarded_node import GuardedNode
from grasp_pose_net.nodes.support.qos import REQUESTS
from grasp_pose_net.nodes.support.runtime import _spin_once, spinning

pytestmark = pytest.mark.ros

DEADLINE_S = 20.0


class Fragile(GuardedNode):
    """Breaks at everything that comes in, unless it is told to be well."""

    def __init__(self) -> None:
        super().__init__("fragile")
        self.heard: list[str] = []
        self.ticks = 0
        Diagnostics(self, {})
        self.create_subscription(String, "/said", self._hear, 10)
        self.create_subscription(String, "/said_with_info", lambda message, info: self._hear(message), 10)
        self.create_timer(0.05, self._tick)
        self.create_service(Trigger, "/trigger", self._break)
        self.create_service(GraspPlanning, "/grasps", self._break)
        self.servers = [
            self.create_action_server(Pickup, "/pick", self._break),
            self.create_action_server(FollowJointTrajectory, "/follow", self._break),
        ]
        self.add_on_set_parameters_callback(self._break)

    def _hear(self, message: String) -> None:
        if message.data == "poison":
            raise IndexError("beyond the end")
        self.heard.append(message.data)

    def _tick(self) -> None:
        self.ticks += 1
        raise ZeroDivisionError("a timer")

    def _break(self, *given: object) -> None:
        raise KeyError("nobody expected this")


@pytest.fixture(scope="module")
def nodes() -> Iterator[tuple[Fragile, Node]]:
    rclpy.init()
    fragile, client = Fragile(), rclpy.create_node("client")
    with spinning(fragile, threads=3), spinning(client):
        yield fragile, client
    for server in fragile.servers:
        server.destroy()
    fragile.destroy_node()
    client.destroy_node()
    rclpy.shutdown()


def wait(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not ready():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def call(client: Node, kind: type, name: str, request: object) -> object:
    service = client.create_client(kind, name)
    assert service.wait_for_service(DEADLINE_S)
    future = service.call_async(request)
    wait(future.done)
    return future.result()


@pytest.mark.parametrize("topic", ["/said", "/said_with_info"])
def test_a_message_that_breaks_a_callback_is_one_that_is_lost(
    nodes: tuple[Fragile, Node], topic: str
) -> None:
    fragile, client = nodes
    fragile.heard.clear()
    publisher = client.create_publisher(String, topic, 10)
    wait(lambda: publisher.get_subscription_count() == 1)
    for word in ("before", "poison", "after"):
        publisher.publish(String(data=word))
    wait(lambda: "after" in fragile.heard)
    assert fragile.heard == ["before", "after"]


def test_services_answer_with_code_and_reason(nodes: tuple[Fragile, Node]) -> None:
    _, client = nodes
    answer = call(client, Trigger, "/trigger", Trigger.Request())
    assert not answer.success
    assert answer.message == (
        "unexpected error in a request to /trigger: KeyError('nobody expected this'); see the log of fragile"
    )
    code = call(client, GraspPlanning, "/grasps", GraspPlanning.Request()).error_code
    assert (code.val, code.source) == (MoveItErrorCodes.FAILURE, "fragile")
    assert "KeyError('nobody expected this')" in code.message
    asked = SetParameters.Request(parameters=[Parameter("use_sim_time", value=False).to_parameter_msg()] * 2)
    results = call(client, SetParameters, "/fragile/set_parameters", asked).results
    assert [result.successful for result in results] == [False, False]
    assert "KeyError" in results[0].reason


@pytest.mark.parametrize(("kind", "name"), [(Pickup, "/pick"), (FollowJointTrajectory, "/follow")])
def test_goals_are_aborted_with_code_and_reason(nodes: tuple[Fragile, Node], kind: type, name: str) -> None:
    action = ActionClient(nodes[1], kind, name)
    assert action.wait_for_server(DEADLINE_S)
    sent = action.send_goal_async(kind.Goal())
    wait(sent.done)
    ended = sent.result().get_result_async()
    wait(ended.done)
    assert ended.result().status == GoalStatus.STATUS_ABORTED
    result = ended.result().result
    text = result.error_string if kind is FollowJointTrajectory else result.error_code.message
    code = result.error_code if kind is FollowJointTrajectory else result.error_code.val
    assert f"unexpected error in a goal for {name}: KeyError" in text
    assert code == (result.INVALID_GOAL if kind is FollowJointTrajectory else MoveItErrorCodes.FAILURE)
    action.destroy()


def test_diagnostics_show_the_error_and_how_often(nodes: tuple[Fragile, Node]) -> None:
    fragile, client = nodes
    seen: list[DiagnosticStatus] = []
    client.create_subscription(DiagnosticArray, "/diagnostics", lambda m: seen.extend(m.status), 10)
    wait(lambda: bool(seen))
    status = seen[-1]
    assert (status.name, status.level) == ("fragile: callbacks", DiagnosticStatus.ERROR)
    assert "unexpected error in " in status.message
    assert int({entry.key: entry.value for entry in status.values}["unexpected errors"]) > 5
    ticks = fragile.ticks
    wait(lambda: fragile.ticks > ticks + 2)  # a timer goes on, too


def test_a_stream_of_errors_is_no_stream_in_the_log(
    nodes: tuple[Fragile, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    logger = nodes[0].get_logger()
    monkeypatch.setattr(nodes[0], "get_logger", lambda: logger)
    monkeypatch.setattr(logger, "error", said.append)
    fault = ValueError("the same")
    for _ in range(100):
        nodes[0].fault("a test", fault)
    ours = [text for text in said if "in a test" in text]
    assert 1 <= len(ours) < 50 and ours[0].endswith("ValueError: the same\n")


def test_an_error_of_rclpy_itself_ends_no_node(
    nodes: tuple[Fragile, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = MultiThreadedExecutor(num_threads=2)
    monkeypatch.setattr(executor, "get_nodes", lambda: [nodes[0]])

    def broken(**named: object) -> None:
        raise RuntimeError("failed to take a message")

    monkeypatch.setattr(executor, "spin_once", broken)
    _spin_once(executor)
    assert "failed to take a message" in nodes[0].faults.health().values["last"]
    monkeypatch.setattr(executor, "get_nodes", list)
    with pytest.raises(RuntimeError, match="failed to take"):
        _spin_once(executor)  # of a node that is not guarded, nobody would hear
    executor.shutdown()


def test_twenty_requests_at_once_are_all_answered(nodes: tuple[Fragile, Node]) -> None:
    """The profile of rclpy keeps ten; the rest was lost without a word."""
    fragile, client = nodes
    busy = threading.Event()

    def slow(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        busy.wait(0.02)
        return response

    service = fragile.create_service(Trigger, "/slow", slow)
    asking = client.create_client(Trigger, "/slow", qos_profile=REQUESTS)
    assert asking.wait_for_service(DEADLINE_S)
    futures = [asking.call_async(Trigger.Request()) for _ in range(20)]
    wait(lambda: all(future.done() for future in futures))
    fragile.destroy_service(service)
