"""The lift trial's verdict, from nothing but the track of the object's centre of mass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grasp_pose_net.world import Array

LIFT_M = 0.10
HOLD_S = 3.0


@dataclass(frozen=True)
class LiftVerdict:
    """Outcome of a lift trial.

    Attributes:
        failure: empty for success, else the stage that failed: ``lift``, ``hold`` or ``shake``.
        height_m: largest height of the centre of mass above where it rested.
    """

    failure: str
    height_m: float

    @property
    def success(self) -> bool:
        """Whether the object was lifted, held and not shaken off."""
        return not self.failure


def judge_lift(times: Array, heights: Array, shake_end: float) -> LiftVerdict:
    """Judge one trial.

    The object must rise at least ``LIFT_M`` above its first height, stay so for ``HOLD_S``, and be so after
    the shake.

    Args:
        times: (N,) seconds, rising; the first sample is the object at rest on the table.
        heights: (N,) height of the centre of mass [m], any frame with z up.
        shake_end: time at which the shake was over [s]; infinity where there was none, which is a failed
            ``shake``.

    Raises:
        ValueError: the arrays do not fit, or there is no sample.
    """
    times, heights = np.asarray(times, float), np.asarray(heights, float)
    if times.ndim != 1 or times.shape != heights.shape or len(times) == 0:
        raise ValueError(
            f"times, heights: expected (N,) and (N,) with N > 0, got {times.shape} and {heights.shape}"
        )
    rise = heights - heights[0]
    lifted = rise >= LIFT_M
    return LiftVerdict(_failure(times, lifted, shake_end), float(rise.max()))


def _failure(times: Array, lifted: Array, shake_end: float) -> str:
    if not lifted.any():
        return "lift"
    # index of the first sample from which the object stays up for the whole of HOLD_S
    last_low = np.maximum.accumulate(np.where(lifted, -np.inf, times))
    held = np.flatnonzero(times - last_low >= HOLD_S)
    held = held[times[held] - times[np.argmax(lifted)] >= HOLD_S]
    if len(held) == 0:
        return "hold"
    after = times >= max(shake_end, times[held[0]])
    return "" if after.any() and lifted[after].all() else "shake"
