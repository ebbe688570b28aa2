"""How long something takes, by the robot's clock."""

from __future__ import annotations

import threading
import time

from rclpy.clock import Clock

from grasp_pose_net.nodes.support.patience import is_simulated

LOOK_S = 0.05


class Stopwatch:
    """Seconds since it was made.

    A simulation on a busy machine is slow, not wrong: its own clock counts. Where that stands still or starts again, the
    wall's counts, at the slowest pace that is waited for, so that every wait ends.
    """

    def __init__(self, clock: Clock, slowest: float) -> None:
        """Start.

        Args:
            clock: of the node.
            slowest: least pace of a simulated clock relative to the wall's, above 0.
        """
        self._clock, self._slowest = clock, slowest
        self._start, self._wall = clock.now().nanoseconds, time.monotonic()

    @property
    def seconds(self) -> float:
        """Time since the start [s]."""
        wall = time.monotonic() - self._wall
        if not is_simulated(self._clock):
            return wall
        return max((self._clock.now().nanoseconds - self._start) * 1e-9, self._slowest * wall)

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Wait for an event, at most until ``timeout_s`` after the start; whether it has come."""
        while self.seconds < timeout_s:
            if event.wait(LOOK_S):
                return True
        return event.is_set()
