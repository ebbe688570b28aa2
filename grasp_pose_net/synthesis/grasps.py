"""What the planner gives: grasps with their figures, and how different two of them are."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ARRAYS = ("x", "epsilon", "hand_penetration_m", "self_penetration_m", "plane")


@dataclass(frozen=True)
class Grasps:
    """Grasps of one object, best ones of each support plane first.

    Attributes:
        x: (G, 7 + D) pose vectors, object frame.
        epsilon: (G,) exact epsilon.
        hand_penetration_m: (G,) depth of the hand in the object [m].
        self_penetration_m: (G,) depth of the hand in itself [m].
        plane: (G, 4) normal and offset of the support plane that hand and forearm are clear of; zeros =
            none known.
        tried: candidates that were planned.
        passed: candidates that passed the filter.
        trials: candidates that were validated.
        held: validated candidates that held.
        seconds: CPU seconds of this process by stage: "field", "starts", "search", "filter", "trial".
    """

    x: NDArray[np.float64]
    epsilon: NDArray[np.float64]
    hand_penetration_m: NDArray[np.float64]
    self_penetration_m: NDArray[np.float64]
    plane: NDArray[np.float64]
    tried: int = 0
    passed: int = 0
    trials: int = 0
    held: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def none(cls, size: int) -> Grasps:
        """No grasps of a hand whose pose vector has `size` entries."""
        empty = np.empty(0)
        return cls(np.empty((0, size)), empty, empty, empty, np.empty((0, 4)))

    def take(self, index: NDArray) -> Grasps:
        """The grasps at `index`, in that order."""
        arrays = {name: getattr(self, name)[index] for name in _ARRAYS}
        return replace(self, **arrays)

    @classmethod
    def joined(cls, parts: Sequence[Grasps]) -> Grasps:
        """All grasps of several lots, and how many candidates they took."""
        arrays: dict[str, Any] = {n: np.concatenate([getattr(part, n) for part in parts]) for n in _ARRAYS}
        counts = {name: sum(getattr(part, name) for part in parts) for name in ("tried", "passed")}
        return cls(**arrays, **counts)


class StageClock:
    """CPU seconds of this process, by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what happens inside to a stage."""
        start = time.process_time()
        yield
        self.seconds[name] += time.process_time() - start


def grasp_distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance between grasps: 0.1 m of position, 0.7 rad of the palm, or 1 rad of one joint count 1 each.

    Args:
        a: (..., 7 + D) pose vectors.
        b: (..., 7 + D) pose vectors, broadcast against a.

    Returns:
        (...) root of the sum of squares.
    """
    turn = 2.0 * np.arccos(np.clip(np.abs((a[..., 3:7] * b[..., 3:7]).sum(-1)), 0.0, 1.0))
    position = ((a[..., :3] - b[..., :3]) ** 2).sum(-1) / 0.1**2
    joints = ((a[..., 7:] - b[..., 7:]) ** 2).sum(-1)
    return np.sqrt(position + (turn / 0.7) ** 2 + joints)
