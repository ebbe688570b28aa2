"""The planner: its grasps are good, different, above the table, and the same for the same seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.inference import Starts, draw_starts
from grasp_pose_net.quality import contacts, epsilon, penetration
from grasp_pose_net.refinement import Energy, descend, evaluate, postures
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.synthesis import Synthesis, grasp_distance, stable_planes, synthesize
from grasp_pose_net.synthesis.candidates import Candidates, contact_weights

QUICK = Synthesis(
    descent=replace(Synthesis().descent, iterations=100), least_epsilon=0.02, weak_epsilon=0.02, table_poses=1
)


@pytest.fixture(scope="module")
def hand() -> Hand:
    return Hand.load("shadow")


@pytest.fixture(scope="module")
def can() -> trimesh.Trimesh:
    return trimesh.creation.cylinder(radius=0.035, height=0.12, sections=24)


@pytest.fixture(scope="module")
def grasps(hand, can):
    return synthesize(hand, can, 20, np.random.default_rng(0))


def test_enough_grasps_and_better_ones_first(grasps):
    assert len(grasps.x) == 20
    assert grasps.epsilon.min() >= Synthesis().least_epsilon
    assert grasps.epsilon[:5].mean() > grasps.epsilon[-5:].mean()


def test_grasps_hold_and_do_not_penetrate(hand, can, grasps):
    field = SignedDistanceField.from_mesh(can)
    x, kinematics = torch.as_tensor(grasps.x, dtype=torch.float32), Kinematics(hand)
    depth = penetration(hand, kinematics, field, x)
    assert depth.hand_penetration_m.max() <= 0.0011 and depth.self_penetration_m.max() <= 0.0011
    touching = contacts(hand, kinematics, field, x)
    exact = [epsilon(*touching.of(i), field.radius) for i in range(len(x))]
    assert min(exact) > 0.0 and np.mean(exact) > 0.1
    assert (grasps.x[:, 7:] >= hand.lower).all() and (grasps.x[:, 7:] <= hand.upper).all()


def test_most_grasps_are_clear_of_the_table_they_name(hand, grasps):
    named = (grasps.plane[:, :3] != 0).any(1)
    assert named.mean() >= 0.5
    x = torch.as_tensor(grasps.x[named], dtype=torch.float64)
    centres = Kinematics(hand, torch.float64).points(x, hand.spheres).numpy()
    height = np.einsum("bsi,bi->bs", centres, grasps.plane[named, :3]) - grasps.plane[named, 3:]
    assert (height - hand.spheres.radius).min() >= 0.0


def test_no_two_grasps_are_copies(grasps):
    distance = grasp_distance(grasps.x[:, None], grasps.x[None]) + 10 * np.eye(len(grasps.x))
    assert distance.min() >= Synthesis().apart


def test_same_seed_same_grasps(hand, can):
    quick = Synthesis(
        descent=replace(Synthesis().descent, iterations=60), least_epsilon=0.0, max_candidates=9
    )
    first, again, other = (synthesize(hand, can, 3, np.random.default_rng(seed), quick) for seed in (4, 4, 5))
    assert len(first.x) > 0
    np.testing.assert_array_equal(first.x, again.x)
    assert first.x.shape != other.x.shape or np.abs(first.x - other.x).max() > 1e-3


def test_impossible_wishes_give_no_grasps(hand, can):
    hopeless = Synthesis(
        descent=replace(Synthesis().descent, iterations=5), least_epsilon=10.0, max_candidates=10
    )
    grasps = synthesize(hand, can, 2, np.random.default_rng(0), hopeless)
    assert len(grasps.x) == 0 and grasps.tried == 10 and grasps.passed == 0


def test_only_validated_grasps_are_kept_and_all_trials_counted(hand, can):
    lots = []

    def validate(hand_given, mesh, field, x):
        assert hand_given is hand and mesh is can and field.radius > 0.06
        lots.append(x.copy())
        return x[:, 2] > 0

    config = replace(QUICK, max_candidates=400, lot=4)
    grasps = synthesize(hand, can, 6, np.random.default_rng(3), config, validate)
    tried = np.concatenate(lots)
    assert max(len(lot) for lot in lots) <= 4
    assert len(grasps.x) == 6 and (grasps.x[:, 2] > 0).all() and (tried[:, 2] <= 0).any()
    assert grasps.trials == len(tried) and grasps.held == (tried[:, 2] > 0).sum() == 6
    assert grasps.tried >= grasps.passed >= grasps.trials
    distance = grasp_distance(tried[:, None], tried[None]) + 10 * np.eye(len(tried))
    assert distance.min() >= config.apart
    assert set(grasps.seconds) == {"field", "starts", "search", "filter", "trial"}
    assert grasps.seconds["search"] > 0


def test_better_candidates_are_validated_first(hand, can):
    everything = synthesize(hand, can, 6, np.random.default_rng(3), replace(QUICK, max_candidates=18))
    seen = []

    def refuse(hand, mesh, field, x):
        seen.append(x)
        return np.zeros(len(x), bool)

    config = replace(QUICK, max_candidates=18, max_trials=3)
    none = synthesize(hand, can, 6, np.random.default_rng(3), config, refuse)
    assert len(none.x) == 0 and none.trials == 3 and none.held == 0
    np.testing.assert_array_equal(np.concatenate(seen), everything.x[:3])


def test_annealing_makes_grasps_that_pass_the_same_filter(hand, can):
    config = replace(QUICK, method="annealing", annealing=replace(QUICK.annealing, iterations=4000))
    grasps = synthesize(hand, can, 3, np.random.default_rng(0), replace(config, max_candidates=200))
    assert len(grasps.x) == 3
    assert grasps.hand_penetration_m.max() <= config.tolerance_m
    assert grasps.self_penetration_m.max() <= config.tolerance_m
    assert (grasps.x[:, 7:] >= hand.lower).all() and (grasps.x[:, 7:] <= hand.upper).all()


def test_scouting_finds_the_starts_that_are_worth_a_descent(hand):
    carton = trimesh.creation.box((0.06, 0.13, 0.19))  # few places where fingers reach around it
    field = SignedDistanceField.from_mesh(carton, 64)
    passed = [
        len(Candidates(hand, carton, field, [], rng, replace(Synthesis(), scouts=scouts)).round(48).x)
        for scouts, rng in ((1, np.random.default_rng(0)), (4, np.random.default_rng(0)))
    ]
    assert passed[1] > 1.5 * passed[0]


def test_a_hand_that_cannot_open_does_not_pass(hand):
    carton = trimesh.creation.box((0.06, 0.13, 0.19))
    field, config = SignedDistanceField.from_mesh(carton, 64), replace(QUICK, scouts=1, least_epsilon=0.0)

    def deepest_before(x):
        before = np.concatenate([x[:, :7], postures(hand, field, x)[0]], axis=1)
        return evaluate(hand, field, before, Energy(contact=0.0, normal=0.0)).depths.max(1)

    x = draw_starts(hand, carton, field, 40, rng=np.random.default_rng(0))
    ended = descend(hand, field, x, config.descent)
    assert (deepest_before(ended.x) > 0.002).any()
    passed = Candidates(hand, carton, field, [], np.random.default_rng(0), config).round(40)
    assert len(passed.x) > 0 and deepest_before(passed.x).max() <= config.tolerance_m


def test_candidates_tell_how_many_were_tried(hand, can):
    field = SignedDistanceField.from_mesh(can, 48)
    planes = stable_planes(can, 2, rng=np.random.default_rng(0))
    found = Candidates(hand, can, field, planes, np.random.default_rng(0), QUICK).round(21)
    assert found.tried == 21 and found.passed == len(found.x) > 0


def test_weak_grasps_come_last_and_only_where_others_do_not_suffice(hand, can):
    config = replace(QUICK, least_epsilon=0.25, max_candidates=40)
    seen = []

    def validate(hand, mesh, field, x):
        seen.append(x)
        return np.ones(len(x), bool)

    def weak(count):
        grasps = synthesize(hand, can, count, np.random.default_rng(0), config, validate)
        return grasps, (grasps.epsilon < config.least_epsilon).sum()

    few, none = weak(2)
    assert len(few.x) == 2 and none == 0
    seen.clear()
    many, some = weak(30)
    assert some > 0 and many.epsilon.min() >= config.weak_epsilon
    order = [
        float(many.epsilon[(many.x == x).all(1)][0]) >= config.least_epsilon for x in np.concatenate(seen)
    ]
    assert order == sorted(order, reverse=True)
    assert many.passed < len(many.x)


def test_config_says_what_is_wrong():
    with pytest.raises(ConfigError, match="method is 'magic'; valid: gradient, annealing"):
        Synthesis(method="magic")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="lot: 0 is out of range; valid: 1 to 100000"):
        Synthesis(lot=0)


def test_starts_face_the_object(hand, can):
    field = SignedDistanceField.from_mesh(can, 32)
    x = draw_starts(hand, can, field, 50, rng=np.random.default_rng(0), config=Starts(tilt_rad=0.0))
    turned = Kinematics(hand, torch.float64).link_poses(torch.tensor(x))[:, 0, :3, :3].numpy()
    palm, centre = turned @ hand.palm_normal, x[:, :3] + turned @ hand.grasp_centre
    gap = field.distance(torch.tensor(centre)[None])[0].numpy()
    assert (gap > 0.015).all() and (gap < 0.065).all()
    outward = field.normal(torch.tensor(centre)[None])[0].numpy()
    assert np.median((palm * outward).sum(1)) < -0.95
    np.testing.assert_allclose(np.linalg.norm(x[:, 3:7], axis=1), 1.0, atol=1e-9)


def test_starts_avoid_the_table(hand, can):
    field = SignedDistanceField.from_mesh(can, 32)
    plane = next(p for p in stable_planes(can, 5, rng=np.random.default_rng(0)) if abs(p.normal[2]) > 0.9)

    def lowest(plane_given):
        x = draw_starts(hand, can, field, 40, rng=np.random.default_rng(1), plane=plane_given)
        points = Kinematics(hand, torch.float64).points(torch.tensor(x), hand.spheres).numpy()
        return np.median((points @ np.array(plane.normal)).min(1) - plane.offset)

    assert lowest(plane) > lowest(None) + 0.05


def test_stable_planes_carry_the_object(can):
    planes = stable_planes(can, 8, rng=np.random.default_rng(0))
    assert len({tuple(plane.normal) for plane in planes}) == len(planes) >= 3
    for plane in planes:
        height = can.vertices @ np.array(plane.normal) - plane.offset
        assert abs(height.min()) < 1e-6


def test_fingertip_grasps_draw_the_outermost_links_only(hand):
    weights = contact_weights(hand, 400, Synthesis(fingertip_share=0.25), np.random.default_rng(0))
    outermost = np.array([hand.tree.names[link].endswith("distal") for link in hand.contacts.link])
    fingertip = (weights[:, ~outermost] == 0).all(1)
    assert 0.15 < fingertip.mean() < 0.35
    assert (weights[:, outermost] == 1).all() and (weights[~fingertip] > 0).all()


def test_grasp_distance_has_known_values(hand):
    a = np.r_[np.zeros(3), 1.0, np.zeros(21)]
    b = a.copy()
    b[0] = 0.3
    assert grasp_distance(a, b) == pytest.approx(3.0)
    b = a.copy()
    b[3:7] = -np.cos(0.35), -np.sin(0.35), 0, 0  # 0.7 rad, other sign of the quaternion
    assert grasp_distance(a, b) == pytest.approx(1.0)
