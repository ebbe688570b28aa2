"""How long execution through MoveIt waits, and how it ends. MoveIt itself is not here: nothing is said about it."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from grasp_pose_net.execution import MoveItControllers
from grasp_pose_net.robot import ExecutionFailed, Problem
from grasp_pose_net.world import JointState, Trajectory

STILL = np.zeros((2, 1))
MOTION = Trajectory(("joint",), np.array([0.0, 0.05]), STILL, STILL, STILL)


class Execution:
    """Ends a motion as told, or when stopped; with ``deaf`` not even then."""

    def __init__(self, status="SUCCEEDED", takes=True, waits=False, deaf=False):
        self.status, self.takes, self.waits, self.deaf = status, takes, waits, deaf
        self.pushed, self.stops = [], 0
        self.stopped = threading.Event()

    def push(self, trajectory):
        self.pushed.append(trajectory)
        return self.takes

    def execute_and_wait(self):
        if self.waits:
            self.stopped.wait(60.0)
        if self.status == "throws":
            raise RuntimeError("broken")
        return SimpleNamespace(status="PREEMPTED" if self.stopped.is_set() else self.status)

    def stop_execution(self):
        self.stops += 1
        if not self.deaf:
            self.stopped.set()


class Direct:
    """Joint states that are stale from the ``stale``-th on."""

    def __init__(self, stale=1000):
        self.asked, self.told, self.stale = [], 0, stale

    def joint_state(self):
        self.told += 1
        if self.told >= self.stale:
            raise ExecutionFailed(Problem.STALE_STATE, "nothing was heard for 2 s")
        return JointState(("joint",), [0.5], age_s=0.1)

    def execute(self, trajectory, may_stop_short, cancelled):
        self.asked.append((trajectory, may_stop_short))


def controllers(execution, direct=None):
    messages = SimpleNamespace(robot_trajectory=lambda trajectory: ("message", trajectory))
    session = SimpleNamespace(execution=execution, messages=messages)
    return MoveItControllers(session, direct or Direct(), 0.2, 1.0, 0.5)


def test_a_motion_goes_to_moveit_and_joints_come_from_the_robot():
    execution, direct = Execution(), Direct()
    moved = controllers(execution, direct)
    moved.execute(MOTION, False, bool)
    assert execution.pushed == [("message", MOTION)] and not direct.asked
    assert moved.joint_state().by_name == {"joint": 0.5}


def test_what_an_object_may_hold_up_goes_to_the_hand_itself():
    execution, direct = Execution(), Direct()
    controllers(execution, direct).execute(MOTION, True, bool)
    assert direct.asked == [(MOTION, True)] and not execution.pushed


@pytest.mark.parametrize(
    ("execution", "problem", "text"),
    [
        (Execution(takes=False), Problem.REJECTED, "MoveIt does not take a motion of 1 joints"),
        (Execution("ABORTED"), Problem.ABORTED, "as ABORTED"),
        (Execution("PREEMPTED"), Problem.ABORTED, "as PREEMPTED"),
        (Execution("TIMED_OUT"), Problem.TIMED_OUT, "as TIMED_OUT"),
        (Execution("throws"), Problem.ABORTED, "broken"),
        (Execution(waits=True), Problem.TIMED_OUT, "has not ended .* it has stopped"),
        (Execution(waits=True, deaf=True), Problem.TIMED_OUT, "did NOT confirm within 0.5 s"),
    ],
)
def test_each_end_has_its_problem_in_bounded_time(execution, problem, text):
    began = time.monotonic()
    with pytest.raises(ExecutionFailed, match=text) as raised:
        controllers(execution).execute(MOTION, False, bool)
    assert raised.value.problem is problem
    assert time.monotonic() - began < 10.0
    execution.stopped.set()


def test_cancelling_stops_the_motion():
    execution = Execution(waits=True)
    with pytest.raises(ExecutionFailed, match="told to stop; it has stopped") as raised:
        controllers(execution).execute(MOTION, False, lambda: True)
    assert raised.value.problem is Problem.CANCELLED and execution.stops >= 1


def test_a_motion_is_stopped_when_nobody_tells_where_the_joints_are():
    execution = Execution(waits=True)
    with pytest.raises(ExecutionFailed, match="nothing was heard for 2 s; it has stopped") as failure:
        controllers(execution, Direct(stale=2)).execute(MOTION, False, bool)
    assert failure.value.problem is Problem.STALE_STATE and execution.stops


def test_nothing_begins_when_nobody_tells_where_the_joints_are():
    execution = Execution()
    with pytest.raises(ExecutionFailed, match="nothing was heard for 2 s"):
        controllers(execution, Direct(stale=1)).execute(MOTION, False, bool)
    assert execution.pushed == []


def test_what_looks_around_stops_the_motion():
    def changed():
        raise ExecutionFailed(Problem.WORLD_CHANGED, "a person is in the way")

    execution = Execution(waits=True)
    with pytest.raises(ExecutionFailed, match="a person is in the way; it has stopped") as failure:
        controllers(execution).execute(MOTION, False, changed)
    assert failure.value.problem is Problem.WORLD_CHANGED and execution.stops
