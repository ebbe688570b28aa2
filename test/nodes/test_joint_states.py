"""Joint states that are none are refused by name, and time is the robot's."""

from __future__ import annotations

import math
import threading
import time
from contextlib import contextmanager

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

import rclpy
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.parameter import Parameter
from rclpy.time import Time
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from grasp_pose_net.nodes.messages.basics import time_message
from grasp_pose_net.nodes.support.joint_states import JointStates
from grasp_pose_net.nodes.support.stopwatch import Stopwatch
from grasp_pose_net.robot import ExecutionFailed, Problem

pytestmark = pytest.mark.ros

AGE_S = 0.5


@contextmanager
def listening(simulated=False):
    """A node and what it has heard of two joints; nobody publishes, messages are handed over."""
    rclpy.init()
    node = rclpy.create_node("listener", parameter_overrides=[Parameter("use_sim_time", value=simulated)])
    try:
        yield node, JointStates(node, "/joint_states", ("a", "b"), AGE_S, 0.1, ReentrantCallbackGroup())
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def tell(node, states, later_s=0.0, **positions):
    stamp = time_message(node.get_clock().now().nanoseconds * 1e-9 + later_s)
    states._take(
        JointState(header=Header(stamp=stamp), name=list(positions), position=list(positions.values()))
    )


def refused(states, problem, *texts):
    with pytest.raises(ExecutionFailed) as failure:
        states.newest()
    assert failure.value.problem is problem
    for text in texts:
        assert text in str(failure.value)


def test_states_of_several_publishers_are_put_together_and_others_are_not_kept():
    with listening() as (node, states):
        refused(states, Problem.STALE_STATE, "/joint_states has not told 2 of 2 joints: a, b")
        tell(node, states, a=1.0)
        refused(states, Problem.STALE_STATE, "has not told 1 of 2 joints: b")
        for number in range(100):
            tell(node, states, **{"b": 2.0, f"of another robot {number}": math.nan})
        state = states.newest()
        assert (
            state.names == ("a", "b") and state.positions.tolist() == [1.0, 2.0] and 0 <= state.age_s < AGE_S
        )
        assert len(states._heard) == 2


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_joint_that_is_no_number_is_named_until_it_is_one_again(value):
    with listening() as (node, states):
        tell(node, states, a=1.0, b=2.0)
        tell(node, states, b=value)
        refused(
            states, Problem.BROKEN_STATE, f"positions of b: {value} is not a finite number", "switched on"
        )
        tell(node, states, a=1.0)
        refused(states, Problem.BROKEN_STATE, f"positions of b: {value}")
        tell(node, states, b=2.0)
        assert states.newest().by_name == {"a": 1.0, "b": 2.0}


def test_a_message_that_is_none_is_not_taken_and_is_told_of():
    with listening() as (node, states):
        tell(node, states, a=1.0)
        states._take(JointState(name=["a", "b"], position=[1.0]))
        refused(
            states,
            Problem.STALE_STATE,
            "has not told 1 of 2",
            "a message was refused: 1 positions for 2 joints",
        )
        states._take(JointState(name=["b", "b"], position=[1.0, 2.0]))
        refused(states, Problem.STALE_STATE, "2 positions for 2 joints, 1 different")


@pytest.mark.parametrize(("later_s", "text"), [(-60.0, "60.0"), (60.0, "s in the future (b), allowed 0.5 s")])
def test_a_stamp_far_from_now_is_refused(later_s, text):
    with listening() as (node, states):
        tell(node, states, a=1.0)
        tell(node, states, later_s, b=2.0)
        refused(states, Problem.STALE_STATE, text, "do the clocks")


def test_a_clock_that_starts_again_is_recovered_from():
    """As of a simulation that was reset, or a recording that is played again."""
    with listening(simulated=True) as (node, states):
        clock = node.get_clock()
        for now in (1000.0, 3.0):
            clock.set_ros_time_override(Time(seconds=now, clock_type=clock.clock_type))
            tell(node, states, a=1.0, b=2.0)
            assert states.newest().age_s == pytest.approx(0.0, abs=0.1)


def test_a_simulation_that_is_slow_is_not_late():
    with listening(simulated=True) as (node, _):
        clock = node.get_clock()
        clock.set_ros_time_override(Time(seconds=1.0, clock_type=clock.clock_type))
        watch = Stopwatch(clock, slowest=0.1)
        time.sleep(0.2)
        assert 0.015 < watch.seconds < 0.1  # the clock stands still: the wall's counts, at a tenth
        clock.set_ros_time_override(Time(seconds=4.0, clock_type=clock.clock_type))
        assert watch.seconds == pytest.approx(3.0)
        clock.set_ros_time_override(Time(seconds=0.0, clock_type=clock.clock_type))
        assert 0.0 < watch.seconds < 0.2
        assert not watch.wait(threading.Event(), 0.05)


def test_without_a_simulation_the_wall_counts():
    with listening() as (node, _):
        watch = Stopwatch(node.get_clock(), slowest=0.1)
        assert not watch.wait(threading.Event(), 0.1)
        assert 0.1 <= watch.seconds < 1.0
