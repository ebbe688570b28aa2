"""Refinement, ranking and postures: what a candidate becomes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.inference import draw_starts
from grasp_pose_net.planning import Account, Batch, Context, Judge, Refine, Reject, Surroundings, run
from grasp_pose_net.quality import contacts, hand_penetration, penetration
from grasp_pose_net.refinement import Descent, Refinement, contact_jacobian, paper_objective, postures, refine
from grasp_pose_net.refinement.refine import surface_depth
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.world import Box, HalfSpace, Part


def planned(hand: Hand, field: SignedDistanceField, x: np.ndarray, near: Surroundings) -> Batch:
    """What the planner's stages make of candidates: refined, and judged by ε."""
    context = Context(
        hand=hand,
        kinematics=Kinematics(hand),
        target=None,
        field=field,
        near=near,
        rng=np.random.default_rng(0),
    )
    return run([Refine(), Judge()], Batch.of(x), context)


@pytest.fixture(scope="module")
def refined(hand, can, field, table):
    """Of candidates that are above the table, as those of every proposer are."""
    above = draw_starts(hand, can, field, 16, rng=np.random.default_rng(3), plane=table)
    return refine(hand, field, above, table)


def test_refined_grasps_do_not_penetrate_and_touch(hand, field, refined):
    assert refined.ok.mean() >= 0.9
    x = torch.as_tensor(refined.x[refined.ok], dtype=torch.float32)
    kinematics = Kinematics(hand)
    depth = penetration(hand, kinematics, field, x)
    assert depth.hand_penetration_m.max() <= 0.00051
    assert depth.self_penetration_m.max() <= 0.00051
    assert contacts(hand, kinematics, field, x).touching.sum(1).float().mean() >= 12


def test_the_skin_between_the_spheres_is_cleared_too(hand, field, starts):
    as_they_are = refine(hand, field, starts, config=Refinement(clearing=Descent(iterations=0)))
    cleared = refine(hand, field, starts, config=Refinement())
    assert (~as_they_are.ok).sum() >= 2
    assert (~cleared.ok).sum() <= 0.5 * (~as_they_are.ok).sum()
    assert (cleared.x[as_they_are.ok] == as_they_are.x[as_they_are.ok]).all()


def test_the_skins_depth_is_that_of_the_figures(hand, field, starts):
    deep = starts.copy()
    deep[:, :3] *= np.linspace(0.5, 1.5, len(deep))[:, None]
    expected = hand_penetration(hand, Kinematics(hand, torch.float64), field, torch.as_tensor(deep)).numpy()
    assert (expected > 0.01).any() and (expected == 0.0).any()
    np.testing.assert_allclose(surface_depth(hand, field, deep), expected, atol=1e-6)


def test_hand_and_forearm_stay_above_the_table(hand, refined, table):
    x = torch.as_tensor(refined.x[refined.ok], dtype=torch.float64)
    lowest = (
        Kinematics(hand, torch.float64).points(x, hand.spheres)[..., 2].numpy() - hand.spheres.radius
    ).min(1)
    assert lowest.min() >= table.offset - 0.0011


def test_says_where_it_did_not_converge(hand, field, starts):
    # Inside a box on all sides nothing can be free.
    result = refine(hand, field, starts[:4], obstacles=(Part(Box((2.0, 2.0, 2.0)), np.eye(4)),))
    assert not result.ok.any()
    assert (result.obstacle_m > 0.5).all()


def test_paper_objective_stays_closer_with_more_beta(hand, field, starts):
    deep = starts.copy()
    deep[:, :3] *= 0.8
    moved = []
    for beta in (0.05, 0.9999):
        x = refine(
            hand,
            field,
            deep,
            config=Refinement(objective=paper_objective(beta), separation=Descent(iterations=0)),
        )
        moved.append(np.linalg.norm(x.x[:, :3] - deep[:, :3], axis=1).mean())
    assert moved[1] < moved[0]
    with pytest.raises(ValueError, match=r"beta: expected a number from 0 to 1, got 1\.5"):
        paper_objective(1.5)


def test_ranking_is_by_epsilon_and_counts_what_is_lost(hand, field, starts, table):
    batch = planned(hand, field, starts, Surroundings(plane=table))
    best = batch.best()
    assert len(best) >= 8
    assert (np.diff(batch.epsilon[best]) <= 0).all() and batch.epsilon[best[0]] > 0.1
    assert len(best) + sum(Account.of(batch).rejected.values()) == len(starts)
    walled_in = Surroundings(obstacles=(Part(Box((2.0, 2.0, 2.0)), np.eye(4)),))
    lost = planned(hand, field, starts[:3], walled_in)
    assert len(lost.best()) == 0 and Account.of(lost).rejected == {Reject.HITS_NEIGHBOUR: 3}


def test_pregrasp_opens_and_squeeze_presses(hand, field, refined):
    x = refined.x[refined.ok]
    fingers = hand.contacts.digit < 5
    distance = contact_jacobian(hand, field, x)[1]
    opened, squeezed = postures(hand, field, x)
    for joints, sign, within in ((opened, 1, 0.012), (squeezed, -1, 0.005)):
        assert (joints >= hand.lower).all() and (joints <= hand.upper).all()
        after = contact_jacobian(hand, field, np.concatenate([x[:, :7], joints], axis=1))[1]
        near = (np.abs(distance) <= within) & fingers
        assert 0.003 < np.median(sign * (after - distance)[near]) < 0.015


def test_pregrasp_does_not_open_into_the_table(hand, field, refined):
    x = refined.x[refined.ok]
    before = contact_jacobian(hand, field, x)[0][..., 1]

    def lowered(plane):
        opened = np.concatenate([x[:, :7], postures(hand, field, x, plane)[0]], axis=1)
        return np.maximum(before - contact_jacobian(hand, field, opened)[0][..., 1], 0).mean()

    at_every_contact = HalfSpace((0.0, 1.0, 0.0), 1.0)  # no contact has room towards -y
    assert lowered(at_every_contact) < 0.6 * lowered(None)


def test_postures_of_a_hand_in_the_air_are_the_grasp_itself(hand, field, starts):
    away = starts.copy()
    away[:, :3] += 1.0
    for joints in postures(hand, field, away):
        np.testing.assert_array_equal(joints, away[:, 7:])
