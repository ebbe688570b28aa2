"""Action server ``<controller>/follow_joint_trajectory`` in front of a simulated controller."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from control_msgs.action import FollowJointTrajectory
from control_msgs.msg import JointTolerance
from rclpy.action import CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from grasp_pose_net.exceptions import GraspPoseNetError, MessageError
from grasp_pose_net.nodes.messages.basics import duration_seconds, stamp_seconds, time_message
from grasp_pose_net.nodes.support.guarded_node import GuardedNode
from grasp_pose_net.simulation.controller import ControllerConfig, Goal, Outcome, ResultCode
from grasp_pose_net.simulation.laboratory import World
from grasp_pose_net.world import Array, Trajectory

POLL_S = 0.01
FEEDBACK_POLLS = 5
AHEAD_S = 10.0  # latest start of a trajectory
MOST_TRAJECTORY_POINTS = 100_000


class TrajectoryServer:
    """Hands goals to one controller of a world, whose owner says by :meth:`finish` how they ended."""

    def __init__(
        self, node: GuardedNode, name: str, world: World, lock: threading.Lock, config: ControllerConfig
    ) -> None:
        """Offer the action.

        Args:
            node: node that spins it, on several threads.
            name: controller of the world, and first part of the action's name.
            world: guarded by ``lock``.
            lock: held during every use of the world.
            config: defaults for what goals leave out.
        """
        self._name, self._world, self._lock, self._config = name, world, lock, config
        self._controller = world.controllers[name]
        self._node = node
        self._running: _Running | None = None
        self._server = node.create_action_server(
            FollowJointTrajectory,
            f"{name}/follow_joint_trajectory",
            self._execute,
            goal_callback=lambda _: (
                GoalResponse.ACCEPT
            ),  # a goal that is wrong is aborted: only then can it say why
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=ReentrantCallbackGroup(),
        )

    def finish(self, outcome: Outcome) -> None:
        """End the running goal, if there is one; the lock is held."""
        if self._running is not None:
            self._running.end(outcome)
            self._running = None

    def _execute(self, handle: ServerGoalHandle) -> FollowJointTrajectory.Result:
        running = _Running()
        with self._lock:
            outcome = self._start(handle.request)
            if outcome is None:
                self.finish(Outcome(ResultCode.INVALID_GOAL, "a new goal has replaced this one"))
                self._running = running
        polls = 0
        while outcome is None and not running.ended.wait(POLL_S):
            if handle.is_cancel_requested:
                return self._cancel(handle, running)
            polls += 1
            if polls % FEEDBACK_POLLS == 0:
                self._send_feedback(handle)
        outcome = outcome or running.outcome
        if outcome.code == ResultCode.SUCCESSFUL:
            handle.succeed()
        else:
            self._node.get_logger().warning(f"{self._name}: {outcome.code.name}: {outcome.text}")
            handle.abort()
        return FollowJointTrajectory.Result(error_code=int(outcome.code), error_string=outcome.text)

    def _cancel(self, handle: ServerGoalHandle, running: _Running) -> FollowJointTrajectory.Result:
        with self._lock:
            if self._running is running:
                self._controller.hold(self._world.positions(self._name))
                self._running = None
        handle.canceled()
        return FollowJointTrajectory.Result(
            error_code=FollowJointTrajectory.Result.SUCCESSFUL,
            error_string="cancelled; the joints hold where they were",
        )

    def _start(self, request: FollowJointTrajectory.Goal) -> Outcome | None:
        now = self._world.time
        try:
            start = stamp_seconds(request.trajectory.header.stamp) or now
            goal = goal_from_message(request, self._config)
        except GraspPoseNetError as error:
            return Outcome(ResultCode.INVALID_GOAL, str(error))
        if start > now + AHEAD_S:
            return Outcome(
                ResultCode.INVALID_GOAL,
                f"the trajectory starts at {start:.3f} s, but it is {now:.3f} s; are the clocks in step?",
            )
        if start + goal.trajectory.duration < now:
            return Outcome(
                ResultCode.OLD_HEADER_TIMESTAMP,
                f"the trajectory starts at {start:.3f} s and takes {goal.trajectory.duration:.3f} s, "
                f"but it is {now:.3f} s",
            )
        return self._controller.start(goal, start, self._world.positions(self._name))

    def _send_feedback(self, handle: ServerGoalHandle) -> None:
        with self._lock:
            progress, now = self._controller.progress, self._world.time
        if progress is None or not handle.is_active:
            return
        feedback = FollowJointTrajectory.Feedback(joint_names=list(self._controller.names))
        feedback.header.stamp = time_message(now)
        feedback.desired = JointTrajectoryPoint(
            positions=progress.desired.tolist(), velocities=progress.desired_velocity.tolist()
        )
        feedback.actual = JointTrajectoryPoint(positions=progress.actual.tolist())
        feedback.error = JointTrajectoryPoint(positions=(progress.desired - progress.actual).tolist())
        handle.publish_feedback(feedback)


class _Running:
    """A goal under way, seen by the thread that waits for its end."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.outcome = Outcome(ResultCode.SUCCESSFUL)

    def end(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.ended.set()


def goal_from_message(request: FollowJointTrajectory.Goal, config: ControllerConfig) -> Goal:
    """Goal of the controller; tolerances that the request leaves at zero are those of ``config``.

    Raises:
        MessageError: points and joint names do not fit, a tolerance names another joint or is no number, or something is asked
            for that is not supported.
        WorldError: the trajectory is none.
    """
    if (
        request.multi_dof_trajectory.points
        or request.component_path_tolerance
        or request.component_goal_tolerance
    ):
        raise MessageError(
            "multi_dof_trajectory and tolerances of components are not supported; leave them empty"
        )
    names = tuple(request.trajectory.joint_names)
    goal_time = duration_seconds(request.goal_time_tolerance)
    return Goal(
        trajectory=trajectory_from_message(request.trajectory),
        path_tolerance=_tolerances(request.path_tolerance, names, config.path_tolerance_rad),
        goal_tolerance=_tolerances(request.goal_tolerance, names, config.goal_tolerance_rad),
        goal_time_s=goal_time if goal_time > 0 else config.goal_time_s,
    )


def trajectory_from_message(message: JointTrajectory) -> Trajectory:
    """Points of a trajectory message, columns in the order of its joint names; efforts are not used.

    Raises:
        MessageError: there are too many points, a point does not have one position per joint, or velocities or accelerations
            not for all or none.
        WorldError: there are no points, times do not rise, or a number is not finite.
    """
    if len(message.points) > MOST_TRAJECTORY_POINTS:
        raise MessageError(f"{len(message.points)} points, at most {MOST_TRAJECTORY_POINTS} are taken")
    joints = len(message.joint_names)
    times = np.array([duration_seconds(point.time_from_start) for point in message.points])

    def column(what: str) -> Array | None:
        rows: list[Any] = [getattr(point, what) for point in message.points]
        if what != "positions" and all(len(row) == 0 for row in rows):
            return None
        for i, row in enumerate(rows):
            if len(row) != joints:
                raise MessageError(f"point {i} has {len(row)} {what} for {joints} joints")
        return np.array(rows, float).reshape(len(rows), joints)

    positions, velocities = column("positions"), column("velocities")
    if positions is None:
        raise MessageError("the points have no positions")
    accelerations = column("accelerations") if velocities is not None else None
    return Trajectory(tuple(message.joint_names), times, positions, velocities, accelerations)


def _tolerances(messages: Sequence[JointTolerance], names: Sequence[str], default: float) -> Array:
    """Position tolerance per joint; as control_msgs says, zero means the default, negative means any."""
    tolerances = dict.fromkeys(names, default or np.inf)
    for message in messages:
        if message.name not in tolerances:
            raise MessageError(f"tolerance for {message.name!r}, which is no joint of the trajectory")
        if not math.isfinite(message.position):
            raise MessageError(f"tolerance of {message.name!r}: {message.position} is not a finite number")
        if message.position != 0:
            tolerances[message.name] = message.position if message.position > 0 else np.inf
    return np.array([tolerances[name] for name in names])
