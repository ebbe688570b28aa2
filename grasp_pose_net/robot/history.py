"""Measured joints over some time, for asking where the robot was."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from grasp_pose_net.exceptions import PlanningError
from grasp_pose_net.world import Array, JointState

GAP_S = 0.5  # between joint states that are further apart nobody knows what the joints did


class JointHistory:
    """Joint states of one publisher, or of several that tell some of the joints each."""

    def __init__(self) -> None:
        """Empty."""
        self._told: dict[tuple[str, ...], dict[float, Array]] = {}

    def add(self, state: JointState) -> None:
        """Keep a state; of two with one stamp the later one."""
        self._told.setdefault(state.names, {})[state.stamp] = state.positions

    def missing(self, joints: Sequence[str]) -> list[str]:
        """Those of some joints that nobody has told."""
        known = {name for names in list(self._told) for name in names}
        return [name for name in joints if name not in known]

    def at(self, stamp: float, joints: Sequence[str]) -> dict[str, float]:
        """Positions of some joints [rad] at a moment [s], on straight lines between the states around it.

        Raises:
            PlanningError: the moment lies before or after what was told, or too long from it; the text says what was told.
        """
        positions: dict[str, float] = {}
        for names, told in list(self._told.items()):
            if not set(names) & set(joints):
                continue
            stamps = np.array(sorted(told.copy()))
            # the last that is not later and the first that is not earlier: the same where one is of this moment
            i, k = np.searchsorted(stamps, stamp, "right") - 1, np.searchsorted(stamps, stamp)
            if i < 0 or k == len(stamps):
                raise PlanningError(
                    f"joint states of {names[0]} are asked at {stamp:.3f} s, known from {stamps[0]:.3f} s to "
                    f"{stamps[-1]:.3f} s"
                )
            before, after = stamps[i], stamps[k]
            if after - before > GAP_S:
                raise PlanningError(
                    f"joint states of {names[0]} at {stamp:.3f} s are not known: {before:.3f} s and {after:.3f} s are the "
                    f"nearest, more than {GAP_S:g} s apart"
                )
            share = (stamp - before) / (after - before) if after > before else 0.0
            values = (1 - share) * told[before] + share * told[after]
            positions |= dict(zip(names, values.tolist(), strict=True))
        return positions
