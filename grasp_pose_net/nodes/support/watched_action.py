"""A controller's action of which nothing is lost: what becomes of a goal is heard from the answers and from the status topic.

rclpy 9.1.2 loses the answer to a goal under load: ``send_goal_async`` puts a second future in place of the first, which may
have been answered by then. The status topic names every goal that the controller knows, so that a goal's identifier, chosen
here, is all that is needed to follow it, to stop it and to ask for its result.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import OrderedDict
from typing import Any

from action_msgs.msg import GoalStatus, GoalStatusArray
from action_msgs.srv import CancelGoal
from control_msgs.action import FollowJointTrajectory
from rclpy.action import ActionClient
from rclpy.action.client import ClientGoalHandle
from rclpy.callback_groups import CallbackGroup, MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.qos import qos_profile_action_status_default
from rclpy.task import Future
from unique_identifier_msgs.msg import UUID

BEGUN = (GoalStatus.STATUS_ACCEPTED, GoalStatus.STATUS_EXECUTING, GoalStatus.STATUS_CANCELING)
ENDED = (GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_CANCELED, GoalStatus.STATUS_ABORTED)
AGAIN_S = 0.5  # after which an answer that has not come is asked for again
REMEMBERED = 100  # goals, of which late news may still come


class SentGoal:
    """One goal, and what has been heard of it.

    Attributes:
        answered: the controller's answer has reached us.
        rejected: the controller does not take it.
        accepted: the controller knows it.
        ended: the controller has ended it.
        orphaned: the controller has gone since it was last heard of, and its goals with it.
        denials: how often the controller has said that it knows no such goal when it was told to stop it.
        response: its result, None until it has come.
    """

    def __init__(self, client: ActionClient, identifier: UUID) -> None:
        """Begin to follow a goal that is about to be sent."""
        answer = FollowJointTrajectory.Impl.SendGoalService.Response(accepted=True)
        self._handle: Any = ClientGoalHandle(client, identifier, answer)
        self._lock = threading.Lock()
        self._abandoned, self._asked, self._cancelled = False, 0.0, 0.0
        self.answered = self.rejected = self.accepted = self.ended = False
        self.orphaned = False
        self.denials = 0
        self.response: Any = None

    def take_answer(self, future: Future) -> None:
        """The answer to the goal, if rclpy has not lost it."""
        answer = future.result()
        if answer is None:
            return
        self.answered = True
        if answer.accepted:
            self._accept()
        else:
            self.rejected = True

    def take_status(self, status: int) -> None:
        """What the controller says of it to everybody."""
        self.ended |= status in ENDED
        self.orphaned = False
        self._accept()
        if self._abandoned and status in BEGUN[:2]:
            self._handle.cancel_goal_async()

    def stop(self) -> None:
        """Tell the controller to stop it; when called again and again, every ``AGAIN_S``."""
        if time.monotonic() - self._cancelled > AGAIN_S:
            self._cancelled = time.monotonic()
            self._handle.cancel_goal_async().add_done_callback(self._take_cancel)

    def abandon(self) -> None:
        """Nobody waits for it any more: should it begin, it is stopped at once."""
        self._abandoned = True
        if self.accepted and not self.ended:
            self.stop()

    def ask_result(self) -> None:
        """Ask how it ended; when called again and again, every ``AGAIN_S``."""
        if time.monotonic() - self._asked > AGAIN_S:
            self._asked = time.monotonic()
            self._handle.get_result_async().add_done_callback(self._take_result)

    def _accept(self) -> None:
        with self._lock:
            first, self.accepted = not self.accepted, True
        if first:
            self.ask_result()
            if self._abandoned:
                self._handle.cancel_goal_async()

    def _take_cancel(self, future: Future) -> None:
        response: Any = future.result()
        if response is not None and response.return_code == CancelGoal.Response.ERROR_UNKNOWN_GOAL_ID:
            self.denials += 1

    def _take_result(self, future: Future) -> None:
        if (response := future.result()) is not None:
            self.response = response
            self.ended = True


class WatchedAction:
    """The client of one controller; knows of its own goals and of those of others."""

    def __init__(self, node: Node, name: str, group: CallbackGroup) -> None:
        """Create the client, and listen to the controller's status.

        Args:
            node: spun on several threads.
            name: of the action, a ``control_msgs/FollowJointTrajectory``.
            group: of the client's callbacks.
        """
        self.name = name
        self._client: Any = ActionClient(node, FollowJointTrajectory, name, callback_group=group)
        self._own: OrderedDict[bytes, SentGoal] = OrderedDict()
        self._others: set[bytes] = set()
        # one after the other: an older status must not come out on top
        node.create_subscription(
            GoalStatusArray,
            f"{name}/_action/status",
            self._take,
            qos_profile_action_status_default,
            callback_group=MutuallyExclusiveCallbackGroup(),
        )

    @property
    def is_there(self) -> bool:
        """Whether somebody offers the action."""
        there = bool(self._client.server_is_ready())
        if not there:
            self._others = set()
            for goal in self.unfinished:
                goal.orphaned = True
        return there

    @property
    def does_another(self) -> bool:
        """Whether the controller does a goal that somebody else has sent."""
        return bool(self._others)

    @property
    def last(self) -> SentGoal:
        """The own goal that was sent last."""
        return next(reversed(self._own.values()))

    @property
    def unfinished(self) -> list[SentGoal]:
        """Own goals that the controller knows and has not ended."""
        goals = list(self._own.values())
        return [goal for goal in goals if goal.accepted and not (goal.ended or goal.orphaned)]

    def send(self, goal: FollowJointTrajectory.Goal) -> SentGoal:
        """Send a goal; what becomes of it is in the answer."""
        chosen = uuid.uuid4().bytes
        identifier = UUID(uuid=list(chosen))
        sent = SentGoal(self._client, identifier)
        self._own[chosen] = sent  # before it is sent: its status may be heard before the answer
        if len(self._own) > REMEMBERED:
            self._own.popitem(last=False)
        self._client.send_goal_async(goal, goal_uuid=identifier).add_done_callback(sent.take_answer)
        return sent

    def _take(self, message: GoalStatusArray) -> None:
        others = set()
        for entry in message.status_list:
            identifier = bytes(entry.goal_info.goal_id.uuid)
            if identifier in self._own:
                self._own[identifier].take_status(entry.status)
            elif entry.status in BEGUN:
                others.add(identifier)
        self._others = others
