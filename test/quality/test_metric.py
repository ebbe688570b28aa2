"""ε: closed forms, invariances, degenerate grasps, and the fast approximation against the exact value."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from grasp_pose_net.hand import Hand
from grasp_pose_net.quality import Contacts, contacts, epsilon, epsilon_batch, epsilon_of
from grasp_pose_net.shapes import SignedDistanceField

AXES = np.array([0.08, 0.05, 0.04])


def ellipsoid_grasp(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points on an ellipsoid and its inward normals."""
    unit = rng.normal(size=(count, 3))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    normals = -unit / AXES
    return unit * AXES, normals / np.linalg.norm(normals, axis=1, keepdims=True)


@pytest.fixture(params=range(12))
def grasp(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    return ellipsoid_grasp(np.random.default_rng(request.param), 4 + request.param % 4)


def test_six_contacts_on_the_axes_of_a_sphere() -> None:
    # Only friction makes torque: the weakest direction is a pure torque along (1, 1, 1), each contact has
    # the lever sqrt(2/3) there; a cone of many edges comes close to the round one of this closed form.
    points = np.concatenate([np.eye(3), -np.eye(3)])
    assert epsilon(points, -points, 1.0, mu=0.2, edges=48) == pytest.approx(0.2 * np.sqrt(2 / 3), rel=3e-3)


def test_two_opposed_contacts_have_a_flat_hull() -> None:
    points = np.array([[1.0, 0, 0], [-1, 0, 0]])  # no torque about the line through them
    assert epsilon(points, -points, 1.0) == 0.0


def test_all_contacts_on_one_side_hold_nothing() -> None:
    rng = np.random.default_rng(0)
    points, normals = ellipsoid_grasp(rng, 40)
    top = points[:, 2] > 0.02
    assert epsilon(points[top], normals[top], 0.08) == 0.0


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_contacts(count: int) -> None:
    assert epsilon(np.ones((count, 3)), np.eye(3)[:count], 1.0) == 0.0


def test_unchanged_by_rotation(grasp: tuple[np.ndarray, np.ndarray]) -> None:
    points, normals = grasp
    turn = Rotation.random(rng=np.random.default_rng(1)).as_matrix()
    assert epsilon(points @ turn.T, normals @ turn.T, 0.08) == pytest.approx(
        epsilon(points, normals, 0.08), abs=1e-9
    )


def test_unchanged_by_scale(grasp: tuple[np.ndarray, np.ndarray]) -> None:
    points, normals = grasp
    assert epsilon(7 * points, normals, 7 * 0.08) == pytest.approx(epsilon(points, normals, 0.08), abs=1e-9)


def test_does_not_fall_with_friction_or_another_contact(grasp: tuple[np.ndarray, np.ndarray]) -> None:
    points, normals = grasp
    plain = epsilon(points, normals, 0.08)
    more_points, more_normals = ellipsoid_grasp(np.random.default_rng(99), 1)
    assert epsilon(points, normals, 0.08, mu=0.8) >= plain - 1e-9
    more = epsilon(np.concatenate([points, more_points]), np.concatenate([normals, more_normals]), 0.08)
    assert more >= plain - 1e-9


def test_grasps_of_the_property_tests_are_not_all_zero() -> None:
    values = [epsilon(*ellipsoid_grasp(np.random.default_rng(i), 4 + i % 4), 0.08) for i in range(12)]
    assert sum(value > 0.01 for value in values) >= 4


def test_approximation_is_close_and_never_below() -> None:
    rng = np.random.default_rng(3)
    grasps = [ellipsoid_grasp(rng, 10) for _ in range(30)]
    mask = torch.from_numpy(rng.random((30, 10)) < 0.8)
    points, normals = (torch.from_numpy(np.stack(part)) for part in zip(*grasps, strict=True))
    batch = Contacts(mask, points * mask[..., None], normals * mask[..., None])
    exact = np.array([epsilon(*batch.of(i), 0.08) for i in range(30)])
    fast = epsilon_batch(batch, 0.08).numpy()
    assert (fast >= exact - 1e-9).all()
    held = exact > 0.02
    assert held.sum() > 15
    assert (fast[held] / exact[held]).max() < 1.35
    assert np.median(fast[held] / exact[held]) < 1.1


def test_batch_equals_each_alone(hand: Hand, can: SignedDistanceField, poses: torch.Tensor) -> None:
    together = epsilon_of(hand, can, poses.numpy())
    alone = [epsilon_of(hand, can, x[None].numpy())[0] for x in poses]
    np.testing.assert_allclose(together, alone, atol=1e-9)


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ValueError, match=r"points: expected \(C, 3\), got \(3,\)"):
        epsilon(np.zeros(3), np.zeros((1, 3)), 1.0)
    with pytest.raises(ValueError, match="as many normals as points, got 2 and 1"):
        epsilon(np.zeros((1, 3)), np.zeros((2, 3)), 1.0)


def test_contacts_lie_on_the_surface(
    hand: Hand, kinematics: object, can: SignedDistanceField, poses: torch.Tensor
) -> None:
    found = contacts(hand, kinematics, can, poses)  # type: ignore[arg-type]
    assert found.touching.sum() > 5
    points, normals = found.points[found.touching], found.normals[found.touching]
    assert can.distance(points[None]).abs().max() < 7e-4
    torch.testing.assert_close(normals.norm(dim=-1), torch.ones(len(normals), dtype=torch.float64))
    side = (points[:, 2].abs() < 0.07) & (points[:, :2].norm(dim=-1) > 0.031)
    assert side.any()
    outward = torch.nn.functional.normalize(points[side, :2], dim=-1)
    assert (-(normals[side, :2] * outward).sum(-1)).min() > 0.99
    raw = can.distance(hand_points(kinematics, poses))
    torch.testing.assert_close(found.touching, raw.abs() <= 0.005)


def hand_points(kinematics: object, poses: torch.Tensor) -> torch.Tensor:
    return kinematics.contacts(poses)[0]  # type: ignore[attr-defined]
