from __future__ import annotations

import numpy as np

from grasp_pose_net.simulation.cameras import CameraConfig, rays
from grasp_pose_net.simulation.noise import add_depth_noise, axial_sigma

CAMERA = CameraConfig()
SHAPE = (CAMERA.height_px, CAMERA.width_px)


def noisy(depth, seed=0):
    return add_depth_noise(depth.astype(np.float32), CAMERA.focal_px, np.random.default_rng(seed))


def plane(normal, distance):
    """Depth image of a plane n · p = distance, optical frame."""
    return (distance / (rays(CAMERA) @ np.asarray(normal))).astype(np.float32)


def test_the_axial_standard_deviation_is_the_published_one():
    for depth in (0.4, 0.7, 1.2):
        error = noisy(np.full(SHAPE, depth)) - depth
        expected = np.hypot(0.0012 + 0.0019 * (depth - 0.4) ** 2, 0.001 / np.sqrt(12))
        np.testing.assert_allclose(np.nanstd(error), expected, rtol=0.02)
        np.testing.assert_allclose(np.nanmean(error), 0, atol=3e-5)


def test_depths_are_whole_millimetres_and_one_percent_drops_out():
    depth = noisy(np.full(SHAPE, 0.7))
    np.testing.assert_allclose(np.isnan(depth).mean(), 0.01, atol=0.001)
    millimetres = depth[np.isfinite(depth)] * 1000
    np.testing.assert_allclose(millimetres, np.round(millimetres), atol=1e-3)


def test_surfaces_seen_at_a_flat_angle_are_invalid():
    directions = rays(CAMERA) / np.linalg.norm(rays(CAMERA), axis=-1, keepdims=True)
    for tilt_deg in (60, 72, 80):
        normal = np.array([np.sin(np.deg2rad(tilt_deg)), 0, np.cos(np.deg2rad(tilt_deg))])
        depth = plane(normal, 0.7 * normal[2])
        facing = (depth > 0.2) & (depth < 1.5)
        incidence = np.rad2deg(np.arccos(np.clip(directions @ normal, -1, 1)))
        valid = np.isfinite(noisy(np.where(facing, depth, np.nan)))
        inner = facing.copy()
        inner[:, 1:-1] &= facing[:, :-2] & facing[:, 2:]
        assert not valid[inner & (incidence > 76)].any()
        steady = inner & (incidence < 74) & (depth < 0.8)  # beyond, one pixel is a step of 2 cm
        if steady.any():
            np.testing.assert_allclose(valid[steady].mean(), 0.99, atol=0.005)


def test_edges_fray_by_one_pixel_and_have_pixels_in_between():
    depth = np.full(SHAPE, 0.8)
    depth[:, 300:] = 0.6
    result = noisy(depth)
    between = (result > 0.62) & (result < 0.78)
    assert between[:, [299, 300]].mean() > 0.1
    assert not between[:, :299].any() and not between[:, 301:].any()
    far_side_reads_near = (result[:, 299] < 0.62).mean()
    assert 0.1 < far_side_reads_near < 0.4


def test_nothing_stays_nothing_and_the_input_stays_as_it_was():
    depth = np.full(SHAPE, 0.7, np.float32)
    depth[100:200] = np.nan
    before = depth.copy()
    result = noisy(depth)
    np.testing.assert_array_equal(depth, before)
    assert np.isnan(result[102:198]).all()
    np.testing.assert_array_equal(result, noisy(depth))
    assert (result != noisy(depth, seed=1)).any()


def test_sigma_has_its_least_at_40_cm():
    np.testing.assert_allclose(axial_sigma(np.array([0.4, 1.4])), [0.0012, 0.0031])
