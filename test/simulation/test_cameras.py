from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from grasp_pose_net.simulation.cameras import CameraConfig, camera_ring, depth_to_cloud, miscalibrated, rays
from grasp_pose_net.simulation.render import SceneRenderer
from grasp_pose_net.world import inverse_transform, transform_points

CAMERAS = CameraConfig()


def test_the_ring_is_that_of_the_scan_protocol():
    centre = np.array([0.7, 0.0, 0.72])
    poses = list(camera_ring(CAMERAS, centre).values())
    assert len(poses) == 4
    for T_world_optical in poses:
        to_centre = centre - T_world_optical[:3, 3]
        np.testing.assert_allclose(np.linalg.norm(to_centre), 0.7)
        np.testing.assert_allclose(T_world_optical[:3, 2], to_centre / 0.7, atol=1e-12)  # z looks at it
        np.testing.assert_allclose(np.arcsin(-T_world_optical[2, 2]), np.deg2rad(40))
        np.testing.assert_allclose(T_world_optical[2, 0], 0, atol=1e-12)  # x is level,
        assert T_world_optical[2, 1] < 0  # y points down
        np.testing.assert_allclose(np.linalg.det(T_world_optical[:3, :3]), 1)
    for first, second in pairwise(poses):
        turned = Rotation.from_euler("z", 90, degrees=True).apply(first[:3, 3] - centre)
        np.testing.assert_allclose(turned, second[:3, 3] - centre, atol=1e-12)


def test_the_field_of_view_is_58_degrees():
    left, right = rays(CAMERAS)[240, [0, -1], 0]
    pixel = 1 / CAMERAS.focal_px
    np.testing.assert_allclose(
        np.rad2deg(np.arctan(right + pixel / 2) - np.arctan(left - pixel / 2)), 58, atol=1e-4
    )


def test_calibration_errors_stay_within_their_bounds():
    rng = np.random.default_rng(0)
    T_world_optical = camera_ring(CAMERAS, np.zeros(3))["camera_2"]
    errors = [
        inverse_transform(T_world_optical) @ miscalibrated(T_world_optical, CAMERAS, rng) for _ in range(300)
    ]
    shifts = np.array([np.linalg.norm(T[:3, 3]) for T in errors])
    angles = np.array([np.rad2deg(Rotation.from_matrix(T[:3, :3]).magnitude()) for T in errors])
    assert 0.0019 < shifts.max() <= 0.002
    assert 0.28 < angles.max() <= 0.3


@pytest.mark.sim
def test_a_cloud_without_noise_lies_on_the_true_surfaces(sim, views):
    renderer = SceneRenderer(sim.model, CAMERAS.width_px, CAMERAS.height_px)
    renderer.show(sim.data.qpos)
    box, T_world_box = np.array([0.06, 0.08, 0.12]) / 2, sim.object_pose("box")
    table, half = sim.config.table_top, np.array([*sim.config.table_size_m]) / 2
    seen = []
    for view in views:
        depth = renderer.depth(view.name, CAMERAS.range_m)
        points = transform_points(view.T_world_optical, depth_to_cloud(depth, CAMERAS))
        inside = (np.abs(points[:, :2] - table[:2]) < half - 0.002).all(1) & (points[:, 2] > table[2] - 0.02)
        local = np.abs(transform_points(inverse_transform(T_world_box), points[inside])) - box
        outside = np.linalg.norm(np.maximum(local, 0), axis=1)
        to_box = np.where(outside > 0, outside, np.abs(local.max(1)))
        to_surface = np.minimum(to_box, np.abs(points[inside, 2] - table[2]))
        assert to_surface.max() < 0.002, view.name
        seen.append(int((to_box < 1e-3).sum()))
        # nothing hangs above the table but the box: the robot at home is out of view
        assert points[inside, 2].max() < table[2] + 0.121
    renderer.close()
    assert min(seen) > 3000


@pytest.mark.sim
def test_depths_beyond_the_range_are_invalid(sim):
    renderer = SceneRenderer(sim.model, 160, 120)
    renderer.show(sim.data.qpos)
    depth = renderer.depth("camera_1", 0.7)
    renderer.close()
    assert np.nanmax(depth) < 0.7
    assert 0.2 < np.isnan(depth).mean() < 0.9
