"""The paper's 27 rotations, random rotations, and rotated grasps."""

from __future__ import annotations

import numpy as np
import torch

from grasp_pose_net.hand import rotation_from_quat
from grasp_pose_net.shapes import paper_rotations, random_rotations, rotate_pose
from grasp_pose_net.world import make_transform


def poses(count: int) -> torch.Tensor:
    return torch.randn(count, 25, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_paper_rotations_are_27_proper_rotations() -> None:
    rotations = paper_rotations()
    assert rotations.shape == (27, 3, 3)
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.tile(np.eye(3), (27, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotations), 1.0)
    np.testing.assert_allclose(rotations[-1], np.eye(3), atol=1e-12)  # three half-turns about X, Y and Z
    apart = np.linalg.norm((rotations[:, None] - rotations[None]).reshape(27, 27, 9), axis=-1)
    assert (apart[~np.eye(27, dtype=bool)] > 0.5).all()  # no two are the same


def test_paper_rotations_turn_about_x_then_y_then_z() -> None:
    turns = {axis: [np.eye(3)] for axis in "xyz"}
    for degrees in (60, 120, 180):
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        turns["x"].append(np.array([[1, 0, 0], [0, c, -s], [0, s, c]]))
        turns["y"].append(np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]))
        turns["z"].append(np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]))
    expected = [
        turns["z"][i] @ turns["y"][j] @ turns["x"][k] for k in (1, 2, 3) for j in (1, 2, 3) for i in (1, 2, 3)
    ]
    np.testing.assert_allclose(paper_rotations(), expected, atol=1e-12)


def test_random_rotations_repeat_with_the_seed() -> None:
    first, again = (random_rotations(200, rng=np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first.mean(0)).max() < 0.15  # spread over SO(3), whose mean matrix is zero


def test_rotate_pose_is_the_product_of_transforms() -> None:
    rotations = random_rotations(6, rng=np.random.default_rng(0))
    rotations[0] = np.diag([1.0, -1.0, -1.0])  # a half-turn
    x = poses(6)
    turned = rotate_pose(x, torch.from_numpy(rotations))
    for before, after, rotation in zip(x.numpy(), turned.numpy(), rotations, strict=True):
        T_turn = np.eye(4)
        T_turn[:3, :3] = rotation
        expected = T_turn @ make_transform(before[:3], before[3:7])
        np.testing.assert_allclose(make_transform(after[:3], after[3:7]), expected, atol=1e-9)
        np.testing.assert_array_equal(after[7:], before[7:])


def test_rotate_pose_there_and_back_and_broadcast() -> None:
    x = poses(4)
    rotation = torch.from_numpy(random_rotations(1, rng=np.random.default_rng(2)))[0]
    back = rotate_pose(rotate_pose(x, rotation), rotation.T)
    torch.testing.assert_close(rotation_from_quat(back[:, 3:7]), rotation_from_quat(x[:, 3:7]))
    torch.testing.assert_close(back[:, :3], x[:, :3])
    several = rotate_pose(x[0], torch.stack([rotation, rotation.T]))
    assert several.shape == (2, 25)
    torch.testing.assert_close(several[1], rotate_pose(x[:1], rotation.T)[0])
