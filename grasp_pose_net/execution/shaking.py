"""The oscillation that a lift trial asks of the arm."""

from __future__ import annotations

import numpy as np

from grasp_pose_net.execution.timing import check_limits
from grasp_pose_net.robot import Chain
from grasp_pose_net.robot.motion import SAMPLE_S, MotionLimits
from grasp_pose_net.robot.problems import PlanningFailed, Problem
from grasp_pose_net.world import Array, Trajectory


def shake(
    chain: Chain,
    joint_names: tuple[str, ...],
    start: Array,
    limits: MotionLimits,
    amplitude_m: float = 0.03,
    frequency_hz: float = 1.0,
    periods: int = 1,
) -> Trajectory:
    """Sinusoidal motion of the tip along x, y and z of the world, one after another, ending where it began.

    The speed rises and falls smoothly within one further period before and after each axis.

    Args:
        chain: the arm.
        joint_names: (A,) the arm's joints.
        start: (A,) joints to swing around [rad].
        limits: what no sample may exceed.
        amplitude_m: largest distance from the start [m].
        frequency_hz: oscillations a second [Hz].
        periods: full oscillations for each axis.

    Raises:
        PlanningFailed: a point is out of reach, or the motion is too fast for the limits.
    """
    offsets = _wave(amplitude_m, frequency_hz, periods)
    rest = chain.tip_pose(start)
    poses = np.tile(rest, (3 * len(offsets), 1, 1))
    for axis in range(3):
        poses[axis * len(offsets) : (axis + 1) * len(offsets), axis, 3] += offsets
    path = chain.track(start, poses, largest_step=0.2)
    if len(path) < len(poses):
        blocked = "xyz"[len(path) // len(offsets)]
        raise PlanningFailed(
            Problem.NO_INVERSE_KINEMATICS, f"shaking by {amplitude_m} m along {blocked} is out of reach"
        )
    times = np.asarray(SAMPLE_S * np.arange(len(path)), float)
    velocities = np.gradient(path, SAMPLE_S, axis=0)
    velocities[[0, -1]] = 0.0
    trajectory = Trajectory(joint_names, times, path, velocities, np.gradient(velocities, SAMPLE_S, axis=0))
    check_limits(trajectory, limits)
    return trajectory


def _wave(amplitude_m: float, frequency_hz: float, periods: int) -> Array:
    """Offsets (N,) [m] every ``SAMPLE_S``: full oscillations between one that grows and one that fades."""
    time = np.arange(0.0, (periods + 2) / frequency_hz + SAMPLE_S / 2, SAMPLE_S)
    phase = time * frequency_hz
    ramp = np.clip(np.minimum(phase, periods + 2 - phase), 0.0, 1.0)
    envelope = ramp**2 * (3 - 2 * ramp)
    return amplitude_m * envelope * np.sin(2 * np.pi * phase)
