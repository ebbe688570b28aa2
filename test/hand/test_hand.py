from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.hand.primitives import signed_distance
from grasp_pose_net.models import hand_file

COUPLED = [(f"rh_{finger}J1", f"rh_{finger}J2") for finger in ("FF", "MF", "RF", "LF")]


def test_counts_of_the_25_dof_shadow_hand(hand: Hand) -> None:
    assert hand.size == 25
    assert len(hand.joint_names) == 24
    assert hand.joint_names[:3] == ("rh_WRJ2", "rh_WRJ1", "rh_FFJ4")
    fingers = "FFJ4 FFJ3 FFJ2 MFJ4 MFJ3 MFJ2 RFJ4 RFJ3 RFJ2 LFJ5 LFJ4 LFJ3 LFJ2"
    names = f"{fingers} THJ5 THJ4 THJ3 THJ2 THJ1".split()
    assert hand.independent_names == tuple(f"rh_{name}" for name in names)
    np.testing.assert_array_equal(np.bincount(hand.contacts.digit), [8, 8, 8, 8, 8, 5])
    assert hand.digit_names[0] == "first_finger" and hand.digit_names[5] == "palm"


def test_all_joints_expands_couplings_and_holds_the_wrist(hand: Hand, rng: np.random.Generator) -> None:
    joints = rng.uniform(hand.lower, hand.upper, (5, 18))
    angles = hand.all_joints(joints)
    assert angles.shape == (5, 24)
    np.testing.assert_array_equal(angles[:, :2], 0)
    for follower, leader in COUPLED:
        np.testing.assert_array_equal(
            angles[:, hand.joint_names.index(follower)], angles[:, hand.joint_names.index(leader)]
        )
    np.testing.assert_array_equal(hand.independent_joints(angles), joints)


def test_limits_are_the_makers(hand: Hand) -> None:
    degrees = {"rh_FFJ4": (-20, 20), "rh_LFJ3": (-15, 90), "rh_MFJ2": (0, 90), "rh_LFJ5": (0, 45)}
    degrees |= {"rh_THJ5": (-60, 60), "rh_THJ4": (0, 70), "rh_THJ3": (-12, 12)}
    degrees |= {"rh_THJ2": (-40, 40), "rh_THJ1": (-15, 90)}
    for name, limits in degrees.items():
        index = hand.independent_names.index(name)
        np.testing.assert_allclose(np.degrees([hand.lower[index], hand.upper[index]]), limits, atol=1e-9)
    assert (hand.open_joints >= hand.lower).all() and (hand.open_joints <= hand.upper).all()


def test_root_is_behind_the_palm(hand: Hand) -> None:
    np.testing.assert_allclose(hand.T_base_root[:3, 3], [0, 0.01, -0.24701], atol=1e-9)
    np.testing.assert_allclose(hand.T_base_root[:3, :3], np.eye(3), atol=1e-12)


def test_tree_lists_parents_first(hand: Hand) -> None:
    assert hand.tree.names[0] == hand.base_link and hand.tree.parent[0] == -1
    assert (hand.tree.parent[1:] < np.arange(1, len(hand.tree.names))).all()
    for link in ("rh_wrist", "rh_forearm"):
        assert hand.tree.dof[hand.tree.index(link)] == -1
    assert hand.tree.parent[hand.tree.index("rh_forearm")] == hand.tree.index("rh_wrist")


def test_contact_points_lie_on_the_skin_with_normals_out_of_it(hand: Hand) -> None:
    contacts = hand.contacts
    for link, position, normal in zip(contacts.link, contacts.position, contacts.normal, strict=True):
        shapes = [shape for shape in hand.shapes if shape.link == hand.tree.names[link]]
        along = position + np.array([-0.001, 0.0, 0.001])[:, None] * normal
        distance = np.min([signed_distance(shape, along) for shape in shapes], axis=0)
        np.testing.assert_allclose(distance, [-0.001, 0, 0.001], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(contacts.normal, axis=1), 1, atol=1e-9)


def test_contact_points_are_on_the_inside_of_the_hand(hand: Hand) -> None:
    """Seen from the palm at the open posture, every pad but the thumb's looks towards the viewer."""
    x = torch.tensor(np.concatenate([[0, 0, 0, 1, 0, 0, 0], hand.open_joints]))[None]
    points, normals = (tensor[0].numpy() for tensor in Kinematics(hand, torch.float64).contacts(x))
    digit = hand.contacts.digit
    fingers, thumb, palm = digit < 4, digit == 4, digit == 5
    assert (normals[fingers] @ hand.palm_normal > 0.4).all()
    np.testing.assert_allclose(normals[palm] @ hand.palm_normal, 1, atol=1e-9)
    towards = points[fingers].mean(axis=0) - points[thumb].mean(axis=0)
    assert (normals[thumb] @ towards > 0).all()
    assert points[thumb].mean(axis=0)[0] > points[palm].mean(axis=0)[0]


def test_closing_brings_thumb_and_fingers_together(hand: Hand) -> None:
    kinematics = Kinematics(hand, torch.float64)
    closed = np.clip(hand.open_joints + 0.7 * hand.closing, hand.lower, hand.upper)
    x = [np.concatenate([[0, 0, 0, 1, 0, 0, 0], joints]) for joints in (hand.open_joints, closed)]
    points = kinematics.contacts(torch.tensor(np.stack(x)))[0].numpy()
    gap = [np.linalg.norm(row[hand.contacts.digit < 4][1::8] - row[33], axis=1).min() for row in points]
    assert gap[1] < 0.6 * gap[0]


def test_surface_covers_all_links(hand: Hand) -> None:
    assert len(hand.surface.link) >= 1000
    covered = {hand.tree.names[link] for link in hand.surface.link}
    assert covered == set(hand.tree.names)
    for name in covered:
        shapes = [shape for shape in hand.shapes if shape.link == name]
        points = hand.surface.position[hand.surface.link == hand.tree.index(name)]
        np.testing.assert_allclose(np.min([signed_distance(s, points) for s in shapes], axis=0), 0, atol=1e-5)


def test_mesh_is_as_large_as_a_hand(hand: Hand) -> None:
    x = np.concatenate([[0, 0, 0, 1, 0, 0, 0], hand.independent_joints(np.zeros(24))])
    lower, upper = hand.mesh(x).bounds
    np.testing.assert_allclose(upper[2], 0.195, atol=5e-4)  # tip of the middle finger
    np.testing.assert_allclose(lower[2], -0.24701, atol=5e-4)  # end of the forearm
    assert len(np.unique(hand.mesh(x).visual.face_colors, axis=0)) == 2


def test_arrays_are_read_only_copies(hand: Hand) -> None:
    for array in (hand.lower, hand.contacts.position, hand.tree.rotation, hand.spheres.radius):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_loads_by_path_and_survives_pickling(hand: Hand) -> None:
    again = pickle.loads(pickle.dumps(Hand.load(str(hand_file("shadow")))))
    np.testing.assert_array_equal(again.self_pairs, hand.self_pairs)
    np.testing.assert_array_equal(again.spheres.position, hand.spheres.position)
    assert again.urdf == hand.urdf
