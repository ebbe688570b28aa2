"""Forces that press without moving the object."""

import numpy as np
import pytest

from grasp_pose_net.refinement import balanced_forces

RADIUS_M = 0.05


def on_a_sphere(directions):
    normals = np.array(directions, float)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    return RADIUS_M * normals, normals


def wrench(points, forces):
    return np.hstack([forces.sum(1), np.cross(points, forces).sum(1) / RADIUS_M])


def solve(directions, friction=0.3, evenness=0.05, touching=None):
    points, normals = on_a_sphere([directions])
    touching = np.ones(points.shape[:2], bool) if touching is None else np.array([touching])
    return points, normals, balanced_forces(points, normals, touching, RADIUS_M, friction, evenness)


def test_a_pinch_presses_along_its_normals():
    _, normals, forces = solve([[1, 0, 0], [-1, 0, 0]])
    np.testing.assert_allclose(forces, -normals, atol=1e-9)


def test_a_thumb_against_two_fingers_presses_twice_as_hard():
    points, normals, forces = solve([[1, 0, 0], [-1, 0.2, 0], [-1, -0.2, 0]], evenness=1e-3)
    press = -(forces * normals).sum(-1)[0]
    assert press[0] == pytest.approx(2 * press[1], rel=0.05)
    assert press.mean() == pytest.approx(1.0)
    assert np.abs(wrench(points, forces)).max() < 0.01


def test_forces_balance_and_stay_in_their_cones():
    rng = np.random.default_rng(0)
    points, normals, forces = solve(rng.normal(size=(12, 3)), evenness=1e-3)
    uneven = np.linalg.norm(wrench(points, -normals))
    assert np.linalg.norm(wrench(points, forces)) < 0.05 * uneven
    press = -(forces * normals).sum(-1)
    tangential = np.linalg.norm(forces + press[..., None] * normals, axis=-1)
    assert (press >= 0).all() and (tangential <= 0.3 * press + 1e-9).all()


def test_what_does_not_touch_does_not_press():
    _, _, forces = solve([[1, 0, 0], [-1, 0, 0], [0, 1, 0]], touching=[True, True, False])
    assert (forces[0, 2] == 0).all() and (forces[0, :2] != 0).any()
    _, _, none = solve([[1, 0, 0], [-1, 0, 0]], touching=[False, False])
    assert (none == 0).all()
