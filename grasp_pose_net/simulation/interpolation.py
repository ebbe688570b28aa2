"""Joint trajectories between their points, and what the robot cannot do of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.interpolate import BPoly

from grasp_pose_net.robot import MotionLimits
from grasp_pose_net.world import Array, Trajectory

CHECK_S, MOST_CHECKS = 0.01, 2000  # between two looks at a path, and how many at most
OVER_RAD, OVER_SPEED = 1e-3, 1.01  # by how much, and how many times, a limit may be passed


class Path:
    """Polynomials between the points of a trajectory: linear, cubic or quintic by what these give.

    Attributes:
        trajectory: the points.
    """

    def __init__(self, trajectory: Trajectory) -> None:
        """Make the polynomials, once for all samples."""
        self.trajectory = trajectory
        given = [trajectory.positions]
        if trajectory.velocities is not None:
            given.append(trajectory.velocities)
            if trajectory.accelerations is not None:
                given.append(trajectory.accelerations)
        # one point is stood still at, and no polynomial
        self._curves: tuple[BPoly, BPoly] | None = None
        if len(trajectory.times) > 1:
            position = BPoly.from_derivatives(trajectory.times, np.stack(given, axis=1))
            self._curves = position, position.derivative()

    def sample(self, time: float) -> tuple[Array, Array]:
        """Position (J,) and velocity (J,) at a time; the joints stand still before and after the points."""
        times, positions = self.trajectory.times, self.trajectory.positions
        if self._curves is not None and times[0] <= time < times[-1]:
            position, velocity = self._curves
            return position(time), velocity(time)
        return positions[0 if time < times[0] else -1], np.zeros(positions.shape[1])

    def problem(self, limits: MotionLimits) -> str:
        """What is beyond the joints' limits, at the points or between them; an empty text where nothing is."""
        names, times = self.trajectory.joint_names, self.trajectory.times
        if problem := _outside(self.trajectory.positions, names, limits):
            return problem
        if self._curves is None:
            return ""
        position, velocity = self._curves
        count = max(2, min(MOST_CHECKS, round((times[-1] - times[0]) / CHECK_S) + 1))
        looks = np.linspace(times[0], times[-1], count)[:-1]
        if problem := _outside(position(looks), names, limits):
            return f"between its points, {problem}"
        speed = np.abs(velocity(looks)).max(0)
        j = int((speed / limits.velocity).argmax())
        if speed[j] <= OVER_SPEED * limits.velocity[j]:
            return ""
        return (
            f"{names[j]} would move at {speed[j]:.3f} rad/s, its limit is {limits.velocity[j]:.3f} rad/s; "
            "give the points more time"
        )


def starting_at(trajectory: Trajectory, position: Array) -> Trajectory:
    """The same trajectory, with ``position`` (J,) at rest put first unless a point has time zero."""
    if trajectory.times[0] <= 0:
        return trajectory

    def after(first: Array, rest: Array | None) -> Array | None:
        return None if rest is None else np.vstack([first, rest])

    zero = np.zeros_like(position)
    return replace(
        trajectory,
        times=np.concatenate([[0.0], trajectory.times]),
        positions=np.vstack([position, trajectory.positions]),
        velocities=after(zero, trajectory.velocities),
        accelerations=after(zero, trajectory.accelerations),
    )


def _outside(positions: Array, names: Sequence[str], limits: MotionLimits) -> str:
    excess = np.maximum(limits.lower - positions, positions - limits.upper)
    point, j = (int(i) for i in np.unravel_index(excess.argmax(), excess.shape))
    if excess[point, j] <= OVER_RAD:
        return ""
    return (
        f"{names[j]} would be at {positions[point, j]:.4f} rad, outside its limits "
        f"[{limits.lower[j]:.4f}, {limits.upper[j]:.4f}]"
    )
