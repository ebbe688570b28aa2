"""Joint trajectories: polynomials between timed points; linear, cubic or quintic by what these give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grasp_pose_net.world import Array


@dataclass(frozen=True)
class Trajectory:
    """Points that the joints pass, at times from the start.

    Attributes:
        times: (N,) rising, greater than or equal to zero [s].
        positions: (N, J) [rad].
        velocities: (N, J) [rad/s], or None: straight lines between the points.
        accelerations: (N, J) [rad/s²], or None: cubic where velocities are given, else quintic.
    """

    times: Array
    positions: Array
    velocities: Array | None = None
    accelerations: Array | None = None

    @property
    def duration(self) -> float:
        """Time of the last point [s]."""
        return float(self.times[-1])

    def starting_at(self, position: Array) -> Trajectory:
        """The same trajectory, with ``position`` (J,) at rest put first unless a point has time zero."""
        if self.times[0] <= 0:
            return self

        def prepend(first: Array, rest: Array | None) -> Array | None:
            return None if rest is None else np.vstack([first, rest])

        zero = np.zeros_like(position)
        return Trajectory(
            np.concatenate([[0.0], self.times]),
            np.vstack([position, self.positions]),
            prepend(zero, self.velocities),
            prepend(zero, self.accelerations),
        )

    def sample(self, time: float) -> tuple[Array, Array]:
        """Position (J,) and velocity (J,) at a time; the joints stand still before and after the points."""
        after = int(np.searchsorted(self.times, time, side="right"))
        if after == 0 or after == len(self.times):
            return self.positions[0 if after == 0 else -1], np.zeros(self.positions.shape[1])
        span = self.times[after] - self.times[after - 1]
        s = (time - self.times[after - 1]) / span
        coefficients = self._coefficients(after, span)
        powers = s ** np.arange(len(coefficients))
        slopes = np.arange(1, len(coefficients)) * powers[:-1] / span
        return powers @ coefficients, slopes @ coefficients[1:]

    def _coefficients(self, after: int, span: float) -> Array:
        """Coefficients (degree + 1, J) in s from 0 to 1 of the segment that ends at point ``after``."""
        p0, p1 = self.positions[after - 1 : after + 1]
        if self.velocities is None:
            return np.stack([p0, p1 - p0])
        v0, v1 = self.velocities[after - 1 : after + 1] * span
        if self.accelerations is None:
            return np.stack([p0, v0, 3 * (p1 - p0) - 2 * v0 - v1, 2 * (p0 - p1) + v0 + v1])
        a0, a1 = self.accelerations[after - 1 : after + 1] * span**2
        d = p1 - p0
        return np.stack(
            [
                p0,
                v0,
                a0 / 2,
                10 * d - 6 * v0 - 4 * v1 - 1.5 * a0 + 0.5 * a1,
                -15 * d + 8 * v0 + 7 * v1 + 1.5 * a0 - a1,
                6 * d - 3 * (v0 + v1) - 0.5 * (a0 - a1),
            ]
        )


@dataclass(frozen=True)
class JointLimits:
    """What joints can do.

    Attributes:
        lower: (J,) [rad].
        upper: (J,) [rad].
        velocity: (J,) [rad/s].
    """

    lower: Array
    upper: Array
    velocity: Array


def trajectory_problem(trajectory: Trajectory, names: Sequence[str], limits: JointLimits) -> str:
    """What is wrong with a trajectory, or an empty text; looks at the points and at the path between them."""
    times = trajectory.times
    if len(times) == 0:
        return "the trajectory has no points"
    if not np.isfinite(times).all() or times[0] < 0 or (np.diff(times) <= 0).any():
        return f"the points' times must rise strictly, from zero or above, got {np.round(times, 4).tolist()}"
    for what in ("positions", "velocities", "accelerations"):
        values = getattr(trajectory, what)
        if values is not None and not np.isfinite(values).all():
            return f"the {what} contain a number that is not finite"
    if problem := _outside(trajectory.positions, names, limits):
        return problem
    path = np.linspace(times[0], times[-1], max(2, min(2000, round((times[-1] - times[0]) / 0.01) + 1)))
    sampled = [trajectory.sample(t) for t in path]
    if problem := _outside(np.array([position for position, _ in sampled]), names, limits):
        return f"between its points, {problem}"
    speed = np.abs([velocity for _, velocity in sampled]) / limits.velocity
    j = int(speed.max(0).argmax())
    if speed[:, j].max() > 1.01:
        return (
            f"{names[j]} would move at {speed[:, j].max() * limits.velocity[j]:.3f} rad/s, "
            f"its limit is {limits.velocity[j]:.3f} rad/s; give the points more time"
        )
    return ""


def _outside(positions: Array, names: Sequence[str], limits: JointLimits) -> str:
    excess = np.maximum(limits.lower - positions, positions - limits.upper)
    point, j = (int(i) for i in np.unravel_index(excess.argmax(), excess.shape))
    if excess[point, j] <= 1e-3:
        return ""
    return (
        f"{names[j]} would be at {positions[point, j]:.4f} rad, outside its limits "
        f"[{limits.lower[j]:.4f}, {limits.upper[j]:.4f}]"
    )
