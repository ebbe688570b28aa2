"""ε: closed forms, invariances, degenerate grasps, batches, and wrong arguments."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from scipy.stats import spearmanr

from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.quality import Contacts, contacts, epsilon, epsilon_batch, epsilon_of, worst_epsilon
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


@pytest.mark.parametrize("edges", [4, 8])
def test_six_contacts_on_the_axes_of_a_sphere(edges: int) -> None:
    """Only friction makes torque, so the weakest wrench is a pure one, b.

    A contact at p can give it at most μ |b x p| if the friction cone has an edge along b x p. With 8 edges and
    b along (1, 1, 1) each has one, at the lever sqrt(2/3). With 4 edges, along the axes, a contact on axis i
    gives the larger of the other two |b_j|, which is nowhere below 1 / sqrt(3), again at (1, 1, 1).
    """
    points = np.concatenate([np.eye(3), -np.eye(3)])
    lever = {4: np.sqrt(1 / 3), 8: np.sqrt(2 / 3)}[edges]
    for mu in (0.2, 0.6):
        assert epsilon(points, -points, 1.0, mu, edges) == pytest.approx(mu * lever, rel=1e-8)


@pytest.mark.parametrize("mu", [0.1, 0.6, 1.0])
def test_four_contacts_at_the_corners_of_a_tetrahedron_on_a_sphere(mu: float) -> None:
    """The weakest wrench u = (a, b) is a torque about one contact p, with a pull at it: b = β p, a = -γ p.

    A round cone at q reaches -q · a + μ |a' + b x q| along u, a' being the part of a across q. That is γ for p
    itself, and -γ/3 + μ sqrt(8/9) for the other three (q · p = -1/3; a' and b x q are at right angles, and
    γ² + β² = 1). Both are equal at γ = μ / sqrt(2), which is the radius. A pyramid of K edges lies between the
    cones of μ and of μ cos(π / K).
    """
    points = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
    value, edges = mu / np.sqrt(2), 64
    found = epsilon(points, -points, 1.0, mu, edges)
    assert np.cos(np.pi / edges) * value <= found <= value * (1 + 1e-8)


def test_three_contacts_on_the_equator_of_a_sphere() -> None:
    """For little friction the force in the plane is free, and balances what the contacts reach: their mean.

    With b in the plane across a contact p and a = α along the pole, the friction of p reaches μ |α + β|, that
    of the other two μ |α - β / 2|. The mean is least, β / 2, at α = β / 2, and α² + β² = 1: μ / sqrt(5).
    What is left out is of the order of μ².
    """
    points = np.array([[1, 0, 0], [-0.5, np.sqrt(0.75), 0], [-0.5, -np.sqrt(0.75), 0]])
    assert epsilon(points, -points, 1.0, 1e-3, edges=64) == pytest.approx(1e-3 / np.sqrt(5), rel=3e-3)


def test_three_contacts_without_friction_hold_nothing() -> None:
    points = np.array([[1, 0, 0], [-0.5, np.sqrt(0.75), 0], [-0.5, -np.sqrt(0.75), 0]])
    assert epsilon(points, -points, 1.0, mu=0.0) == 0.0


def test_pinch_of_a_box() -> None:
    """Two points make no torque about the line through them; two patches do."""
    tips = np.array([[0.02, 0, 0], [-0.02, 0, 0]])
    into = np.array([[-1.0, 0, 0], [1, 0, 0]])
    assert epsilon(tips, into, 0.05) == 0.0
    corners = 0.005 * np.array([[0, 1, 1], [0, 1, -1], [0, -1, 1], [0, -1, -1]])
    patches = (tips[:, None] + corners).reshape(-1, 3)
    assert epsilon(patches, np.repeat(into, 4, axis=0), 0.05) > 0.01


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


@pytest.fixture(scope="module")
def batch() -> Contacts:
    """2000 grasps of up to 16 contacts."""
    rng = np.random.default_rng(3)
    points, normals = (part.reshape(2000, 16, 3) for part in ellipsoid_grasp(rng, 2000 * 16))
    mask = torch.from_numpy(rng.random((2000, 16)) < rng.uniform(0, 1, (2000, 1)))
    return Contacts(mask, torch.from_numpy(points), torch.from_numpy(normals))


def test_batch_equals_each_grasp_alone(batch: Contacts) -> None:
    together = epsilon_batch(batch, 0.08).numpy()
    alone = np.array([epsilon(*batch.of(i), 0.08) for i in range(2000)])
    np.testing.assert_array_equal(together, alone)
    assert 0.2 < (together > 0.02).mean() < 0.8  # strong and weak ones
    assert spearmanr(together, alone).statistic >= 0.99  # what ranking asks for
    np.testing.assert_array_equal(epsilon_batch(batch, 0.08).numpy(), together)


def test_empty_batch() -> None:
    none = torch.zeros(0, 5, 3)
    assert epsilon_batch(Contacts(torch.zeros(0, 5, dtype=torch.bool), none, none), 0.08).shape == (0,)


def test_fast_enough() -> None:
    """On one core: a grasp with 12 contacts in 10 ms (0.4 measured), 1000 such grasps a second in a batch."""
    rng = np.random.default_rng(5)
    points, normals = (torch.from_numpy(part.reshape(200, 12, 3)) for part in ellipsoid_grasp(rng, 2400))
    batch = Contacts(torch.ones(200, 12, dtype=torch.bool), points, normals)
    epsilon_batch(batch, 0.08)
    assert min(cpu_seconds(lambda: epsilon(*batch.of(0), 0.08)) for _ in range(5)) < 0.01
    assert min(cpu_seconds(lambda: epsilon_batch(batch, 0.08)) for _ in range(5)) / 200 < 0.001


def cpu_seconds(call: Callable[[], object]) -> float:
    begin = time.process_time()
    call()
    return time.process_time() - begin


def test_grasps_of_a_hand_equal_each_alone(
    hand: Hand, kinematics: object, can: SignedDistanceField, poses: torch.Tensor
) -> None:
    together = epsilon_of(hand, can, poses.numpy())
    touching = contacts(hand, kinematics, can, poses)  # type: ignore[arg-type]
    np.testing.assert_array_equal(together, [epsilon(*touching.of(i), can.radius) for i in range(8)])
    np.testing.assert_allclose(
        together, [epsilon_of(hand, can, x[None].numpy())[0] for x in poses], atol=1e-9
    )


def test_wrong_arguments_are_named() -> None:
    one, normal = np.zeros((1, 3)), np.eye(3)[:1]
    with pytest.raises(ValueError, match=r"points: expected \(C, 3\), got \(3,\)"):
        epsilon(np.zeros(3), normal, 1.0)
    with pytest.raises(ValueError, match=r"normals: expected \(C, 3\), got \(1, 4\)"):
        epsilon(one, np.zeros((1, 4)), 1.0)
    with pytest.raises(ValueError, match="as many normals as points, got 3 and 1"):
        epsilon(one, np.eye(3), 1.0)
    with pytest.raises(ValueError, match="normals: expected finite numbers"):
        epsilon(one, normal * np.nan, 1.0)
    with pytest.raises(ValueError, match="points: expected finite numbers"):
        epsilon(one + np.inf, normal, 1.0)
    for radius in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="radius: expected a positive number of metres"):
            epsilon(one, normal, radius)
    with pytest.raises(ValueError, match=r"mu: expected at least 0, got -0\.1"):
        epsilon(one, normal, 1.0, mu=-0.1)
    with pytest.raises(ValueError, match="edges: expected at least 3, got 2"):
        epsilon(one, normal, 1.0, edges=2)


def test_arguments_are_left_as_they_were(grasp: tuple[np.ndarray, np.ndarray]) -> None:
    points, normals = (part.copy() for part in grasp)
    epsilon(points, normals, 0.08)
    np.testing.assert_array_equal(points, grasp[0])
    np.testing.assert_array_equal(normals, grasp[1])


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


def test_worst_epsilon_is_that_of_the_worst_of_seven_places(
    hand: Hand, kinematics: Kinematics, can: SignedDistanceField
) -> None:
    """A hand whose every contact point lies on the can: ε falls with its place, to nothing beyond the contacts' reach."""
    x = np.concatenate([-hand.grasp_centre, [1.0, 0.0, 0.0, 0.0], hand.open_joints + 0.8 * hand.closing])[
        None
    ]
    x[:, 7:] = np.clip(x[:, 7:], hand.lower, hand.upper)
    pose = torch.tensor(x)
    moved = x.repeat(7, axis=0)
    moved[1:, :3] += 0.002 * np.concatenate([np.eye(3), -np.eye(3)])
    expected = epsilon_of(hand, can, moved).min()
    assert float(worst_epsilon(hand, kinematics, can, pose, 0.002)[0]) == pytest.approx(expected, abs=1e-9)
    assert float(worst_epsilon(hand, kinematics, can, pose, 0.0)[0]) == pytest.approx(
        epsilon_of(hand, can, x)[0]
    )
    assert float(worst_epsilon(hand, kinematics, can, pose, 0.2)[0]) == 0.0
    assert worst_epsilon(hand, kinematics, can, pose[:0], 0.002).shape == (0,)
