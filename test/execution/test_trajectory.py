from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grasp_pose_net.exceptions import WorldError
from grasp_pose_net.execution import along_path, check_limits, smooth_move
from grasp_pose_net.robot import MotionLimits, PlanningFailed, Problem

NAMES = ("a", "b", "c")
LIMITS = MotionLimits(np.full(3, -2.0), np.full(3, 2.0), np.array([1.0, 2.0, 3.0]), np.array([3.0, 4.0, 5.0]))


def assert_consistent(trajectory, tolerance):
    """Positions follow from velocities, velocities from accelerations."""
    steps = np.diff(trajectory.times)[:, None]
    moved = np.diff(trajectory.positions, axis=0)
    mean_velocity = 0.5 * (trajectory.velocities[1:] + trajectory.velocities[:-1])
    np.testing.assert_allclose(moved, mean_velocity * steps, atol=tolerance)


def assert_within(trajectory, limits):
    assert (np.abs(trajectory.velocities) <= limits.velocity * (1 + 1e-6)).all()
    assert (np.abs(trajectory.accelerations) <= limits.acceleration * (1 + 1e-6)).all()
    assert (trajectory.positions >= limits.lower - 1e-9).all()
    assert (trajectory.positions <= limits.upper + 1e-9).all()


@pytest.mark.parametrize("points", [2, 3, 10, 60])
def test_along_path_is_within_limits_passes_the_points_and_rests_at_both_ends(points):
    rng = np.random.default_rng(points)
    path = np.clip(np.cumsum(rng.normal(0.0, 0.2, (points, 3)), axis=0), -1.8, 1.8)
    trajectory = along_path(NAMES, path, LIMITS)
    assert_within(trajectory, LIMITS)
    assert_consistent(trajectory, 2e-3)
    assert trajectory.times[0] == 0.0 and (np.diff(trajectory.times) > 0).all()
    np.testing.assert_allclose(trajectory.positions[[0, -1]], path[[0, -1]], atol=1e-9)
    np.testing.assert_array_equal(trajectory.velocities[[0, -1]], 0.0)
    distance = np.linalg.norm(trajectory.positions[:, None] - path[None], axis=2).min(axis=0)
    assert distance.max() < 0.05


def test_along_path_uses_the_limits():
    trajectory = along_path(NAMES, np.array([[-1.5, 0.0, 0.0], [1.5, 0.0, 0.0]]), LIMITS)
    np.testing.assert_allclose(np.abs(trajectory.velocities).max(axis=0), [1.0, 0.0, 0.0], atol=0.02)
    # 3 rad at 1 rad/s, with 1/3 s to get there and 1/3 s to stop
    assert trajectory.duration == pytest.approx(3.0 + 1.0 / 3.0, abs=0.05)


def test_half_the_speed_takes_twice_as_long():
    path = np.array([[-1.5, 0.0, 0.0], [1.5, 0.0, 0.0]])
    slow = along_path(NAMES, path, LIMITS.scaled(0.5, 0.25))
    assert slow.duration == pytest.approx(2 * along_path(NAMES, path, LIMITS).duration, rel=0.02)
    assert_within(slow, LIMITS.scaled(0.5, 0.25))


def test_a_path_to_nowhere_rests():
    trajectory = along_path(NAMES, np.zeros((4, 3)), LIMITS)
    assert trajectory.duration > 0
    np.testing.assert_array_equal(trajectory.positions, 0.0)


def test_a_path_outside_the_limits_is_refused():
    with pytest.raises(
        PlanningFailed, match=r"position of b is 2\.5000 rad at .*; allowed -2\.0000 to 2\.0000"
    ) as raised:
        along_path(NAMES, np.array([[0.0, 0.0, 0.0], [0.0, 2.5, 0.0]]), LIMITS)
    assert raised.value.problem is Problem.OUTSIDE_LIMITS


@pytest.mark.parametrize("duration_s", [0.1, 5.0])
def test_smooth_move_is_within_limits_and_no_shorter_than_asked(duration_s):
    start, goal = np.array([0.0, 1.0, -1.0]), np.array([1.0, -1.0, 0.5])
    trajectory = smooth_move(NAMES, start, goal, LIMITS, duration_s)
    assert_within(trajectory, LIMITS)
    assert_consistent(trajectory, 2e-3)
    assert trajectory.duration >= duration_s
    np.testing.assert_allclose(trajectory.positions[[0, -1]], [start, goal], atol=1e-12)
    np.testing.assert_allclose(trajectory.accelerations[[0, -1]], 0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("field", "unit"), [("positions", "rad"), ("velocities", "rad/s"), ("accelerations", "rad/s²")]
)
def test_check_limits_names_joint_and_value(field, unit):
    trajectory = smooth_move(NAMES, np.zeros(3), np.ones(3), LIMITS)
    check_limits(trajectory, LIMITS)
    values = getattr(trajectory, field).copy()
    values[2, 1] = -9.0
    with pytest.raises(PlanningFailed, match=rf"of b is -9\.0000 {unit} at"):
        check_limits(replace(trajectory, **{field: values}), LIMITS)
    values[2, 1] = np.nan
    with pytest.raises(WorldError, match=rf"the {field}: nan at \(2, 1\) is not a finite number"):
        replace(trajectory, **{field: values})
