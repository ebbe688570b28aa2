"""Simulated annealing: free of collision, closer with time, the best states that differ, repeatable."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from grasp_pose_net.hand import Hand
from grasp_pose_net.inference import draw_starts
from grasp_pose_net.refinement import Energy, evaluate
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.synthesis import Annealing, anneal
from grasp_pose_net.synthesis.annealing import _closeness, _ingber, _remember
from grasp_pose_net.world import HalfSpace

SHORT = Annealing(iterations=400)


@pytest.fixture(scope="module")
def hand() -> Hand:
    return Hand.load("shadow")


@pytest.fixture(scope="module")
def can() -> trimesh.Trimesh:
    return trimesh.creation.cylinder(radius=0.035, height=0.12, sections=24)


@pytest.fixture(scope="module")
def field(can) -> SignedDistanceField:
    return SignedDistanceField.from_mesh(can, 48)


@pytest.fixture(scope="module")
def starts(hand, can, field):
    return draw_starts(hand, can, field, 6, rng=np.random.default_rng(0))


def test_states_are_free_of_collision_and_above_the_plane(hand, field, starts):
    plane = HalfSpace((0.0, 0.0, 1.0), -0.06)
    states, cost = anneal(hand, field, starts, SHORT, plane=plane)
    x = states[np.isfinite(cost)]
    assert len(x) > 20
    assert evaluate(hand, field, x, Energy(contact=0.0, normal=0.0), plane=plane).depths.max() <= 1e-9


def test_a_start_inside_the_object_is_moved_away(hand, field, starts):
    inside = starts.copy()
    inside[:, :3] = 0.0
    _, cost = anneal(hand, field, inside, SHORT)
    assert np.isfinite(cost[:, 0]).all()


def test_longer_runs_end_closer_to_the_surface(hand, field, starts):
    _, short = anneal(hand, field, starts, Annealing(iterations=100, alignment_m=0.0))
    _, long = anneal(hand, field, starts, Annealing(iterations=3000, alignment_m=0.0))
    assert long[:, 0].mean() < 0.8 * short[:, 0].mean()


def test_best_states_come_in_order_and_differ(hand, field, starts):
    states, cost = anneal(hand, field, starts, SHORT)
    assert (np.diff(cost, axis=1)[np.isfinite(cost[:, 1:])] >= 0).all()
    jump = np.r_[np.full(3, 0.1), np.ones(3), 0.5 * (hand.upper - hand.lower)]
    first, second = states[0, :2]
    assert _closeness(first, second, jump, np.empty(3)) >= SHORT.distinct


def test_runs_do_not_depend_on_their_batch(hand, field, starts):
    together, _ = anneal(hand, field, starts, SHORT, seed=3)
    alone, _ = anneal(hand, field, starts[:1], SHORT, seed=3)
    other, _ = anneal(hand, field, starts[:1], SHORT, seed=4)
    np.testing.assert_array_equal(together[:1], alone)
    assert np.abs(other - alone).max() > 1e-3


def test_neighbours_get_closer_as_it_cools():
    state = np.array([1], dtype=np.uint64)
    hot, cold = (np.array([_ingber(t, state) for _ in range(2000)]) for t in (1e-2, 1e-8))
    assert np.abs(hot).max() <= 1.0 and abs(hot.mean()) < 0.05
    # Half of the draws are below T ((1 + 1 / T)^(1 / 2) - 1).
    np.testing.assert_allclose(np.median(np.abs(hot)), 0.0905, rtol=0.15)
    np.testing.assert_allclose(np.median(np.abs(cold)), 1e-4, rtol=0.5)


def test_a_better_state_replaces_its_copy_only():
    jump, best, cost = np.ones(7), np.zeros((3, 8)), np.full(3, np.inf)

    def state(position):
        return np.r_[position, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]

    for position, value in ((0.0, 3.0), (1.0, 2.0), (0.05, 2.5), (1.05, 2.2), (2.0, 1.0), (3.0, 9.0)):
        _remember(state(position), value, 0.2, jump, best, cost)
    np.testing.assert_allclose(cost, [1.0, 2.0, 2.5])
    np.testing.assert_allclose(best[:, 0], [2.0, 1.0, 0.05])
