from __future__ import annotations

import re

import numpy as np
import pytest

from grasp_pose_net.exceptions import WorldError
from grasp_pose_net.robot import MotionLimits
from grasp_pose_net.simulation.interpolation import Path, starting_at
from grasp_pose_net.world import Trajectory

NAMES = ("a", "b")
LIMITS = MotionLimits(np.full(2, -1.0), np.full(2, 1.0), np.full(2, 2.0), np.full(2, np.inf))
RNG = np.random.default_rng(4)
TIMES = np.array([0.0, 1.0, 2.5])


def polynomial(degree):
    """Random polynomial, its first and second derivative, as functions of time with two columns."""
    p = [np.polynomial.Polynomial(RNG.uniform(-0.1, 0.1, degree + 1)) for _ in range(2)]
    return [
        lambda t, k=k: np.stack([q.deriv(k)(np.asarray(t)) if k else q(np.asarray(t)) for q in p], -1)
        for k in range(3)
    ]


@pytest.mark.parametrize("degree", [1, 3, 5])
def test_a_polynomial_of_the_degree_is_reproduced(degree):
    position, velocity, acceleration = polynomial(degree)
    path = Path(
        Trajectory(
            NAMES,
            TIMES,
            position(TIMES),
            velocity(TIMES) if degree > 1 else None,
            acceleration(TIMES) if degree > 3 else None,
        )
    )
    for t in RNG.uniform(0, 2.5, 20):
        p, v = path.sample(t)
        np.testing.assert_allclose(p, position(t), atol=1e-12)
        np.testing.assert_allclose(v, velocity(t), atol=1e-12)


def test_the_joints_stand_still_before_and_after():
    trajectory = Trajectory(NAMES, TIMES, RNG.uniform(-1, 1, (3, 2)), RNG.uniform(-1, 1, (3, 2)))
    for t, i in ((-1, 0), (2.5, 2), (9, 2)):
        p, v = Path(trajectory).sample(t)
        np.testing.assert_array_equal(p, trajectory.positions[i])
        np.testing.assert_array_equal(v, 0)


def test_a_late_first_point_is_reached_from_where_the_joints_are():
    trajectory = starting_at(line([1.0], [[0.5, -0.5]]), np.array([0.1, 0.1]))
    np.testing.assert_allclose(Path(trajectory).sample(0.5)[0], [0.3, -0.2])


def test_a_single_point_is_stood_still_at():
    path = Path(starting_at(line([0.0], [[0.5, -0.5]]), np.zeros(2)))
    for t in (-1.0, 0.0, 1.0):
        np.testing.assert_array_equal(path.sample(t), [[0.5, -0.5], [0.0, 0.0]])
    assert path.problem(LIMITS) == ""


def test_accelerations_without_velocities_are_straight_lines():
    trajectory = Trajectory(NAMES, np.array([0.0, 1.0]), np.array([[0, 0], [1, 1]]), None, np.ones((2, 2)))
    np.testing.assert_allclose(Path(trajectory).sample(0.25), [[0.25, 0.25], [1.0, 1.0]])


def line(times, positions):
    return Trajectory(NAMES, np.array(times, float), np.array(positions, float))


@pytest.mark.parametrize(
    ("times", "positions", "text"),
    [
        ([], np.zeros((0, 2)), "no points"),
        ([0, 1, 1], np.zeros((3, 2)), "rise strictly"),
        ([-1, 1], np.zeros((2, 2)), "rise strictly"),
        ([0, np.nan], np.zeros((2, 2)), "times: nan at 1 is not a finite number"),
        ([0, 1], [[0, 0], [0, np.nan]], r"positions: nan at \(1, 1\) is not a finite number"),
    ],
)
def test_what_is_no_trajectory_is_named(times, positions, text):
    with pytest.raises(WorldError, match=text):
        line(times, positions)


@pytest.mark.parametrize(
    ("trajectory", "text"),
    [
        (
            line([0, 1], [[0, 0], [0, 1.2]]),
            r"b would be at 1.2000 rad, outside its limits \[-1.0000, 1.0000\]",
        ),
        (line([0, 0.1], [[0, 0], [0.5, 0]]), "a would move at 5.000 rad/s, its limit is 2.000 rad/s"),
        (
            Trajectory(
                NAMES, np.array([0.0, 2.0]), np.array([[0.9, 0], [0.9, 0]]), np.array([[1.0, 0], [-1.0, 0]])
            ),
            "between its points, a would be at 1.4",
        ),
    ],
)
def test_what_the_robot_cannot_do_is_named(trajectory, text):
    assert re.search(text, Path(trajectory).problem(LIMITS))


def test_what_the_robot_can_do_has_no_problem():
    assert Path(line([0, 1], [[0, 0], [1, -1]])).problem(LIMITS) == ""
