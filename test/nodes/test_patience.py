"""How long is waited while the simulation's clock runs, crawls, or stands still."""

from __future__ import annotations

import threading
import time

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from rclpy.clock import Clock, ClockType, ROSClock
from rclpy.time import Time

from grasp_pose_net.nodes.support.patience import Patience

pytestmark = pytest.mark.ros


class Simulated:
    """A clock that follows /clock, as fast as it is told."""

    def __init__(self, pace):
        self.clock, self.pace, self.begin = ROSClock(), pace, time.monotonic()
        self.clock._set_ros_time_is_active(True)
        self.set(0.0)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def set(self, seconds):
        nanoseconds = int(1e9 * (100.0 + seconds))
        self.clock.set_ros_time_override(Time(nanoseconds=nanoseconds, clock_type=ClockType.ROS_TIME))

    def run(self):
        while not self.stop.wait(0.005):
            self.set(self.pace * (time.monotonic() - self.begin))

    def __enter__(self):
        self.thread.start()
        return self.clock

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def waited(clock, seconds):
    patience, begin = Patience(clock, seconds), time.monotonic()
    assert not patience.wait(threading.Event())
    return time.monotonic() - begin


@pytest.mark.parametrize(
    ("pace", "least", "most"),
    [
        (1.0, 0.28, 0.6),
        (0.25, 1.1, 1.7),  # slow: the simulation's time counts
        (20.0, 0.28, 0.6),  # faster than the wall's: computing takes the wall's time
        (0.02, 2.9, 3.6),  # a tenth of the wall's pace is waited for, no less
        (0.0, 0.28, 0.6),  # it stands still: nobody simulates any more
    ],
)
def test_patience_by_the_pace_of_the_simulation(pace, least, most):
    with Simulated(pace) as clock:
        assert least < waited(clock, 0.3) < most


def test_patience_on_the_walls_clock_and_what_comes_true_in_time():
    assert 0.15 < waited(Clock(), 0.2) < 0.5
    assert 0.15 < waited(ROSClock(), 0.2) < 0.5  # use_sim_time is off
    done = threading.Event()
    threading.Timer(0.1, done.set).start()
    assert Patience(Clock(), 5.0).wait(done)
    assert Patience(Clock(), 5.0).until(done.is_set)
    assert not Patience(Clock(), 0.05).until(lambda: False)
