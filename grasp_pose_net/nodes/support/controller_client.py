"""The robot's controllers as the pick-up sees them: joint states in, trajectory goals out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from action_msgs.msg import GoalStatus
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.nodes.messages.motion import follow_goal
from grasp_pose_net.nodes.support.joint_states import JointStates
from grasp_pose_net.nodes.support.stopwatch import Stopwatch
from grasp_pose_net.nodes.support.watched_action import SentGoal, WatchedAction
from grasp_pose_net.robot import ExecutionFailed, Problem, RobotModel
from grasp_pose_net.world import JointState, Trajectory

POLL_S = 0.01
SERVER_CHECK_S = 0.25
LIMIT_TOLERANCE_RAD = 1e-3
DENIALS = 2  # a stop may overtake its goal once


@dataclass(frozen=True, kw_only=True)
class ControllerParameters(Settings):
    """Names of the controllers, and how long they may take; in simulation by its clock."""

    arm: str = setting("arm_controller/follow_joint_trajectory", doc="action of the arm's controller")
    hand: str = setting("hand_controller/follow_joint_trajectory", doc="action of the hand's controller")
    joint_states: str = setting("/joint_states", doc="topic of the measured joints")
    state_age_s: float = setting(
        0.5, 0.01, 10.0, "joint states older than this are refused, and stop a motion under way [s]"
    )
    answer_timeout_s: float = setting(5.0, 0.1, 60.0, "longest wait for a controller's answer [s]")
    stop_timeout_s: float = setting(
        2.0, 0.1, 2.5, "longest wait for a controller to confirm that it has stopped [s]"
    )
    late_s: float = setting(5.0, 0.1, 60.0, "how much later than planned a motion may end [s]")
    longest_s: float = setting(300.0, 1.0, 3600.0, "longest motion that is sent to a controller [s]")
    slowest_clock: float = setting(
        0.1, 0.01, 1.0, "slowest simulated clock, relative to the wall's, that is waited for"
    )


class ControllerClient:
    """Implements :class:`execution.Controllers`; its methods wait: call them from a callback of their own."""

    def __init__(self, node: Node, robot: RobotModel, parameters: ControllerParameters) -> None:
        """Create subscriptions and clients.

        Args:
            node: spun on several threads.
            robot: tells arm and hand apart.
            parameters: names and times.
        """
        self._node, self._robot, self._parameters = node, robot, parameters
        group = ReentrantCallbackGroup()
        self._joints = JointStates(
            node,
            parameters.joint_states,
            robot.joint_names,
            parameters.state_age_s,
            parameters.slowest_clock,
            group,
        )
        self._actions = {
            joints.names: WatchedAction(node, action, group)
            for joints, action in ((robot.arm, parameters.arm), (robot.hand, parameters.hand))
        }

    def joint_state(self) -> JointState:
        """See :class:`execution.Controllers`."""
        return self._joints.newest()

    def action(self, joint_names: tuple[str, ...]) -> WatchedAction:
        """What moves the arm's or the hand's joints."""
        return self._actions[joint_names]

    def missing_servers(self) -> list[str]:
        """Names of the controllers' actions that nobody offers now."""
        return [action.name for action in self._actions.values() if not action.is_there]

    def wait(self, seconds: float) -> None:
        """See :class:`execution.Controllers`."""
        time.sleep(seconds)

    def execute(self, trajectory: Trajectory, may_stop_short: bool, cancelled: Callable[[], bool]) -> None:
        """See :class:`execution.Controllers`."""
        action = self._actions[trajectory.joint_names]
        self._check(trajectory, action.name)
        self._await_turn(action, cancelled)
        self.joint_state()
        goal = action.send(follow_goal(trajectory, may_stop_short))
        try:
            self._await_acceptance(goal, action.name, cancelled)
            if not goal.rejected:
                self._await_end(goal, trajectory, action, cancelled)
        except ExecutionFailed as failure:
            raise ExecutionFailed(failure.problem, f"{failure.reason}; {self._stop(goal)}") from failure
        except BaseException:
            # whatever went wrong here, the robot must not go on without somebody who watches
            self._stop(goal)
            raise
        if goal.rejected:
            raise ExecutionFailed(
                Problem.REJECTED, f"{action.name} rejected {_summary(trajectory)}; see its log"
            )
        _check_result(goal, action.name, may_stop_short)

    def _check(self, trajectory: Trajectory, name: str) -> None:
        """The gate that everything passes that moves the robot; that all numbers are finite, a trajectory vouches for.

        Raises:
            ExecutionFailed: the motion is too long, or leaves the joints' limits.
        """
        if trajectory.duration > self._parameters.longest_s:
            raise ExecutionFailed(
                Problem.REJECTED,
                f"{_summary(trajectory)} is not sent to {name}: allowed are {self._parameters.longest_s:g} s; raise the "
                "speed or controllers.longest_s",
            )
        middle = 0.5 * (self._robot.lower + self._robot.upper)
        for ends in (trajectory.positions.min(axis=0), trajectory.positions.max(axis=0)):
            named = dict(zip(trajectory.joint_names, ends.tolist(), strict=True))
            configuration = self._robot.configuration(named, middle)
            if outside := self._robot.outside_limits(configuration, LIMIT_TOLERANCE_RAD):
                raise ExecutionFailed(
                    Problem.OUTSIDE_LIMITS, f"a motion with {'; '.join(outside)} is not sent to {name}"
                )

    def _await_turn(self, action: WatchedAction, cancelled: Callable[[], bool]) -> None:
        """Wait for the controller to be there, and refuse to move what somebody else moves.

        Raises:
            ExecutionFailed: cancelled, or it is not there in time, or does another motion.
        """
        self._await(
            lambda: action.is_there,
            cancelled,
            stopped=f"while waiting for {action.name}",
            late=f"{action.name} is not there after {self._parameters.answer_timeout_s:g} s; start it",
        )
        if action.does_another:
            raise ExecutionFailed(
                Problem.BUSY, f"{action.name} does a motion of another client; wait for its end or cancel it"
            )
        if earlier := action.unfinished:
            for goal in earlier:
                goal.stop()
            raise ExecutionFailed(
                Problem.BUSY,
                f"{action.name} has not ended an earlier motion, and was told again to stop it",
            )

    def _await_acceptance(self, goal: SentGoal, name: str, cancelled: Callable[[], bool]) -> None:
        """Block until the controller has taken or rejected a goal.

        Raises:
            ExecutionFailed: cancelled, or it did neither in time.
        """
        self._await(
            lambda: goal.accepted or goal.rejected,
            cancelled,
            stopped=f"{name} was told to stop",
            late=f"{name} did not answer within {self._parameters.answer_timeout_s:g} s; see its log",
        )

    def _await(
        self, ready: Callable[[], bool], cancelled: Callable[[], bool], *, stopped: str, late: str
    ) -> None:
        """Block until a controller is ready.

        Raises:
            ExecutionFailed: cancelled, with the text ``stopped``; or not in ``answer_timeout_s``, with the text ``late``.
        """
        waiting = self._stopwatch()
        while not ready():
            if cancelled():
                raise ExecutionFailed(Problem.CANCELLED, stopped)
            if waiting.seconds > self._parameters.answer_timeout_s:
                raise ExecutionFailed(Problem.TIMED_OUT, late)
            time.sleep(POLL_S)

    def _await_end(
        self, goal: SentGoal, trajectory: Trajectory, action: WatchedAction, cancelled: Callable[[], bool]
    ) -> None:
        """Block until a motion has ended and its result is there.

        Raises:
            ExecutionFailed: cancelled, too late, or joint states or the controller have gone silent meanwhile.
        """
        limit_s = trajectory.duration + self._parameters.late_s
        moving, checked, overdue = self._stopwatch(), time.monotonic(), None
        while goal.response is None:
            time.sleep(POLL_S)
            if cancelled():
                raise ExecutionFailed(Problem.CANCELLED, f"{action.name} was told to stop")
            self.joint_state()
            if time.monotonic() - checked > SERVER_CHECK_S:
                if not action.is_there:
                    raise ExecutionFailed(
                        Problem.LOST, f"{action.name} has gone during a motion; see its log"
                    )
                checked = time.monotonic()
            if goal.ended:
                overdue = overdue or self._stopwatch()
                goal.ask_result()
                if overdue.seconds > self._parameters.answer_timeout_s:
                    raise ExecutionFailed(
                        Problem.LOST, f"{action.name} has ended {_summary(trajectory)} and does not say how"
                    )
            elif moving.seconds > limit_s:
                raise ExecutionFailed(
                    Problem.TIMED_OUT,
                    f"{action.name} has not ended {_summary(trajectory)} after {moving.seconds:.1f} s",
                )

    def _stop(self, goal: SentGoal) -> str:
        """Stop a motion and wait for its end; what came of it, as text."""
        limit_s, waiting = self._parameters.stop_timeout_s, self._stopwatch()
        while not goal.ended:
            goal.stop()
            time.sleep(POLL_S)
            if goal.rejected:
                return "it has rejected the motion by now"
            if goal.denials >= DENIALS and not goal.accepted:
                goal.abandon()
                return "it knows of no such motion, and will be stopped should it begin after all"
            if waiting.seconds > limit_s:
                goal.abandon()
                return f"it did NOT confirm within {limit_s:g} s that it has stopped"
        return "it has stopped"

    def _stopwatch(self) -> Stopwatch:
        return Stopwatch(self._node.get_clock(), self._parameters.slowest_clock)


def _check_result(goal: SentGoal, name: str, may_stop_short: bool) -> None:
    """Raise unless a motion ended as planned, or was stopped short where that is allowed."""
    result = goal.response.result
    if goal.response.status == GoalStatus.STATUS_SUCCEEDED and result.error_code == result.SUCCESSFUL:
        return
    if may_stop_short and result.error_code in (
        result.GOAL_TOLERANCE_VIOLATED,
        result.PATH_TOLERANCE_VIOLATED,
    ):
        return
    if goal.response.status == GoalStatus.STATUS_CANCELED:
        raise ExecutionFailed(Problem.ABORTED, f"{name}: another client cancelled the motion")
    raise ExecutionFailed(
        Problem.ABORTED, f"{name}: {result.error_string or 'no reason given'} (code {result.error_code})"
    )


def _summary(trajectory: Trajectory) -> str:
    return f"a motion of {len(trajectory.joint_names)} joints over {trajectory.duration:.1f} s"
