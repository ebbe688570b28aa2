"""The losses against their formulas, their derivatives against central differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_objects import random_grasps
from scipy.spatial.transform import Rotation

from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.shapes import random_rotations, rotate_pose
from grasp_pose_net.training import (
    PAPER_WEIGHTS,
    Objects,
    PoseWeights,
    collision_loss,
    combined_loss,
    consistency_loss,
    l2_loss,
    pose_residual,
)

WEIGHTS = PoseWeights()


def poses(count: int, seed: int) -> torch.Tensor:
    x = torch.randn(count, 25, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    x[:, 3:7] = torch.nn.functional.normalize(x[:, 3:7], dim=1)
    return x


def central_difference(function, x: torch.Tensor, step: float = 1e-6) -> torch.Tensor:
    """Gradient of a scalar function, one coordinate after the other."""
    gradient = torch.zeros_like(x)
    for place in np.ndindex(*x.shape):
        ahead, behind = x.clone(), x.clone()
        ahead[place] += step
        behind[place] -= step
        gradient[place] = (function(ahead) - function(behind)) / (2 * step)
    return gradient


def assert_derivative(function, x: torch.Tensor, atol: float = 1e-6) -> None:
    leaf = x.clone().requires_grad_()
    function(leaf).backward()
    torch.testing.assert_close(leaf.grad, central_difference(function, x), atol=atol, rtol=1e-6)
    assert leaf.grad.abs().max() > 10 * atol


def test_paper_residual_is_the_squared_distance() -> None:
    x, target = poses(5, 0), poses(5, 1)
    same_side = torch.where((x[:, 3:7] * target[:, 3:7]).sum(1, keepdim=True) < 0, -1.0, 1.0)
    target[:, 3:7] *= same_side
    torch.testing.assert_close(pose_residual(x, target, PAPER_WEIGHTS), (x - target).square().sum(1))


def test_both_signs_of_a_quaternion_are_the_same_grasp() -> None:
    x, target = poses(5, 0), poses(5, 1)
    flipped = target.clone()
    flipped[:, 3:7] *= -1
    torch.testing.assert_close(pose_residual(x, target, WEIGHTS), pose_residual(x, flipped, WEIGHTS))


def test_units_one_centimetre_counts_as_a_tenth_of_a_radian() -> None:
    x = torch.zeros(3, 25, dtype=torch.float64)
    x[:, 3] = 1.0
    moved = x.clone()
    moved[0, 0] = 0.01
    moved[1, 3:7] = torch.from_numpy(np.roll(Rotation.from_rotvec([0, 0.1, 0]).as_quat(), 1))
    moved[2, 7] = 0.2
    torch.testing.assert_close(
        pose_residual(x, moved, WEIGHTS), torch.full((3,), 0.01).double(), rtol=2e-3, atol=0
    )


def test_residual_does_not_depend_on_the_frame() -> None:
    x, target = poses(6, 0), poses(6, 1)
    turn = torch.from_numpy(random_rotations(6, rng=np.random.default_rng(0)))
    turned = pose_residual(rotate_pose(x, turn), rotate_pose(target, turn), WEIGHTS)
    torch.testing.assert_close(turned, pose_residual(x, target, WEIGHTS))


def test_consistency_takes_the_nearest_grasp_that_exists() -> None:
    x, targets = poses(2, 0), torch.stack([poses(4, 1), poses(4, 2)])
    valid = torch.ones(2, 4, dtype=torch.bool)
    targets[0, 2] = x[0]
    targets[1, 3] = x[1]
    assert consistency_loss(x, targets, valid, WEIGHTS).item() == pytest.approx(0.0, abs=1e-12)
    valid[1, 3] = False
    rest = pose_residual(x[1], targets[1, :3], WEIGHTS).min() / 2
    torch.testing.assert_close(consistency_loss(x, targets, valid, WEIGHTS), rest)


def test_one_candidate_makes_consistency_plain_l2() -> None:
    x, target = poses(4, 0), poses(4, 1)
    one = consistency_loss(x, target[:, None], torch.ones(4, 1, dtype=torch.bool), WEIGHTS)
    torch.testing.assert_close(one, l2_loss(x, target, WEIGHTS))


def test_collision_counts_only_what_is_inside() -> None:
    distance = torch.tensor([[0.02, -0.01, -0.03], [0.5, 0.0, 0.1]])
    assert collision_loss(distance).item() == pytest.approx((0.01**2 + 0.03**2) / 2)


def test_combined_is_the_weighted_sum() -> None:
    value = combined_loss(torch.tensor(2.0), torch.tensor(0.003), 0.75, 1000.0)
    assert value.item() == pytest.approx(0.75 * 2.0 + 0.25 * 3.0)


@pytest.mark.parametrize("seed", range(10))
def test_derivative_of_l2(seed: int) -> None:
    target = poses(2, seed + 50)
    assert_derivative(lambda x: l2_loss(x, target, WEIGHTS), poses(2, seed))


@pytest.mark.parametrize("seed", range(10))
def test_derivative_of_consistency(seed: int) -> None:
    targets, valid = (
        torch.stack([poses(3, seed + 50), poses(3, seed + 90)]),
        torch.ones(2, 3, dtype=torch.bool),
    )
    assert_derivative(lambda x: consistency_loss(x, targets, valid, WEIGHTS), poses(2, seed))


@pytest.mark.parametrize("seed", range(10))
def test_derivative_of_collision_and_combined(hand: Hand, objects: Objects, seed: int) -> None:
    kinematics = Kinematics(hand, torch.float64)
    index = torch.tensor([0, 1])
    near = torch.from_numpy(random_grasps(hand, 2, seed))
    near[:, :3] += 0.01 - kinematics.contacts(near)[0][:, seed]  # so that this point lies inside
    targets, valid = objects.grasps[index].double(), objects.valid[index]

    def collision(x: torch.Tensor) -> torch.Tensor:
        return collision_loss(objects.distance(index, kinematics.contacts(x)[0]))

    def combined(x: torch.Tensor) -> torch.Tensor:
        return combined_loss(consistency_loss(x, targets, valid, WEIGHTS), collision(x), 0.75, 1000.0)

    assert_derivative(collision, near, atol=1e-7)
    assert_derivative(combined, near + 0.05 * poses(2, seed), atol=1e-5)


def test_gradcheck_of_every_loss(objects: Objects) -> None:
    x = poses(3, 0).requires_grad_()
    targets, valid = torch.stack([poses(4, seed) for seed in (1, 2, 3)]), torch.ones(3, 4, dtype=torch.bool)
    valid[:, 3] = False
    points = (
        torch.rand(2, 30, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 0.1 - 0.05
    )
    points.requires_grad_()
    index = torch.tensor([0, 1])

    def collision(points: torch.Tensor) -> torch.Tensor:
        return collision_loss(objects.distance(index, points))

    def combined(x: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        return combined_loss(consistency_loss(x, targets, valid, WEIGHTS), collision(points), 0.75, 1000.0)

    assert collision(points) > 0
    assert torch.autograd.gradcheck(lambda x: l2_loss(x, targets[:, 0], WEIGHTS), x)
    assert torch.autograd.gradcheck(lambda x: consistency_loss(x, targets, valid, WEIGHTS), x)
    assert torch.autograd.gradcheck(collision, points)
    assert torch.autograd.gradcheck(combined, (x, points))
