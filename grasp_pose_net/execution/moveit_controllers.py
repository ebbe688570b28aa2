"""Execution through MoveIt's controller manager, with the same ends as without it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from grasp_pose_net.execution.moveit_session import MoveItSession
from grasp_pose_net.execution.stages import Controllers
from grasp_pose_net.robot.problems import ExecutionFailed, Problem
from grasp_pose_net.world import JointState, Trajectory

POLL_S = 0.01

PROBLEMS = {"TIMED_OUT": Problem.TIMED_OUT}  # of MoveIt's execution status; all others are Problem.ABORTED


class MoveItControllers:
    """Implements :class:`Controllers` through MoveIt's ``TrajectoryExecutionManager``.

    Motions that fingers may be stopped on go to the hand's controller directly: MoveIt's action client sends no
    tolerances, and does not say which one was violated.
    """

    def __init__(
        self,
        session: MoveItSession,
        direct: Controllers,
        late_s: float,
        slowest_clock: float,
        answer_timeout_s: float,
    ) -> None:
        """Store what executes.

        Args:
            session: MoveIt.
            direct: measures joints, and moves the hand where MoveIt cannot.
            late_s: how much later than planned a motion may end, by the robot's clock [s]; MoveIt watches that.
            slowest_clock: the least speed of that clock that is waited for, relative to the wall's.
            answer_timeout_s: longest wait for a motion's end after it was told to stop [s].
        """
        self._session, self._direct = session, direct
        self._late_s, self._slowest_clock, self._answer_timeout_s = late_s, slowest_clock, answer_timeout_s

    def joint_state(self) -> JointState:
        """See :class:`Controllers`."""
        return self._direct.joint_state()

    def wait(self, seconds: float) -> None:
        """See :class:`Controllers`."""
        self._direct.wait(seconds)

    def execute(self, trajectory: Trajectory, may_stop_short: bool, cancelled: Callable[[], bool]) -> None:
        """See :class:`Controllers`."""
        if may_stop_short:
            self._direct.execute(trajectory, may_stop_short, cancelled)
            return
        self._direct.joint_state()
        text = f"a motion of {len(trajectory.joint_names)} joints over {trajectory.duration:.1f} s"
        if not self._session.execution.push(self._session.messages.robot_trajectory(trajectory)):
            raise ExecutionFailed(
                Problem.REJECTED,
                f"MoveIt does not take {text}; do moveit_controllers.yaml's controllers run, and is none busy?",
            )
        motion = _Background(self._session.execution.execute_and_wait)
        began = time.monotonic()
        while not motion.ended.wait(POLL_S):
            try:
                if cancelled():
                    raise ExecutionFailed(Problem.CANCELLED, "MoveIt was told to stop")
                self._direct.joint_state()
                waited = time.monotonic() - began
                if waited > (trajectory.duration + self._late_s) / self._slowest_clock:
                    raise ExecutionFailed(
                        Problem.TIMED_OUT, f"MoveIt has not ended {text} after {waited:.1f} s"
                    )
            except ExecutionFailed as failure:
                raise ExecutionFailed(failure.problem, f"{failure.reason}; {self._stop(motion)}") from failure
            except BaseException:
                self._stop(motion)
                raise
        status = getattr(motion.result, "status", repr(motion.error))
        if status != "SUCCEEDED":
            raise ExecutionFailed(
                PROBLEMS.get(status, Problem.ABORTED), f"MoveIt ended {text} as {status}; see its log"
            )

    def _stop(self, motion: _Background) -> str:
        """Stop whatever moves and wait for its end; what came of it, as text."""
        deadline = time.monotonic() + self._answer_timeout_s
        # MoveIt waits for ever for a controller that never answers, and a stop that comes before the start is lost
        while not motion.ended.is_set() and time.monotonic() < deadline:
            stopping = _Background(self._session.execution.stop_execution)
            while not (stopping.ended.wait(POLL_S) or time.monotonic() > deadline):
                pass
            motion.ended.wait(POLL_S)
        if motion.ended.is_set():
            return "it has stopped"
        return f"it did NOT confirm within {self._answer_timeout_s:g} s that it has stopped"


class _Background:
    """A call on a thread of its own, which does not keep the process from ending."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self.ended = threading.Event()
        self.result: Any = None
        self.error: Exception | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self.result = self._call()
        except Exception as error:  # whatever MoveIt throws must end the wait
            self.error = error
        finally:
            self.ended.set()
