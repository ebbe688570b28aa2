from __future__ import annotations

import numpy as np
import pytest

from grasp_pose_net.simulation.interpolation import JointLimits, Trajectory, trajectory_problem

NAMES = ("a", "b")
LIMITS = JointLimits(np.array([-1.0, -1.0]), np.array([1.0, 1.0]), np.array([2.0, 2.0]))
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
    trajectory = Trajectory(
        TIMES,
        position(TIMES),
        velocity(TIMES) if degree > 1 else None,
        acceleration(TIMES) if degree > 3 else None,
    )
    for t in RNG.uniform(0, 2.5, 20):
        p, v = trajectory.sample(t)
        np.testing.assert_allclose(p, position(t), atol=1e-12)
        np.testing.assert_allclose(v, velocity(t), atol=1e-12)


def test_the_joints_stand_still_before_and_after():
    trajectory = Trajectory(TIMES, RNG.uniform(-1, 1, (3, 2)), RNG.uniform(-1, 1, (3, 2)))
    for t, i in ((-1, 0), (2.5, 2), (9, 2)):
        p, v = trajectory.sample(t)
        np.testing.assert_array_equal(p, trajectory.positions[i])
        np.testing.assert_array_equal(v, 0)


def test_a_late_first_point_is_reached_from_where_the_joints_are():
    trajectory = Trajectory(np.array([1.0]), np.array([[0.5, -0.5]])).starting_at(np.array([0.1, 0.1]))
    np.testing.assert_allclose(trajectory.sample(0.5)[0], [0.3, -0.2])


def line(times, positions):
    return Trajectory(np.array(times, float), np.array(positions, float))


@pytest.mark.parametrize(
    ("trajectory", "text"),
    [
        (line([], np.zeros((0, 2))), "no points"),
        (line([0, 1, 1], np.zeros((3, 2))), "rise strictly"),
        (line([-1, 1], np.zeros((2, 2))), "rise strictly"),
        (line([0, 1], [[0, 0], [0, np.nan]]), "positions contain a number that is not finite"),
        (
            line([0, 1], [[0, 0], [0, 1.2]]),
            r"b would be at 1.2000 rad, outside its limits \[-1.0000, 1.0000\]",
        ),
        (line([0, 0.1], [[0, 0], [0.5, 0]]), "a would move at 5.000 rad/s, its limit is 2.000 rad/s"),
        (
            Trajectory(np.array([0.0, 2.0]), np.array([[0.9, 0], [0.9, 0]]), np.array([[1.0, 0], [-1.0, 0]])),
            "between its points, a would be at 1.4",
        ),
    ],
)
def test_what_the_robot_cannot_do_is_named(trajectory, text):
    import re

    assert re.search(text, trajectory_problem(trajectory, NAMES, LIMITS))


def test_what_the_robot_can_do_has_no_problem():
    assert trajectory_problem(line([0, 1], [[0, 0], [1, -1]]), NAMES, LIMITS) == ""
