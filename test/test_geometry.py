"""Transforms: round trips, inverses, and agreement of the NumPy and the torch way."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from grasp_pose_net.hand import rotation_from_quat
from grasp_pose_net.world import inverse_transform, make_transform, split_transform, transform_points

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
