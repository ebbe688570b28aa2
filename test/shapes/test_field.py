"""The signed distance field against closed forms: spheres, boxes, a wall, overlapping shells."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from grasp_pose_net.exceptions import MeshError
from grasp_pose_net.shapes import SignedDistanceField, sample_fields
from grasp_pose_net.shapes.field_kernels import look_up, slope

BOX_M = (0.08, 0.12, 0.2)


@pytest.fixture(scope="module")
def box_field() -> SignedDistanceField:
    return SignedDistanceField.from_mesh(trimesh.creation.box(BOX_M), 64)


def box_distance(points: np.ndarray) -> np.ndarray:
    q = np.abs(points) - np.array(BOX_M) / 2
    return np.linalg.norm(np.maximum(q, 0), axis=-1) + np.minimum(q.max(-1), 0)


def random_points(count: int, half_m: float, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).uniform(-half_m, half_m, (1, count, 3)))


def test_cube_of_the_paper(box_field: SignedDistanceField) -> None:
    side = 0.2 / 0.95
    assert box_field.spacing == pytest.approx(side / 64)
    np.testing.assert_allclose(box_field.origin, -side / 2 + side / 128)
    assert box_field.radius == pytest.approx(np.linalg.norm(BOX_M) / 2)


def test_cell_centres_are_exact_near_the_surface(box_field: SignedDistanceField) -> None:
    centres = box_field.origin + box_field.spacing * np.stack(np.mgrid[:64, :64, :64], -1)
    truth = box_distance(centres)
    near = np.abs(truth) < 2 * box_field.spacing
    np.testing.assert_allclose(box_field.values[near], truth[near], atol=1e-6)
    np.testing.assert_allclose(box_field.values, truth, atol=3e-3)  # kinks, from the coarse grid


def test_sphere_everywhere_in_the_cube() -> None:
    sphere = trimesh.creation.icosphere(subdivisions=5, radius=0.05)
    field = SignedDistanceField.from_mesh(sphere, 64)
    points = random_points(4000, 0.051)
    truth = points.norm(dim=-1) - 0.05
    error = (field.distance(points) - truth).abs()
    assert (
        error / truth.abs().clamp(min=0.01)
    ).max() < 0.25  # far away, closest points come along the axes only
    assert error[truth.abs() < 0.01].max() < 3e-4


def test_distance_beyond_the_cube_leads_back(box_field: SignedDistanceField) -> None:
    point = torch.tensor([[[0.5, 0.0, 0.0]]], dtype=torch.float64, requires_grad=True)
    border = float(box_field.origin[0]) * -1
    distance = box_field.distance(point)
    assert distance.item() == pytest.approx((border - 0.04) + (0.5 - border), abs=1e-4)
    distance.sum().backward()
    torch.testing.assert_close(point.grad, torch.tensor([[[1.0, 0.0, 0.0]]], dtype=torch.float64))


def test_distance_derivative(box_field: SignedDistanceField) -> None:
    inside = random_points(20, 0.09, seed=3)
    outside = random_points(20, 0.4, seed=4)
    points = torch.cat([inside, outside], 1).requires_grad_()
    assert torch.autograd.gradcheck(box_field.distance, (points,), eps=1e-7, atol=1e-5)


def test_normal_of_box_faces(box_field: SignedDistanceField) -> None:
    points = torch.tensor([[[0.045, 0, 0], [0, -0.065, 0], [0, 0, 0.095]]])
    expected = torch.tensor([[[1.0, 0, 0], [0, -1, 0], [0, 0, 1]]])
    torch.testing.assert_close(box_field.normal(points), expected, atol=1e-4, rtol=0)


def test_overlapping_shells_count_once() -> None:
    one, two = trimesh.creation.box((0.1, 0.1, 0.1)), trimesh.creation.box((0.1, 0.1, 0.1))
    two.apply_translation([0.05, 0, 0])
    field = SignedDistanceField.from_mesh(trimesh.util.concatenate([one, two]), 48)
    assert field.distance(torch.tensor([[[0.025, 0.0, 0.0]]])).item() < 0
    assert (field.values < 0).sum() * field.spacing**3 == pytest.approx(0.15 * 0.1 * 0.1, rel=0.05)


@pytest.mark.parametrize("turn", [0.0, 0.3, np.pi / 4])
def test_volume_is_that_of_the_mesh(turn: float) -> None:
    mug = trimesh.creation.annulus(r_min=0.03, r_max=0.04, height=0.1)
    mug.apply_transform(trimesh.transformations.rotation_matrix(turn, [1, 2, 3]))
    field = SignedDistanceField.from_mesh(mug, 96)
    assert (field.values < 0).sum() * field.spacing**3 == pytest.approx(mug.volume, rel=0.02)


def test_several_fields_at_once_equal_each_alone(box_field: SignedDistanceField) -> None:
    ball = SignedDistanceField.from_mesh(trimesh.creation.icosphere(radius=0.04), 64)
    points = torch.cat([random_points(50, 0.1), random_points(50, 0.1, seed=1)])
    both = sample_fields(
        torch.from_numpy(np.stack([ball.values, box_field.values])),
        torch.from_numpy(np.stack([ball.origin, box_field.origin])),
        torch.tensor([ball.spacing, box_field.spacing], dtype=torch.float64),
        torch.tensor([1, 0]),
        points,
    )
    torch.testing.assert_close(both[:1], box_field.distance(points[:1]))
    torch.testing.assert_close(both[1:], ball.distance(points[1:]))


def test_field_keeps_its_own_read_only_copy(box_field: SignedDistanceField) -> None:
    values = box_field.values.copy()
    field = SignedDistanceField(values, box_field.origin, box_field.spacing, box_field.radius)
    values[:] = 7.0
    assert field.values.max() < 1.0
    with pytest.raises(ValueError, match="read-only"):
        field.values[0, 0, 0] = 1.0


def test_open_mesh_is_refused() -> None:
    box = trimesh.creation.box(BOX_M)
    open_box = trimesh.Trimesh(box.vertices, box.faces[:-1])
    with pytest.raises(MeshError, match="not watertight"):
        SignedDistanceField.from_mesh(open_box)


def test_points_of_wrong_shape_are_refused(box_field: SignedDistanceField) -> None:
    with pytest.raises(ValueError, match=r"expected \(B, P, 3\), got \(5, 3\)"):
        box_field.distance(torch.zeros(5, 3))


def test_compiled_look_up_equals_the_plain_one(box_field: SignedDistanceField) -> None:
    points = random_points(2000, 0.3, seed=4)
    arrays = (box_field.values, box_field.origin, box_field.spacing)
    found = [look_up(*arrays, *point) for point in points[0].numpy()]
    np.testing.assert_allclose(found, box_field.distance(points)[0], atol=1e-9)
    outward = [slope(*arrays, *point) for point in points[0].numpy()]
    np.testing.assert_allclose(outward, box_field.normal(points)[0], atol=1e-6)
