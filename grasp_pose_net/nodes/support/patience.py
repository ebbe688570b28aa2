"""How long something is waited for, on the node's clock: a simulation on a busy machine is slow, not late."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

from rclpy.clock import Clock, ROSClock

SLOWEST_CLOCK = 0.1  # simulated time that is slower than this, relative to the wall's, is not waited for
POLL_S = 0.02


def is_simulated(clock: Clock) -> bool:
    """Whether a clock is a simulation's or a recording's."""
    return isinstance(clock, ROSClock) and clock.ros_time_is_active


class Patience:
    """Runs from when it is made; in simulated time where the clock follows ``/clock``, but never shorter than on the wall."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        """Begin to wait."""
        self._clock, self._seconds = clock, seconds
        self._wall = self._moved = time.monotonic()
        self._last = self._now()
        self._passed = 0.0

    @property
    def over(self) -> bool:
        """Whether the time has passed; a simulated clock that stands still for as long ends it, too."""
        wall = time.monotonic()
        waited = wall - self._wall
        if not is_simulated(self._clock):
            return waited > self._seconds
        now = self._now()
        if now != self._last:
            # a clock that starts again has not gone back in time that was waited
            self._passed += max(0.0, now - self._last)
            self._last, self._moved = now, wall
        if wall - self._moved > self._seconds or waited > self._seconds / SLOWEST_CLOCK:
            return True
        return self._passed > self._seconds and waited > self._seconds

    def wait(self, event: Event) -> bool:
        """Wait for an event; whether it came in time."""
        while not event.wait(POLL_S):
            if self.over:
                return False
        return True

    def until(self, ready: Callable[[], bool]) -> bool:
        """Wait for a condition; whether it came true in time."""
        while not ready():
            if self.over:
                return False
            self.rest()
        return True

    @staticmethod
    def rest() -> None:
        """Let others work before looking again."""
        time.sleep(POLL_S)

    def _now(self) -> float:
        return float(self._clock.now().nanoseconds) * 1e-9
