"""Joint motion over time: TOPP-RA (Pham and Pham, 2018) along a path, smooth moves, and the check of limits."""

from __future__ import annotations

import numpy as np
import toppra
from toppra import algorithm, constraint

from grasp_pose_net.robot.motion import SAMPLE_S, MotionLimits
from grasp_pose_net.robot.problems import PlanningFailed, Problem
from grasp_pose_net.world import Array, Trajectory

REST_S = 0.1  # a motion that goes nowhere lasts this long


def along_path(joint_names: tuple[str, ...], path: Array, limits: MotionLimits) -> Trajectory:
    """Fastest motion from rest to rest along a smooth curve through the points of a path.

    Args:
        joint_names: (J,) the joints.
        path: (N, J) points close to each other [rad].
        limits: what no sample exceeds.

    Raises:
        PlanningFailed: the path leaves the position limits, or cannot be timed.
    """
    path = _distinct(path)
    if len(path) == 1:
        return smooth_move(joint_names, path[0], path[0], limits, REST_S)
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    curve = toppra.SplineInterpolator(arc, path, bc_type="natural" if len(path) > 2 else "not-a-knot")
    grid = np.linspace(0.0, arc[-1], int(np.clip(4 * len(path), 50, 400)))
    timing = algorithm.TOPPRA(
        [
            constraint.JointVelocityConstraint(_symmetric(limits.velocity)),
            constraint.JointAccelerationConstraint(
                _symmetric(limits.acceleration),
                discretization_scheme=constraint.DiscretizationType.Interpolation,
            ),
        ],
        curve,
        gridpoints=grid,
        parametrizer="ParametrizeConstAccel",
    )
    motion = timing.compute_trajectory()
    if motion is None:
        raise PlanningFailed(Problem.NO_PATH, f"no timing within the limits for a path of {len(path)} points")
    times = np.linspace(0.0, motion.duration, max(2, int(np.ceil(motion.duration / SAMPLE_S)) + 1))
    velocities = motion(times, 1)
    velocities[[0, -1]] = 0.0
    trajectory = Trajectory(joint_names, times, motion(times), velocities, motion(times, 2))
    return within_limits(trajectory, limits)


def smooth_move(
    joint_names: tuple[str, ...], start: Array, goal: Array, limits: MotionLimits, duration_s: float = 0.0
) -> Trajectory:
    """Straight motion between two postures, at rest with no acceleration at both ends (minimum jerk).

    Args:
        joint_names: (J,) the joints.
        start: (J,) [rad].
        goal: (J,) [rad].
        limits: what no sample exceeds; the motion becomes longer where it must.
        duration_s: shortest duration [s].

    Raises:
        PlanningFailed: an end is outside the position limits.
    """
    # the curve's largest speed is 15/8 of the mean, its largest acceleration 10/√3 change/duration²
    change = goal - start
    fitting = max(
        (1.875 * np.abs(change) / limits.velocity).max(),
        np.sqrt(10 / np.sqrt(3) * np.abs(change) / limits.acceleration).max(),
    )
    duration = max(duration_s, SAMPLE_S, float(fitting) * (1 + 1e-9))
    times = np.linspace(0.0, duration, max(5, int(np.ceil(duration / SAMPLE_S)) + 1))
    u = (times / duration)[:, None]
    trajectory = Trajectory(
        joint_names,
        times,
        start + change * (10 * u**3 - 15 * u**4 + 6 * u**5),
        change / duration * (30 * u**2 - 60 * u**3 + 30 * u**4),
        change / duration**2 * (60 * u - 180 * u**2 + 120 * u**3),
    )
    return within_limits(trajectory, limits)


def check_limits(trajectory: Trajectory, limits: MotionLimits, tolerance: float = 1e-6) -> None:
    """Refuse a trajectory with any sample outside the limits.

    Raises:
        PlanningFailed: naming the joint, the value and its limit.
    """
    velocities, accelerations = trajectory.derivatives
    quantities = (
        ("position", "rad", trajectory.positions, limits.lower, limits.upper),
        ("velocity", "rad/s", velocities, -limits.velocity, limits.velocity),
        ("acceleration", "rad/s²", accelerations, -limits.acceleration, limits.acceleration),
    )
    for quantity, unit, values, low, high in quantities:
        excess = np.maximum(low - values, values - high)
        if excess.max() > tolerance * max(1.0, float(np.abs(high).max())):
            sample, joint = np.unravel_index(int(excess.argmax()), values.shape)
            raise PlanningFailed(
                Problem.OUTSIDE_LIMITS,
                f"{quantity} of {trajectory.joint_names[joint]} is {values[sample, joint]:.4f} {unit} at "
                f"{trajectory.times[sample]:.2f} s; allowed {low[joint]:.4f} to {high[joint]:.4f}",
            )


def within_limits(trajectory: Trajectory, limits: MotionLimits) -> Trajectory:
    """The trajectory, slowed until speeds and accelerations fit at every sample; positions must fit already.

    Raises:
        PlanningFailed: a position is outside its limits, or a sample is not finite.
    """
    # Timing along a path keeps the limits at its grid; between grid points a spline may exceed them a little.
    velocities, accelerations = trajectory.derivatives
    speed = float((np.abs(velocities) / limits.velocity).max())
    acceleration = float(np.sqrt((np.abs(accelerations) / limits.acceleration).max()))
    factor = max(speed, acceleration)
    trajectory = trajectory.slowed(factor * (1 + 1e-9)) if factor > 1 else trajectory
    check_limits(trajectory, limits)
    return trajectory


def _symmetric(bound: Array) -> Array:
    return np.stack([-bound, bound], axis=1)


def _distinct(path: Array, smallest: float = 1e-5) -> Array:
    """Path without points that (nearly) repeat the one before; both ends stay."""
    kept = [path[0]]
    for point in path[1:]:
        if np.linalg.norm(point - kept[-1]) > smallest:
            kept.append(point)
    if len(kept) > 1:
        kept[-1] = path[-1]
    return np.array(kept)
