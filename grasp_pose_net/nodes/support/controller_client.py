"""The robot's controllers as the pick-up sees them: joint states in, trajectory goals out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from action_msgs.msg import GoalStatus
from control_msgs.action import FollowJointTrajectory
from rclpy.action import ActionClient
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import ROSClock
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import JointState as JointStateMessage

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.nodes.messages.motion import follow_goal, joint_state_from_message
from grasp_pose_net.nodes.support.qos import SENSOR
from grasp_pose_net.robot import ExecutionFailed, Problem, RobotModel
from grasp_pose_net.world import JointState, Trajectory

POLL_S = 0.01
SERVER_CHECK_S = 0.25
WARN_EVERY_S = 5.0


@dataclass(frozen=True, kw_only=True)
class ControllerParameters(Settings):
    """Names of the controllers, and how long they may take."""

    arm: str = setting("arm_controller/follow_joint_trajectory", doc="action of the arm's controller")
    hand: str = setting("hand_controller/follow_joint_trajectory", doc="action of the hand's controller")
    joint_states: str = setting("/joint_states", doc="topic of the measured joints")
    state_age_s: float = setting(
        0.5, 0.01, 10.0, "joint states older than this are refused, and stop a motion under way [s]"
    )
    answer_timeout_s: float = setting(5.0, 0.1, 60.0, "longest wait for a controller's answer [s]")
    late_s: float = setting(5.0, 0.1, 60.0, "how much later than planned a motion may end [s]")
    slowest_clock: float = setting(
        0.1, 0.01, 1.0, "slowest simulated clock, relative to the wall's, that is waited for"
    )


class ControllerClient:
    """Implements :class:`execution.Controllers`; its methods wait: call them from a callback of their own."""

    def __init__(self, node: Node, robot: RobotModel, parameters: ControllerParameters) -> None:
        """Create subscription and clients.

        Args:
            node: spun on several threads.
            robot: tells arm and hand apart.
            parameters: names and times.
        """
        self._node, self._robot, self._parameters = node, robot, parameters
        self._joints: dict[str, tuple[float, float, float]] = {}  # position, stamp, time of arrival
        group = ReentrantCallbackGroup()
        node.create_subscription(
            JointStateMessage, parameters.joint_states, self._take, SENSOR, callback_group=group
        )
        self._clients: dict[tuple[str, ...], ActionClient] = {
            names: ActionClient(node, FollowJointTrajectory, action, callback_group=group)
            for names, action in ((robot.arm.names, parameters.arm), (robot.hand.names, parameters.hand))
        }

    def joint_state(self) -> JointState:
        """See :class:`execution.Controllers`; the age is that of the joint heard of longest ago."""
        joints = dict(self._joints)
        if missing := [name for name in self._robot.joint_names if name not in joints]:
            raise ExecutionFailed(
                Problem.STALE_STATE,
                f"{self._parameters.joint_states} has not told {len(missing)} of "
                f"{len(self._robot.joint_names)} joints: {', '.join(missing[:5])}; "
                "is the robot's driver or the simulation running?",
            )
        age, allowed = self._age_s(joints), self._parameters.state_age_s
        if age > allowed:
            raise ExecutionFailed(
                Problem.STALE_STATE,
                f"joint states on {self._parameters.joint_states} are {age:.2f} s old, allowed {allowed:g} s; is their "
                "publisher alive, and do the clocks of its machine and this one agree?",
            )
        names, stamp = tuple(joints), min(stamp for _, stamp, _ in joints.values())
        return JointState(names, np.array([joints[name][0] for name in names]), stamp=stamp, age_s=age)

    def missing_servers(self) -> list[str]:
        """Names of the controllers' actions that nobody offers now."""
        return [c._action_name for c in self._clients.values() if not c.server_is_ready()]

    def execute(self, trajectory: Trajectory, may_stop_short: bool, cancelled: Callable[[], bool]) -> None:
        """See :class:`execution.Controllers`."""
        client = self._clients[trajectory.joint_names]
        name = client._action_name
        if not client.wait_for_server(self._parameters.answer_timeout_s):
            raise ExecutionFailed(
                Problem.TIMED_OUT,
                f"{name} is not there after {self._parameters.answer_timeout_s:g} s; start it",
            )
        handle = self._send(client, follow_goal(trajectory, may_stop_short), name)
        if not handle.accepted:
            raise ExecutionFailed(Problem.REJECTED, f"{name} rejected {_summary(trajectory)}; see its log")
        result = handle.get_result_async()
        try:
            self._wait_for_end(result, trajectory, client, cancelled)
        except ExecutionFailed as failure:
            stopped = self._stop(handle, result)
            raise ExecutionFailed(failure.problem, f"{failure.reason}; {stopped}") from failure
        except BaseException:
            # whatever went wrong here, the robot must not go on without somebody who watches
            self._stop(handle, result)
            raise
        _check_result(result.result(), name, may_stop_short)

    def _take(self, message: JointStateMessage) -> None:
        arrival = time.monotonic()
        try:
            state = joint_state_from_message(message)
        except (
            GraspPoseNetError
        ) as error:  # what is no state is not taken: the last one grows old, and motions are refused
            self._node.get_logger().warning(
                f"{self._parameters.joint_states}: {error}", throttle_duration_sec=WARN_EVERY_S
            )
            return
        for name, position in state.by_name.items():
            self._joints[name] = (position, state.stamp, arrival)

    def _age_s(self, joints: Mapping[str, tuple[float, float, float]]) -> float:
        """Time since the joint heard of longest ago was measured, and since it was heard of, whichever is longer."""
        now, wall = self._now(), time.monotonic()
        # a simulation may be slower than the wall's clock, and is not late for that
        clock = self._node.get_clock()
        simulated = isinstance(clock, ROSClock) and clock.ros_time_is_active
        pace = self._parameters.slowest_clock if simulated else 1.0
        return max(max(now - joints[n][1], pace * (wall - joints[n][2])) for n in self._robot.joint_names)

    def _now(self) -> float:
        return self._node.get_clock().now().nanoseconds * 1e-9

    def _send(self, client: ActionClient, goal: FollowJointTrajectory.Goal, name: str) -> Any:
        """Answer of a controller to a goal; an acceptance that comes too late is cancelled."""
        sent = client.send_goal_async(goal)
        if not _done_within(sent, self._parameters.answer_timeout_s):
            sent.add_done_callback(_cancel_late)
            raise ExecutionFailed(
                Problem.TIMED_OUT,
                f"{name} did not answer within {self._parameters.answer_timeout_s:g} s; see its log",
            )
        return sent.result()

    def _wait_for_end(
        self, result: Future, trajectory: Trajectory, client: ActionClient, cancelled: Callable[[], bool]
    ) -> None:
        """Block until a motion ends; in the time of the node's clock, and in bounded time on the wall's.

        Raises:
            ExecutionFailed: cancelled, too late, or joint states or the controller have gone silent meanwhile.
        """
        name = client._action_name
        limit_s = trajectory.duration + self._parameters.late_s
        server_seen = time.monotonic()
        start, wall = self._now(), time.monotonic()
        ended = _event_of(result)
        while not ended.wait(POLL_S):
            if cancelled():
                raise ExecutionFailed(Problem.CANCELLED, f"{name} was told to stop")
            self.joint_state()
            if time.monotonic() - server_seen > SERVER_CHECK_S:
                if not client.server_is_ready():
                    raise ExecutionFailed(Problem.LOST, f"{name} has gone during a motion; see its log")
                server_seen = time.monotonic()
            waited = time.monotonic() - wall
            if self._now() - start > limit_s or waited > limit_s / self._parameters.slowest_clock:
                raise ExecutionFailed(
                    Problem.TIMED_OUT, f"{name} has not ended {_summary(trajectory)} after {waited:.1f} s"
                )

    def _stop(self, handle: Any, result: Future) -> str:
        """Cancel a motion and wait for its end; what came of it, as text."""
        answer = handle.cancel_goal_async()
        limit_s = self._parameters.answer_timeout_s
        if _done_within(answer, limit_s) and _done_within(result, limit_s):
            return "it has stopped"
        return f"it did NOT confirm within {limit_s:g} s that it has stopped"


