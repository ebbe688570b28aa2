"""Compiled loops against plain NumPy and SciPy."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from scipy.spatial.distance import cdist

from grasp_pose_net.perception import kernels

RNG = np.random.default_rng(0)


def test_within_moves_and_crops_and_leaves_out_what_is_not_finite():
    points = RNG.uniform(-1, 1, (200, 3)).astype(np.float32)
    points[:3] = [[np.nan, 0, 0], [0, np.inf, 0], [0, 0, -np.inf]]
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]], [0.1, 0.2, 0.3]
    low, high = np.array([-0.5, -0.4, -0.3]), np.array([0.5, 0.6, 0.7])
    moved = points[3:] @ T[:3, :3].T + T[:3, 3]
    expected = moved[((moved > low) & (moved < high)).all(1)]
    assert 10 < len(expected) < 190
    np.testing.assert_allclose(kernels.within(points, T, low, high), expected, atol=1e-6)


def test_cells_are_those_that_numpy_finds():
    points, group = RNG.uniform(-0.02, 0.03, (500, 3)), RNG.integers(8, size=500)
    index = kernels.cell_index(points, 0.01, group, 8)
    cell = ((points - points.min(0)) / 0.01).astype(int)
    _, expected = np.unique(np.column_stack([cell, group]), axis=0, return_inverse=True)
    assert set(index) == set(range(index.max() + 1))
    assert len(set(zip(index, expected, strict=True))) == len(set(index)) == len(set(expected))


def test_normals_are_least_eigenvectors_and_neighbours_are_counted():
    u, v = RNG.uniform(-0.02, 0.02, (2, 800))
    points = np.column_stack([u, v, 0.3 * u + 5 * v * v]) + RNG.normal(0, 0.0002, (800, 3))
    normals, near = kernels.normals(points, 0.006, 0.004)
    away = cdist(points, points)
    for i in range(0, 800, 40):
        own = points[away[i] <= 0.006]
        expected = np.linalg.eigh(np.cov(own.T))[1][:, 0]
        assert abs(normals[i] @ expected) > 1 - 1e-6
        assert near[i] == (away[i] <= 0.004).sum() - 1
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)


def test_normals_of_points_on_a_line_and_of_one_point_are_unit():
    line = np.column_stack([np.arange(5) * 0.001, np.zeros(5), np.zeros(5)])
    for points in (line, line[:1]):
        normals, near = kernels.normals(points, 0.01, 0.01)
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)
        assert (near == len(points) - 1).all()


def test_wall_sides_are_those_of_all_pairs():
    points, normals = RNG.uniform(0, 0.02, (300, 3)), RNG.normal(size=(300, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    own, other, missing = kernels.wall_sides(points, normals, 0.006, 0.3, 0.7, 0.005)
    close, cosine = cdist(points, points) <= 0.006, normals @ normals.T
    np.testing.assert_array_equal(own, (close & (cosine > 0.3)).sum(1))
    np.testing.assert_array_equal(other, (close & (cosine < -0.3)).sum(1))
    for i in range(300):
        opposite = close[i] & (cosine[i] < -0.7)
        thickness = (points[i] - points[opposite]) @ normals[i]
        lack = np.clip(0.005 - thickness, 0, 0.01)
        np.testing.assert_allclose(missing[i], lack.mean() if opposite.any() else 0.0, atol=1e-12)


def test_spread_keeps_sums_and_places():
    cell, values = RNG.uniform(0.5, 4.5, (50, 3)), RNG.normal(size=(50, 2))
    total = np.zeros((2, 6, 6, 6))
    kernels.spread(total, cell, values)
    np.testing.assert_allclose(total.sum((1, 2, 3)), values.sum(0))
    for axis in range(3):  # trilinear weights keep the first moment
        moment = np.moveaxis(total, axis + 1, 1).sum((2, 3)) @ np.arange(6)
        np.testing.assert_allclose(moment, values.T @ cell[:, axis])


AFTER_WARM_UP = """
import numpy as np
from grasp_pose_net.perception import PerceptionConfig, View, kernels, perceive, warm_up
warm_up()
loops = [loop for loop in vars(kernels).values() if hasattr(loop, "signatures")]
before = [loop.signatures for loop in loops]
x, y = np.random.default_rng(0).uniform(-0.2, 0.2, (2, 50000)).astype(np.float32)
z = np.float32(-0.6) + np.clip(0.09 - np.hypot(x, y), 0, 0.06)
T = np.eye(4)
T[2, 3] = 0.6
capture = perceive([View("camera", np.column_stack([x, y, z]), T)], PerceptionConfig())
assert len(capture.scene.targets) == 1, capture.summary()
print(sum(map(len, before)), [loop.signatures for loop in loops] == before)
"""


def test_after_warming_up_a_capture_compiles_nothing():
    run = subprocess.run([sys.executable, "-c", AFTER_WARM_UP], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    compiled, nothing_new = run.stdout.split()
    assert int(compiled) >= 7 and nothing_new == "True", run.stdout
