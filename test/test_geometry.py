"""Transforms: round trips, inverses, and agreement of the NumPy and the torch way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from grasp_pose_net.exceptions import WorldError
from grasp_pose_net.hand import rotation_from_quat
from grasp_pose_net.world import (
    Box,
    HalfSpace,
    JointState,
    Mesh,
    SceneObject,
    Sphere,
    Trajectory,
    inverse_transform,
    make_transform,
    split_transform,
    transform_points,
)

numbers = st.floats(-1.0, 1.0)
quaternions = st.tuples(numbers, numbers, numbers, numbers).filter(lambda q: np.linalg.norm(q) > 0.1)


@given(st.tuples(numbers, numbers, numbers), quaternions)
def test_split_undoes_make(position: tuple[float, ...], quat_wxyz: tuple[float, ...]) -> None:
    T_a_b = make_transform(position, quat_wxyz)
    p, q = split_transform(T_a_b)
    np.testing.assert_allclose(p, position)
    np.testing.assert_allclose(make_transform(p, q), T_a_b, atol=1e-12)
    assert q[0] >= 0.0


@given(quaternions)
def test_torch_rotation_is_the_same(quat_wxyz: tuple[float, ...]) -> None:
    ours = rotation_from_quat(torch.tensor(quat_wxyz, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(ours, make_transform((0, 0, 0), quat_wxyz)[:3, :3], atol=1e-12)


def test_inverse_and_points() -> None:
    T_a_b = make_transform((1.0, 2.0, 3.0), (0.0, 0.0, 0.0, 1.0))  # half a turn about z
    np.testing.assert_allclose(transform_points(T_a_b, [[1.0, 0.0, 0.0]]), [[0.0, 2.0, 3.0]], atol=1e-12)
    np.testing.assert_allclose(inverse_transform(T_a_b) @ T_a_b, np.eye(4), atol=1e-12)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Box(np.array([0.1, 1e-310, 0.1])), "size of a box: expected three sides of at least 1e-06, got"),
        (lambda: Box(np.array([0.1, 1e300, 0.1])), "size of a box: 1e\\+300 at 1 is larger than 1000"),
        (lambda: Sphere(1e-310), "radius of a sphere: expected a number of at least 1e-06"),
        (lambda: SceneObject.box("far", make_transform((5000.0, 0, 0)), (1, 1, 1)),
         "pose of object 'far': position: 5000.0 at 0 is larger than 1000"),
        (lambda: Mesh(trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [2, 0, 0]], [[0, 1, 2]], process=False)),
         "mesh of 1 triangles has no area"),
        (lambda: JointState(("elbow",), np.array([1e300])), "joint state: positions: 1e\\+300 at 0 is larger"),
        (lambda: Trajectory(("a", "a"), np.zeros(1), np.zeros((1, 2))), "the trajectory names a joint twice"),
        (lambda: HalfSpace(np.array([0.0, 0.0, 1e-3]), 10.0), "offset of a half-space: 10000.0 is larger"),
    ],
)  # fmt: skip
def test_what_is_absurd_is_refused_where_it_is_made(make: Callable[[], object], text: str) -> None:
    with pytest.raises(WorldError, match=text):
        make()
