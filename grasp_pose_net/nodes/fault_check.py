"""Hostile messages to the running nodes: is each answered, and are honest ones served at the end? See `study faults`.

Five nodes run once; the executor only shows its motions. In turn are sent a broken request for grasps, for refinement and for a
pick-up, a broken scene, broken joint states and broken transforms; after what has no answer, something is asked that has one.
"""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moveit_msgs.action import Pickup
from moveit_msgs.msg import MoveItErrorCodes, PlanningSceneWorld
from moveit_msgs.srv import GraspPlanning
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState
from tf2_msgs.msg import TFMessage

from grasp_pose_net.bringup import Runner
from grasp_pose_net.exceptions import ExecutionError
from grasp_pose_net.nodes.hostile import BORDERS, Tally, mutated
from grasp_pose_net.nodes.support.demo_client import DemoClient, connected
from grasp_pose_net.nodes.support.qos import LATCHED
from grasp_pose_net.system import NODES, Start

ANSWER_S = 30.0  # of the simulation's clock, for an answer
TRIES = 3  # to send a goal, since the client library loses answers
LATEST_S = 2.0  # an honest scene has arrived by then


class Attack:
    """Sends hostile messages to nodes that a client is connected to."""

    def __init__(self, client: DemoClient, seed: int) -> None:
        """Offer what is broken in turn.

        Args:
            client: of the running nodes.
            seed: decides what is broken.
        """
        self._client, self._seed = client, seed
        self._scenes = client.create_publisher(PlanningSceneWorld, "/perception/objects", LATCHED)
        self._joints = client.create_publisher(JointState, "/joint_states", 10)
        self._transforms = client.create_publisher(TFMessage, "/tf", 10)
        self._honest = PlanningSceneWorld()
        self._goal = Pickup.Goal()
        self.sorts: dict[str, Callable[[random.Random], Any]] = {
            "/plan_grasp": self._plan,
            "/refine_grasp": self._refine,
            "/pickup": self._pick_up,
            "scene": self._scene,
            "joint states": self._joint_states,
            "transforms": self._transform,
        }
        self.tallies = {name: Tally(name) for name in self.sorts}

    def prepare(self) -> None:
        """Capture and plan, as an honest client does.

        Raises:
            ExecutionError: that does not work.
        """
        self._client.trigger(self._client.reset_client)
        self._client.trigger(self._client.capture_client)
        self._client.wait(lambda: self._client.scene is not None, ANSWER_S, "the scene")
        assert self._client.scene is not None
        self._honest = self._client.scene
        answer = self._client.call(self._client.plan_client, GraspPlanning.Request())
        if not answer.grasps:
            raise ExecutionError(f"no grasps for an honest request: {answer.error_code.message}")
        self._goal = Pickup.Goal(possible_grasps=answer.grasps)
        self._goal.target_name = answer.grasps[0].id.rsplit("/", 1)[0]
        code, text = self._picked(self._goal)
        if code != MoveItErrorCodes.SUCCESS:
            raise ExecutionError(f"an honest pick-up is not planned: {text}")

    def run(self, number: int) -> None:
        """Send hostile message ``number``; the same for each seed."""
        name = list(self.sorts)[number % len(self.sorts)]
        tally, began = self.tallies[name], time.monotonic()
        try:
            code, text = self.sorts[name](random.Random(f"{name} {self._seed} {number}"))
        except ExecutionError as error:
            tally.failures.append((number, str(error)))
            return
        tally.slowest_s = max(tally.slowest_s, time.monotonic() - began)
        if code == MoveItErrorCodes.SUCCESS:
            tally.taken += 1
        elif len(text.split()) > 2:
            tally.refused += 1
        else:
            tally.failures.append((number, f"code {code} without a sentence: {text!r}"))

    def _plan(self, rng: random.Random) -> tuple[int, str]:
        return self._asked(self._client.plan_client, _broken("request", rng))

    def _refine(self, rng: random.Random) -> tuple[int, str]:
        return self._asked(self._client.refine_client, _broken("candidates", rng))

    def _pick_up(self, rng: random.Random) -> tuple[int, str]:
        goal = Pickup.Goal(target_name=self._goal.target_name, possible_grasps=self._goal.possible_grasps[:1])
        return self._picked(_sendable(goal, rng))

    def _scene(self, rng: random.Random) -> tuple[int, str]:
        self._scenes.publish(_broken("scene", rng))
        answered = self._asked(self._client.plan_client, GraspPlanning.Request())
        self._scenes.publish(self._honest)
        return answered

    def _joint_states(self, rng: random.Random) -> tuple[int, str]:
        self._joints.publish(_broken("joint states", rng))
        return self._picked(self._goal)

    def _transform(self, rng: random.Random) -> tuple[int, str]:
        self._transforms.publish(_broken("transforms", rng))
        return self._asked(self._client.plan_client, GraspPlanning.Request())

    def _asked(self, service: Any, request: Any) -> tuple[int, str]:
        answer = self._client.call(service, request, ANSWER_S).error_code
        return answer.val, answer.message

    def _picked(self, goal: Pickup.Goal) -> tuple[int, str]:
        """Code and text of a pick-up that is only planned."""
        goal.planning_options.plan_only = True
        action = self._client.pickup_client
        for left in reversed(range(TRIES)):
            try:
                handle = self._client.result(
                    action.send_goal_async(goal), ANSWER_S / TRIES, "a goal's answer"
                )
                result = self._client.result(handle.get_result_async(), ANSWER_S, "the pick-up").result
                return result.error_code.val, result.error_code.message
            except ExecutionError:
                if not left:
                    raise
        raise AssertionError("there is at least one try")

    def honest_again(self) -> list[str]:
        """What of an honest client's requests does not work any more; empty where all do."""
        self._scenes.publish(self._honest)
        time.sleep(LATEST_S)
        try:
            self.prepare()
        except ExecutionError as error:
            return [str(error)]
        return []


def attack(requests: int, seed: int, logs: Path, say: Callable[[str], None]) -> tuple[list[Tally], list[str]]:
    """Send hostile messages to five running nodes.

    Args:
        requests: how many.
        seed: decides what is broken in them.
        logs: folder for what the nodes say.
        say: takes lines for people.

    Returns:
        What came of each sort, and what of honest requests did not work afterwards.
    """
    parameters = {node.name: node.overrides(Start()) for node in NODES}
    parameters["executor"]["dry_run"] = True
    with Runner(logs.resolve(), parameters) as runner, connected(lambda: DemoClient(runner.check)) as client:
        client.wait_until_ready()
        one = Attack(client, seed)
        one.prepare()
        for number in range(requests):
            one.run(number)
            if (number + 1) % 100 == 0:
                failures = sum(len(tally.failures) for tally in one.tallies.values())
                say(
                    f"{number + 1} of {requests} hostile messages to running nodes, {failures} not as they should be"
                )
        broken = one.honest_again()
        runner.check()
    return list(one.tallies.values()), broken


def _broken(border: str, rng: random.Random) -> Any:
    return _sendable(BORDERS[border].honest(), rng)


def _sendable(honest: Any, rng: random.Random) -> Any:
    """A broken message that ROS carries; one that it does not carry cannot arrive."""
    while True:
        message = mutated(copy.deepcopy(honest), rng)
        try:
            serialize_message(message)
        except (RuntimeError, TypeError, ValueError, SystemError):
            continue
        return message
