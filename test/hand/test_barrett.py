"""The Barrett hand: couplings with a ratio, one motor for two joints, a palm that is the root."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest
import torch
import trimesh

from grasp_pose_net.hand import Hand, Kinematics, LinkPoints
from grasp_pose_net.hand.primitives import exposed_points, signed_distance
from grasp_pose_net.models import hand_file
from grasp_pose_net.refinement import Energy, evaluate
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.world import HalfSpace

AT_ORIGIN = [0.0, 0, 0, 1, 0, 0, 0]
SPREADS = np.radians([0, 30, 90, 150, 180])
LARGEST = np.radians(140)  # of a base joint


@pytest.fixture(scope="module")
def hand() -> Hand:
    return Hand.load("barrett")


def random_x(hand: Hand, count: int, rng: np.random.Generator) -> np.ndarray:
    base = np.concatenate([rng.uniform(-0.1, 0.1, (count, 3)), rng.normal(size=(count, 4))], axis=1)
    base[:, 3:] /= np.linalg.norm(base[:, 3:], axis=1, keepdims=True)
    return np.concatenate([base, rng.uniform(hand.lower, hand.upper, (count, 4))], axis=1)


def posture(spread: float, *fingers: float) -> np.ndarray:
    return np.array([*AT_ORIGIN, spread, *fingers])


def points_of(hand: Hand, x: np.ndarray, link: str, position: tuple[float, ...]) -> np.ndarray:
    points = LinkPoints(np.array([hand.tree.index(link)]), np.array([position]))
    return Kinematics(hand, torch.float64).points(torch.tensor(x[None]), points)[0, 0].numpy()


def test_counts_of_the_11_dof_barrett_hand(hand: Hand) -> None:
    assert hand.size == 11
    assert hand.independent_names == ("bh_spread1", "bh_proximal1", "bh_proximal2", "bh_proximal3")
    assert len(hand.joint_names) == 8
    assert hand.digit_names == ("finger1", "finger2", "finger3", "palm")
    np.testing.assert_array_equal(np.bincount(hand.contacts.digit), [8, 8, 8, 5])


def test_couplings_and_limits_are_the_makers(hand: Hand, rng: np.random.Generator) -> None:
    np.testing.assert_array_equal(hand.lower, 0)
    np.testing.assert_allclose(np.degrees(hand.upper), [180, 140, 140, 140])
    joints = rng.uniform(hand.lower, hand.upper, (50, 4))
    angles = dict(zip(hand.joint_names, hand.all_joints(joints).T, strict=True))
    np.testing.assert_array_equal(angles["bh_spread2"], angles["bh_spread1"])
    for finger in "123":
        ratio = angles[f"bh_distal{finger}"] / angles[f"bh_proximal{finger}"]
        np.testing.assert_allclose(ratio, 125 / 93.75 - 1)
        assert angles[f"bh_distal{finger}"].max() <= np.radians(48)
    np.testing.assert_array_equal(hand.independent_joints(hand.all_joints(joints)), joints)


def test_a_followers_limit_stops_its_leader(hand: Hand, tmp_path: Path) -> None:
    """Were the base joint free to go to 540 degrees, the tip's 48 would stop it at 144."""
    free = hand.urdf.replace(f'upper="{LARGEST}"', f'upper="{3 * np.pi}"')
    assert free.count(str(3 * np.pi)) == 3
    (tmp_path / "free.urdf").write_text(free)
    text = hand_file("barrett").read_text().replace("barrett_hand.urdf.xacro", "free.urdf")
    (tmp_path / "hand.yaml").write_text(text)
    np.testing.assert_allclose(np.degrees(Hand.load(str(tmp_path / "hand.yaml")).upper), [180, 144, 144, 144])


def test_agrees_with_mujoco_on_the_same_urdf(hand: Hand, rng: np.random.Generator) -> None:
    model = mujoco.MjModel.from_xml_string(hand.urdf)
    data = mujoco.MjData(model)
    address = [model.joint(name).qposadr[0] for name in hand.joint_names]
    moving = [index for index, dof in enumerate(hand.tree.dof) if dof >= 0]
    bodies = [model.body(hand.tree.names[index]).id for index in moving]
    assert len(bodies) == 8
    x = random_x(hand, 1000, rng)
    x[:, :7] = AT_ORIGIN
    ours = Kinematics(hand, torch.float64).link_poses(torch.tensor(x)).numpy()[:, moving]
    for row, joints in zip(ours, x[:, 7:], strict=True):
        data.qpos[address] = hand.all_joints(joints)
        mujoco.mj_kinematics(model, data)
        np.testing.assert_allclose(row[:, :3, 3], data.xpos[bodies], atol=1e-9)
        np.testing.assert_allclose(row[:, :3, :3], data.xmat[bodies].reshape(-1, 3, 3), atol=1e-9)


def test_links_are_where_the_makers_numbers_put_them(hand: Hand) -> None:
    """Flat fingers: outer joints are 50 + 69.94 mm out, at the height of the base joints and 3 mm up."""
    flat, out, height = posture(0, 0, 0, 0), 0.05 + 0.06994, 0.0754 + 0.003
    np.testing.assert_allclose(
        points_of(hand, flat, "bh_finger3_distal", (0, 0, 0)), [0, out, height], atol=1e-9
    )
    np.testing.assert_allclose(
        points_of(hand, flat, "bh_finger1_distal", (0, 0, 0)), [-0.025, -out, height], atol=1e-9
    )
    spread = posture(np.pi / 2, 0, 0, 0)  # fingers 1 and 2 oppose each other
    np.testing.assert_allclose(
        points_of(hand, spread, "bh_finger2_distal", (0, 0, 0)), [0.025 + out, 0, height], atol=1e-9
    )
    upright = posture(0, 0, 0, np.pi / 2)  # the tip: 45 + 30 degrees further in than the proximal link
    joint = np.array([0, 0.05 - 0.003, 0.0754 + 0.06994])
    tip = joint + 0.05 * np.array([0, -np.sin(np.radians(75)), np.cos(np.radians(75))])
    np.testing.assert_allclose(points_of(hand, upright, "bh_finger3_distal", (0.05, 0, 0)), tip, atol=1e-9)


