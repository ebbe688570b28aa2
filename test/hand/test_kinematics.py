from __future__ import annotations

import mujoco
import numpy as np
import pytest
import torch

from grasp_pose_net.hand import Hand, Kinematics, LinkPoints
from grasp_pose_net.world import split_transform, transform_points

PALM_AT_ORIGIN = [0.0, 0, 0, 1, 0, 0, 0]


def random_x(hand: Hand, count: int, rng: np.random.Generator) -> np.ndarray:
    base = np.concatenate([rng.uniform(-0.3, 0.3, (count, 3)), rng.normal(size=(count, 4))], axis=1)
    return np.concatenate([base, rng.uniform(hand.lower, hand.upper, (count, len(hand.lower)))], axis=1)


def test_agrees_with_mujoco_on_the_same_urdf(hand: Hand, rng: np.random.Generator) -> None:
    model = mujoco.MjModel.from_xml_string(hand.urdf)
    data = mujoco.MjData(model)
    address = [model.joint(name).qposadr[0] for name in hand.joint_names]
    links = [index for index, name in enumerate(hand.tree.names) if name != hand.root_link]
    bodies = [model.body(hand.tree.names[index]).id for index in links]
    x = random_x(hand, 1000, rng)
    x[:, :7] = PALM_AT_ORIGIN  # ours in the palm's frame, MuJoCo's in the forearm's
    ours = Kinematics(hand, torch.float64).link_poses(torch.tensor(x)).numpy()
    for row, joints in zip(ours, x[:, 7:], strict=True):
        data.qpos[address] = hand.all_joints(joints)
        mujoco.mj_kinematics(model, data)
        poses = hand.T_base_root @ np.array([_body_pose(data, body) for body in bodies])
        np.testing.assert_allclose(row[links], poses, atol=1e-9)


def _body_pose(data: mujoco.MjData, body: int) -> np.ndarray:
    T_root_body = np.eye(4)
    T_root_body[:3, :3] = data.xmat[body].reshape(3, 3)
    T_root_body[:3, 3] = data.xpos[body]
    return T_root_body


def test_fingertips_at_zero_angles_are_where_the_makers_numbers_put_them(hand: Hand) -> None:
    x = torch.zeros(1, hand.size, dtype=torch.float64)
    x[0, 3] = 1
    tips = {"rh_ffdistal": (0.033, 0, 0.191), "rh_mfdistal": (0.011, 0, 0.195)}
    tips["rh_rfdistal"] = (-0.011, 0, 0.191)
    tips["rh_lfdistal"] = (-0.033, 0, 0.02071 + np.hypot(0.053973, 0.037795) + 0.096)
    diagonal = np.sqrt(0.5) * (0.038 + 0.032 + 0.026)  # at zero the thumb points 45 degrees sideways
    tips["rh_thdistal"] = (0.034 + diagonal, -0.00858, 0.029 + diagonal)
    points = LinkPoints(np.array([hand.tree.index(name) for name in tips]), np.tile([0, 0, 0.026], (5, 1)))
    found = Kinematics(hand, torch.float64).points(x, points)[0]
    np.testing.assert_allclose(found, np.array(list(tips.values())), atol=2e-5)


def test_flexion_bends_the_fingers_to_the_palm_side(hand: Hand) -> None:
    x = torch.zeros(2, hand.size, dtype=torch.float64)
    x[:, 3] = 1
    x[1, 7 + hand.independent_names.index("rh_MFJ3")] = np.pi / 2
    joint = LinkPoints(np.array([hand.tree.index("rh_mfmiddle")]), np.zeros((1, 3)))
    straight, bent = Kinematics(hand, torch.float64).points(x, joint)
    np.testing.assert_allclose(straight[0], [0.011, 0, 0.144], atol=1e-9)
    np.testing.assert_allclose(bent[0], [0.011, -0.045, 0.099], atol=1e-9)


def test_base_pose_moves_everything_rigidly(hand: Hand, rng: np.random.Generator) -> None:
    x = random_x(hand, 1, rng)
    at_origin = np.concatenate([[PALM_AT_ORIGIN], x[:, 7:]], axis=1)
    kinematics = Kinematics(hand, torch.float64)
    T_object_palm = kinematics.link_poses(torch.tensor(x))[0, 0].numpy()
    position, quat_wxyz = split_transform(T_object_palm)
    np.testing.assert_allclose(position, x[0, :3])
    assert abs(quat_wxyz @ x[0, 3:7]) == pytest.approx(np.linalg.norm(x[0, 3:7]))
    points, normals = kinematics.contacts(torch.tensor(x))
    local, local_normals = kinematics.contacts(torch.tensor(at_origin))
    np.testing.assert_allclose(points[0], transform_points(T_object_palm, local[0].numpy()), atol=1e-12)
    np.testing.assert_allclose(normals[0], local_normals[0].numpy() @ T_object_palm[:3, :3].T, atol=1e-12)


def test_contacts_are_those_points_with_unit_normals(hand: Hand, rng: np.random.Generator) -> None:
    x = torch.tensor(random_x(hand, 3, rng))
    kinematics = Kinematics(hand, torch.float64)
    points, normals = kinematics.contacts(x)
    np.testing.assert_allclose(points, kinematics.points(x, hand.contacts), atol=1e-12)
    beyond = LinkPoints(hand.contacts.link, hand.contacts.position + hand.contacts.normal)
    np.testing.assert_allclose(normals, kinematics.points(x, beyond) - points, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-9)


def test_batch_equals_loop(hand: Hand, rng: np.random.Generator) -> None:
    x = torch.tensor(random_x(hand, 7, rng))
    kinematics = Kinematics(hand, torch.float64)
    each = torch.cat([kinematics.link_poses(row[None]) for row in x])
    torch.testing.assert_close(kinematics.link_poses(x), each, rtol=0, atol=1e-14)


def test_float32_is_near_float64(hand: Hand, rng: np.random.Generator) -> None:
    x = torch.tensor(random_x(hand, 16, rng))
    single = Kinematics(hand).points(x.float(), hand.surface)
    double = Kinematics(hand, torch.float64).points(x, hand.surface)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-6)


def test_gradients_of_points_and_normals(hand: Hand, rng: np.random.Generator) -> None:
    kinematics = Kinematics(hand, torch.float64)
    x = torch.tensor(random_x(hand, 2, rng), requires_grad=True)
    assert torch.autograd.gradcheck(kinematics.contacts, (x,))
    straight = torch.zeros(1, hand.size, dtype=torch.float64)
    straight[0, 3] = 1
    assert torch.autograd.gradcheck(kinematics.contacts, (straight.requires_grad_(),))


def test_wrong_shape_is_refused(hand: Hand) -> None:
    with pytest.raises(ValueError, match=r"x: expected \(B, 25\) for hand 'shadow', got \(25,\)"):
        Kinematics(hand).link_poses(torch.zeros(25))