def _check_result(response: Any, name: str, may_stop_short: bool) -> None:
    """Raise unless a motion ended as planned, or was stopped short where that is allowed."""
    result = response.result
    if response.status == GoalStatus.STATUS_SUCCEEDED and result.error_code == result.SUCCESSFUL:
        return
    if may_stop_short and result.error_code in (
        result.GOAL_TOLERANCE_VIOLATED,
        result.PATH_TOLERANCE_VIOLATED,
    ):
        return
    if response.status == GoalStatus.STATUS_CANCELED:
        raise ExecutionFailed(Problem.ABORTED, f"{name}: another client cancelled the motion")
    raise ExecutionFailed(
        Problem.ABORTED, f"{name}: {result.error_string or 'no reason given'} (code {result.error_code})"
    )


def _summary(trajectory: Trajectory) -> str:
    return f"a motion of {len(trajectory.joint_names)} joints over {trajectory.duration:.1f} s"


def _event_of(future: Future) -> threading.Event:
    event = threading.Event()
    future.add_done_callback(lambda _: event.set())
    return event


def _done_within(future: Future, timeout_s: float) -> bool:
    return _event_of(future).wait(timeout_s)


def _cancel_late(sent: Future) -> None:
    handle = sent.result()
    if handle is not None and handle.accepted:
        handle.cancel_goal_async()
