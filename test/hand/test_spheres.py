from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.hand.primitives import exposed_points, signed_distance
from grasp_pose_net.hand.spheres import collision_pairs


def gap_to_spheres(hand: Hand, link: str, points: np.ndarray) -> np.ndarray:
    own = hand.spheres.link == hand.tree.index(link)
    return (cdist(points, hand.spheres.position[own]) - hand.spheres.radius[own]).min(axis=1)


def test_spheres_do_not_stick_out_of_the_shapes(hand: Hand) -> None:
    directions = np.random.default_rng(0).normal(size=(200, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    spheres = hand.spheres
    for link, position, radius in zip(spheres.link, spheres.position, spheres.radius, strict=True):
        shapes = [shape for shape in hand.shapes if shape.link == hand.tree.names[link]]
        points = position + radius * directions
        assert np.min([signed_distance(shape, points) for shape in shapes], axis=0).max() < 0.0006


@pytest.mark.parametrize("link", ["rh_ffproximal", "rh_lfmiddle", "rh_mfdistal", "rh_thmiddle"])
def test_round_links_are_covered_within_a_millimetre(hand: Hand, link: str) -> None:
    shapes = tuple(shape for shape in hand.shapes if shape.link == link)
    gaps = gap_to_spheres(hand, link, exposed_points(shapes, 0.001))
    assert gaps.max() < 0.001
    assert gaps.min() > -1e-6


@pytest.mark.parametrize("link", ["rh_palm", "rh_lfmetacarpal"])
def test_boxes_are_covered_but_for_their_corners(hand: Hand, link: str) -> None:
    shapes = tuple(shape for shape in hand.shapes if shape.link == link)
    gaps = gap_to_spheres(hand, link, exposed_points(shapes, 0.002))
    assert gaps.max() < 0.008
    assert np.percentile(gaps, 99) < 0.006
    assert np.median(gaps) < 0.0021


def test_number_of_spheres_stays_affordable(hand: Hand) -> None:
    moving = (hand.tree.dof >= 0)[hand.spheres.link] | (hand.spheres.link == 0)
    assert 150 < moving.sum() < 250
    assert (~moving).sum() < 40


def test_open_posture_is_free_and_pairs_are_of_links_that_can_meet(hand: Hand) -> None:
    first, second = hand.self_pairs.T
    assert (gaps(hand, hand.open_joints[None])[0] > 0).all()
    names = np.array(hand.tree.names)
    links = names[hand.spheres.link]
    pairs = {frozenset(pair) for pair in zip(links[first], links[second], strict=True)}
    for can_meet in ("rh_ffdistal rh_mfdistal", "rh_thdistal rh_palm", "rh_thdistal rh_ffdistal"):
        assert set(can_meet.split()) in pairs
    for joined in ("rh_palm", "rh_palm rh_ffproximal", "rh_thproximal rh_thmiddle", "rh_palm rh_wrist"):
        assert set(joined.split()) not in pairs


def test_pairs_that_overlap_at_the_open_posture_or_never_come_near_are_left_out(hand: Hand) -> None:
    one, other = hand.self_pairs[0]
    apart = np.arange(len(hand.spheres.radius))[:, None] * np.array([1.0, 0, 0])  # a metre between any two
    meeting = apart.copy()
    meeting[other] = meeting[one]
    pairs = collision_pairs(hand.spheres, hand.tree, np.stack([apart, meeting]))
    np.testing.assert_array_equal(pairs, [[one, other]])
    assert len(collision_pairs(hand.spheres, hand.tree, np.stack([meeting, meeting]))) == 0


def gaps(hand: Hand, joints: np.ndarray) -> np.ndarray:
    x = np.concatenate([np.tile([0, 0, 0, 1, 0, 0, 0], (len(joints), 1)), joints], axis=1)
    centres = Kinematics(hand, torch.float64).points(torch.tensor(x), hand.spheres).numpy()
    first, second = hand.self_pairs.T
    reach = hand.spheres.radius[first] + hand.spheres.radius[second]
    return np.linalg.norm(centres[:, first] - centres[:, second], axis=2) - reach


def test_crossed_fingers_and_a_clenched_thumb_are_noticed(hand: Hand) -> None:
    crossed, clenched = hand.open_joints.copy(), hand.upper.copy()
    crossed[hand.independent_names.index("rh_FFJ4")] = hand.lower[0]
    crossed[hand.independent_names.index("rh_MFJ4")] = hand.upper[3]
    worst = gaps(hand, np.stack([crossed, clenched])).min(axis=1)
    assert (worst < -0.002).all()


def test_no_collision_between_separate_links_escapes_the_pairs(hand: Hand, rng: np.random.Generator) -> None:
    """Over random postures, the deepest overlap of two digits is always among the pairs."""
    joints = rng.uniform(hand.lower, hand.upper, (300, 18))
    x = np.concatenate([np.tile([0, 0, 0, 1, 0, 0, 0], (300, 1)), joints], axis=1)
    centres = Kinematics(hand, torch.float64).points(torch.tensor(x), hand.spheres).numpy()
    digits = [np.isin(hand.spheres.link, own) for own in _digit_links(hand)]
    listed = np.minimum(gaps(hand, joints).min(axis=1), 0)
    for one in range(5):
        for other in range(one):
            for row, found in zip(centres, listed, strict=True):
                between = cdist(row[digits[one]], row[digits[other]])
                between -= hand.spheres.radius[digits[one]][:, None] + hand.spheres.radius[digits[other]]
                assert found < between.min() + 5e-4 or between.min() >= 0


def _digit_links(hand: Hand) -> list[list[int]]:
    names = [name.replace("rh_lfmetacarpal", "") for name in hand.tree.names]
    starts = ("rh_ff", "rh_mf", "rh_rf", "rh_lf", "rh_th")
    return [[index for index, name in enumerate(names) if name.startswith(start)] for start in starts]
