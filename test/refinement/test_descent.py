"""Descent of a batch: deterministic, each candidate on its own, arguments left alone."""

from __future__ import annotations

import numpy as np
import pytest

from grasp_pose_net.refinement import Descent, Energy, descend, evaluate
from grasp_pose_net.world import Box, Part

SHORT = Descent(iterations=40, noise=0.02)


def test_descent_lowers_the_energy(hand, field, starts):
    descent = Descent(iterations=80)
    before = evaluate(hand, field, starts, descent.energy).energy
    after = evaluate(hand, field, descend(hand, field, starts, descent).x, descent.energy).energy
    assert (after < before).all()
    assert np.median(after) < 0.7 * np.median(before)


def test_same_seed_gives_the_same_numbers_and_another_does_not(hand, field, starts):
    first = descend(hand, field, starts, SHORT, seed=0).x
    np.testing.assert_array_equal(first, descend(hand, field, starts, SHORT, seed=0).x)
    assert np.abs(first - descend(hand, field, starts, SHORT, seed=1).x).max() > 1e-3


def test_batch_equals_loop(hand, field, starts, table):
    quiet = Descent(iterations=40)
    batch = descend(hand, field, starts, quiet, plane=table)
    for i in (0, 7, 15):
        alone = descend(hand, field, starts[i : i + 1], quiet, plane=table)
        np.testing.assert_array_equal(batch.x[i], alone.x[0])
        np.testing.assert_array_equal(batch.depths[i], alone.depths[0])


def test_arguments_are_not_modified(hand, field, starts):
    copy = starts.copy()
    descend(hand, field, starts, SHORT)
    np.testing.assert_array_equal(starts, copy)


def test_joints_stay_inside_their_limits_and_quaternions_stay_units(hand, field, starts):
    wild = starts.copy()
    wild[:, 7:] += 3.0
    x = descend(hand, field, wild, Descent(iterations=20, noise=0.5)).x
    assert (x[:, 7:] >= hand.lower).all() and (x[:, 7:] <= hand.upper).all()
    np.testing.assert_allclose(np.linalg.norm(x[:, 3:7], axis=1), 1.0, atol=1e-12)


def test_strong_anchor_holds_a_candidate(hand, field, starts):
    loose = descend(hand, field, starts, Descent(iterations=80)).x
    tight = descend(hand, field, starts, Descent(energy=Energy(anchor=1e7), iterations=80)).x
    assert np.linalg.norm(tight[:, :3] - starts[:, :3], axis=1).max() < 0.002
    assert np.linalg.norm(loose[:, :3] - starts[:, :3], axis=1).max() > 0.01


def test_descent_keeps_out_of_boxes(hand, field, starts):
    T_object_box = np.eye(4)
    T_object_box[:3, 3] = 0.0, 0.09, 0.0
    wall = (Part(Box((0.3, 0.08, 0.3)), T_object_box),)
    near = starts[evaluate(hand, field, starts, Energy(), obstacles=wall).depths[:, 3] > 0.005]
    assert len(near) > 0
    depth = descend(hand, field, near, Descent(iterations=200), obstacles=wall).depths[:, 3]
    assert np.median(depth) < 0.002  # some are caught between wall and object


def test_stops_early_where_nothing_is_deep(hand, field, starts):
    away = starts.copy()
    away[:, :3] *= 10
    result = descend(hand, field, away, Descent(stop_depth_m=0.02))
    np.testing.assert_array_equal(result.iterations, 0)
    np.testing.assert_allclose(result.x, away, atol=1e-15)


def test_wrong_shapes_are_refused(hand, field, starts):
    with pytest.raises(ValueError, match=r"x: expected \(B, 25\), got \(16, 24\)"):
        descend(hand, field, starts[:, :24], SHORT)
    with pytest.raises(ValueError, match=r"weights: expected \(45,\) or \(16, 45\), got \(44,\)"):
        descend(hand, field, starts, SHORT, weights=np.ones(44))
    with pytest.raises(ValueError, match="quaternion of row 1 has no length"):
        descend(hand, field, starts * (np.arange(16) != 1)[:, None], SHORT)
