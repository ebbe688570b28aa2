from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from grasp_pose_net.hand.primitives import (
    Solid,
    exposed_points,
    inner_points,
    shape_mesh,
    signed_distance,
    surface_points,
)


def pose(rng: np.random.Generator) -> np.ndarray:
    T_link_shape = np.eye(4)
    T_link_shape[:3, :3] = Rotation.random(rng=rng).as_matrix()
    T_link_shape[:3, 3] = rng.uniform(-0.05, 0.05, 3)
    return T_link_shape


@pytest.fixture(params=["box", "cylinder", "sphere", "capsule"])
def shape(request: pytest.FixtureRequest, rng: np.random.Generator) -> Solid:
    sizes = {"box": (0.02, 0.03, 0.05), "cylinder": (0.01, 0.04), "sphere": (0.012,), "capsule": (0.01, 0.03)}
    return Solid("link", request.param, sizes[request.param], pose(rng))


def test_distance_agrees_with_the_mesh(shape: Solid, rng: np.random.Generator) -> None:
    points = shape.T_link_shape[:3, 3] + rng.uniform(-0.05, 0.05, (300, 3))
    outside = -trimesh.proximity.signed_distance(shape_mesh(shape), points)  # trimesh: positive inside
    np.testing.assert_allclose(signed_distance(shape, points), outside, atol=3e-4)  # facets of the mesh


def test_surface_points_are_on_the_surface_and_leave_no_hole(shape: Solid) -> None:
    points = surface_points(shape, 0.004)
    np.testing.assert_allclose(signed_distance(shape, points), 0, atol=1e-9)
    everywhere, _ = trimesh.sample.sample_surface(shape_mesh(shape), 2000, seed=0)
    assert cKDTree(points).query(everywhere)[0].max() < 0.004


def test_surface_points_are_deterministic(shape: Solid) -> None:
    np.testing.assert_array_equal(surface_points(shape, 0.003), surface_points(shape, 0.003))


def test_inner_points_are_inside_and_include_the_centre(shape: Solid) -> None:
    points = inner_points(shape, 0.003)
    assert signed_distance(shape, points).max() < 0
    assert np.linalg.norm(points - shape.T_link_shape[:3, 3], axis=1).min() < 1e-12
    assert len(points) == pytest.approx(shape_mesh(shape).volume / 0.003**3, rel=0.5)


def test_exposed_points_leave_out_what_another_shape_buries() -> None:
    T_right = np.eye(4)
    T_right[0, 3] = 0.01
    left, right = Solid("a", "box", (0.02,) * 3, np.eye(4)), Solid("a", "box", (0.02,) * 3, T_right)
    points = exposed_points((left, right), 0.005)
    assert signed_distance(left, points).min() > -1e-5
    assert signed_distance(right, points).min() > -1e-5
    np.testing.assert_allclose([points[:, 0].min(), points[:, 0].max()], [-0.01, 0.02])
