"""Rates in simulated time, and simulated time in step with real time."""

from __future__ import annotations

import time


class Every:
    """Says when something is due at a rate, in a time that somebody else keeps."""

    def __init__(self, rate_hz: float) -> None:
        """Due at once, then at the rate."""
        self._period, self._due = 1 / rate_hz, float("-inf")

    def due(self, now: float) -> bool:
        """Whether it is time again; then the next is a period later."""
        if now < self._due - 1e-9:
            return False
        following = self._due + self._period
        self._due = following if following > now else now + self._period
        return True


class Pace:
    """Keeps simulated time to a multiple of real time."""

    def __init__(self, factor: float) -> None:
        """Simulated time runs ``factor`` times as fast as real time; 0 or less: as fast as it can."""
        self._factor, self._origin = factor, (0.0, -1.0)

    def ahead(self, now: float) -> float:
        """Seconds to wait at simulated time ``now``; time that a slow machine has lost is not caught up."""
        if self._factor <= 0:
            return 0.0
        real = time.monotonic()
        wait = self._origin[0] + (now - self._origin[1]) / self._factor - real
        if wait < -0.1:
            self._origin, wait = (real, now), 0.0
        return max(0.0, wait)