def test_gradients_of_points_and_normals(hand: Hand, rng: np.random.Generator) -> None:
    kinematics = Kinematics(hand, torch.float64)
    for x in (random_x(hand, 2, rng), posture(0, 0, 0, 0)[None]):
        assert torch.autograd.gradcheck(kinematics.contacts, (torch.tensor(x, requires_grad=True),))


def test_the_kernels_gradient_through_couplings(hand: Hand, rng: np.random.Generator) -> None:
    """Central differences of the energy along all four joints, each of which turns more than one."""
    box = SignedDistanceField.from_mesh(trimesh.creation.box((0.08, 0.06, 0.1)), 64)
    energy = Energy(normal=0.5, clearance_m=0.003, penetration=(1e3, 1e3), self_penetration=(1e3, 1e3))
    plane = HalfSpace((0.0, 0.0, 1.0), -0.06)
    x = random_x(hand, 24, rng)
    x[:, :3] *= 0.5
    x[:, 7:] = np.clip(x[:, 7:], hand.lower + 1e-3, hand.upper - 1e-3)
    found = evaluate(hand, box, x, energy, plane=plane).gradient[:, 6:]
    step = 1e-6
    for joint in range(4):
        moved = [x.copy(), x.copy()]
        moved[0][:, 7 + joint] += step
        moved[1][:, 7 + joint] -= step
        up, down = (evaluate(hand, box, way, energy, plane=plane).energy for way in moved)
        expected = (up - down) / (2 * step)
        # the trilinear field has kinks, at which the two sides of a difference disagree
        close = np.isclose(found[:, joint], expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
        assert close.mean() >= 0.9, (found[:, joint], expected)
    assert np.abs(found).max(axis=0).min() > 0


def test_contact_points_lie_on_the_skin_with_normals_out_of_it(hand: Hand) -> None:
    contacts = hand.contacts
    for link, position, normal in zip(contacts.link, contacts.position, contacts.normal, strict=True):
        shapes = [shape for shape in hand.shapes if shape.link == hand.tree.names[link]]
        along = position + np.array([-0.001, 0.0, 0.001])[:, None] * normal
        distance = np.min([signed_distance(shape, along) for shape in shapes], axis=0)
        np.testing.assert_allclose(distance, [-0.001, 0, 0.001], atol=2e-6)


def test_pads_face_each_other_over_the_palm(hand: Hand) -> None:
    """Fingers upright: the pads of finger 3 look towards -y, those of 1 and 2 towards it, the palm up."""
    x = torch.tensor(posture(0, *[np.pi / 2] * 3)[None])
    normals, digit = Kinematics(hand, torch.float64).contacts(x)[1][0].numpy(), hand.contacts.digit
    assert (normals[digit < 2, 1] > 0.2).all() and (normals[digit == 2, 1] < -0.2).all()
    np.testing.assert_allclose(normals[digit == 3] @ hand.palm_normal, 1)


def test_skin_covers_the_palm_though_it_is_the_root(hand: Hand) -> None:
    assert hand.root_link == hand.base_link == "bh_palm"
    np.testing.assert_array_equal(hand.T_base_root, np.eye(4))
    assert {hand.tree.names[link] for link in hand.surface.link} == set(hand.tree.names)


def gaps(hand: Hand, *postures: np.ndarray) -> np.ndarray:
    """Smallest gap (N,) [m] of the self pairs."""
    centres = Kinematics(hand, torch.float64).points(torch.tensor(np.stack(postures)), hand.spheres).numpy()
    first, second = hand.self_pairs.T
    reach = hand.spheres.radius[first] + hand.spheres.radius[second]
    return (np.linalg.norm(centres[:, first] - centres[:, second], axis=2) - reach).min(axis=1)


def test_open_hand_is_free_at_every_spread(hand: Hand) -> None:
    assert (gaps(hand, *(posture(spread, *hand.open_joints[1:]) for spread in SPREADS)) > 0).all()


def test_a_fist_closes_as_the_real_one(hand: Hand) -> None:
    """At spread 0 finger 3 passes between 1 and 2, and 140 degrees bring them to the palm; else they collide."""
    straight, *spread = gaps(hand, *(posture(spread, *[LARGEST] * 3) for spread in SPREADS[:4]))
    assert abs(straight) < 0.001
    assert (np.array(spread) < -0.004).all()


@pytest.mark.parametrize("link", ["bh_finger1_proximal", "bh_finger3_distal"])
def test_spheres_fill_what_touches_objects(hand: Hand, link: str) -> None:
    shapes = tuple(shape for shape in hand.shapes if shape.link == link)
    own = hand.spheres.link == hand.tree.index(link)
    skin = exposed_points(shapes, 0.001)
    gap = np.linalg.norm(skin[:, None] - hand.spheres.position[own], axis=2) - hand.spheres.radius[own]
    assert gap.min(axis=1).max() < 0.001
    assert len(hand.spheres.radius) < 400
