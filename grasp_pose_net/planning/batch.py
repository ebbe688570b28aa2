"""Candidates as arrays: one row each, from being proposed to being offered or rejected for one reason."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grasp_pose_net.planning.reject import Reject
from grasp_pose_net.world import Array

REASONS = tuple(Reject)
ALIVE = -1
COLUMNS = ("x", "quality", "epsilon", "worst_epsilon", "approach", "pre_grasp", "squeeze", "reason")


@dataclass(frozen=True, eq=False)
class Batch:
    """Candidates of one object; stages give back another batch and change no array in place.

    Axis letters: B candidates, D length of the pose vector, J = D - 7 joints. What no stage has found yet is NaN.

    Attributes:
        x: (B, D) pose vectors, object frame.
        quality: (B,) by which candidates are ranked; stages may lower it, never raise it.
        epsilon: (B,) ε-metric.
        worst_epsilon: (B,) the smallest where the object is a little off.
        approach: (B, 3) unit direction in which the palm travels to the grasp, object frame.
        pre_grasp: (B, J) hand joints on the way in [rad].
        squeeze: (B, J) joint targets inside the surface, so that the fingers press [rad].
        reason: (B,) place of the `Reject` in its table, ``ALIVE`` while there is none.
        first: rows before it are of earlier rounds and have had their end, or are offered.
    """

    x: Array
    quality: Array
    epsilon: Array
    worst_epsilon: Array
    approach: Array
    pre_grasp: Array
    squeeze: Array
    reason: NDArray[np.int8]
    first: int = 0

    @classmethod
    def of(cls, x: Array) -> Batch:
        """New candidates x (B, D)."""
        count, size = x.shape
        unknown = np.full(count, np.nan)
        joints = np.full((count, size - 7), np.nan)
        ways = np.full((count, 3), np.nan)
        return cls(x, unknown, unknown, unknown, ways, joints, joints, np.full(count, ALIVE, np.int8))

    def __len__(self) -> int:
        """How many candidates there were."""
        return len(self.x)

    @property
    def alive(self) -> NDArray[np.bool_]:
        """(B,) whether nothing speaks against a candidate yet."""
        return self.reason == ALIVE

    @property
    def rows(self) -> NDArray[np.intp]:
        """Rows of this round's candidates that are alive."""
        rows = np.flatnonzero(self.alive)
        return rows[rows >= self.first]

    def followed_by(self, x: Array) -> Batch:
        """The batch with a further round of candidates x (B, D)."""
        return replace(self._joined(Batch.of(x)), first=len(self))

    def with_rows(self, rows: NDArray[np.intp], **columns: Array) -> Batch:
        """The batch with other values in some rows of the columns that are named."""
        changed: dict[str, Any] = {}
        for name, values in columns.items():
            changed[name] = getattr(self, name).copy()
            changed[name][rows] = values
        return replace(self, **changed)

    def rejected(self, rows: NDArray[np.intp], reason: Reject) -> Batch:
        """The batch in which candidates that were alive have come to their end."""
        rows = np.asarray(rows, np.intp)
        return self.with_rows(rows[self.alive[rows]], reason=np.int8(REASONS.index(reason)))

    def taken(self, rows: NDArray[np.intp]) -> Batch:
        """Some rows as a batch of their own, all of them of this round."""
        part: dict[str, Any] = {name: getattr(self, name)[rows] for name in COLUMNS}
        return replace(self, **part, first=0)

    def put_back(self, rows: NDArray[np.intp], part: Batch) -> Batch:
        """The batch with what became of rows that were taken."""
        return self.with_rows(rows, **{name: getattr(part, name) for name in COLUMNS})

    def best(self, count: int | None = None) -> NDArray[np.intp]:
        """Rows of those alive, the best first; at most ``count``."""
        rows = np.flatnonzero(self.alive)
        return rows[np.argsort(-self.quality[rows], kind="stable")][:count]

    def _joined(self, other: Batch) -> Batch:
        both: dict[str, Any] = {n: np.concatenate([getattr(self, n), getattr(other, n)]) for n in COLUMNS}
        return replace(self, **both)
