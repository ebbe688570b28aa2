"""Whether what is computed just now is still wanted."""

from __future__ import annotations

import time
from collections.abc import Callable

from grasp_pose_net.robot.problems import PlanningFailed, Problem

ASK_EVERY_S = 0.01


def never() -> bool:
    """Nobody cancels."""
    return False


class Cancel:
    """May be asked for every configuration that is looked at, and asks in turn a hundred times a second at most."""

    def __init__(self, cancelled: Callable[[], bool] = never) -> None:
        """Store whom to ask; once the answer is yes, it stays so."""
        self._cancelled, self._asked, self._yes = cancelled, -ASK_EVERY_S, False

    def __call__(self) -> bool:
        """Whether it is cancelled."""
        now = time.monotonic()
        if not self._yes and now - self._asked >= ASK_EVERY_S:
            self._asked, self._yes = now, bool(self._cancelled())
        return self._yes

    def check(self) -> None:
        """Go on, or not.

        Raises:
            PlanningFailed: cancelled.
        """
        if self():
            raise PlanningFailed(Problem.CANCELLED, "while planning")
