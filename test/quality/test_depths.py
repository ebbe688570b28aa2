"""Penetration figures against closed forms of a can."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.quality import penetration
from grasp_pose_net.shapes import SignedDistanceField

CAN_RADIUS_M, CAN_HALF_M = 0.033, 0.075


def depth_in_can(points: np.ndarray) -> np.ndarray:
    """Depth (...,) of points (..., 3) in the can; 0 outside."""
    side = CAN_RADIUS_M - np.linalg.norm(points[..., :2], axis=-1)
    return np.maximum(np.minimum(side, CAN_HALF_M - np.abs(points[..., 2])), 0)


def test_depths_in_the_can(
    hand: Hand, kinematics: Kinematics, can: SignedDistanceField, poses: torch.Tensor
) -> None:
    found = penetration(hand, kinematics, can, poses)
    depth = depth_in_can(kinematics.contacts(poses)[0].numpy())
    surface = depth_in_can(kinematics.points(poses, hand.surface).numpy())
    assert (depth > 0).any(1).sum() >= 3
    np.testing.assert_allclose(found.hand_penetration_m, surface.max(1), atol=1e-3)
    assert abs(found.penetrating_points.numpy() - (depth > 0).sum(1)).max() <= 1
    mean = depth.sum(1) / np.maximum((depth > 5e-4).sum(1), 1)
    many = (depth > 0).sum(1) >= 3
    np.testing.assert_allclose(found.mean_depth_m[many], mean[many], rtol=0.35, atol=1e-3)


def test_far_away_nothing_penetrates(
    hand: Hand, kinematics: Kinematics, can: SignedDistanceField, poses: torch.Tensor
) -> None:
    far = poses.clone()
    far[:, 0] += 1.0
    found = penetration(hand, kinematics, can, far)
    for depths in (found.penetrating_points, found.mean_depth_m, found.hand_penetration_m):
        assert depths.abs().max() == 0


def test_open_hand_does_not_hit_itself_but_crossed_fingers_do(
    hand: Hand, kinematics: Kinematics, can: SignedDistanceField
) -> None:
    x = torch.zeros(2, hand.size, dtype=torch.float64)
    x[:, 0], x[:, 3] = 1.0, 1.0
    x[:, 7:] = torch.tensor(hand.open_joints)
    names = list(hand.independent_names)
    x[1, 7 + names.index("rh_FFJ4")] = hand.lower[names.index("rh_FFJ4")]
    x[1, 7 + names.index("rh_MFJ4")] = hand.upper[names.index("rh_MFJ4")]
    apart, crossed = penetration(hand, kinematics, can, x).self_penetration_m.tolist()
    x[1, 7 + names.index("rh_FFJ4")] = hand.upper[names.index("rh_FFJ4")]
    x[1, 7 + names.index("rh_MFJ4")] = hand.lower[names.index("rh_MFJ4")]
    other = penetration(hand, kinematics, can, x).self_penetration_m[1].item()
    assert apart == pytest.approx(0.0, abs=1e-4)
    assert max(crossed, other) > 2e-3


def test_batch_equals_each_alone(
    hand: Hand, kinematics: Kinematics, can: SignedDistanceField, poses: torch.Tensor
) -> None:
    together = penetration(hand, kinematics, can, poses)
    for row in range(len(poses)):
        alone = penetration(hand, kinematics, can, poses[row : row + 1])
        for name in vars(together):
            torch.testing.assert_close(getattr(together, name)[row : row + 1], getattr(alone, name))


def test_arguments_are_left_as_they_were(
    hand: Hand, kinematics: Kinematics, can: SignedDistanceField, poses: torch.Tensor
) -> None:
    before = poses.clone()
    penetration(hand, kinematics, can, poses)
    torch.testing.assert_close(poses, before, rtol=0, atol=0)
