from __future__ import annotations

import numpy as np
import pytest
import trimesh

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.simulation.cameras import CameraConfig
from grasp_pose_net.simulation.tabletop import TabletopConfig, random_tabletop

CONFIG = TabletopConfig()
CAMERAS = CameraConfig(names=("a", "b"), width_px=64, height_px=48)


def test_objects_stand_on_the_table_and_keep_their_distance():
    boxes = [trimesh.creation.box([0.05, 0.08, 0.1]) for _ in range(4)]
    meshes = random_tabletop(boxes, CONFIG, np.random.default_rng(0)).meshes
    for mesh in meshes:
        assert mesh.bounds[0, 2] == pytest.approx(CONFIG.table_center_m[2], abs=1e-9)
        assert (np.abs(mesh.bounds[:, :2] - CONFIG.table_center_m[:2]) <= 0.3).all()
    for i, one in enumerate(meshes):
        for other in meshes[:i]:
            gap = np.linalg.norm(one.vertices[:, None, :2] - other.vertices[None, :, :2], axis=2).min()
            assert gap > CONFIG.gap_m


def test_what_does_not_fit_is_said():
    plates = [trimesh.creation.box([0.35, 0.35, 0.02]) for _ in range(2)]
    with pytest.raises(ConfigError, match="no free place for object 2 of 2 in 300 tries"):
        random_tabletop(plates, CONFIG, np.random.default_rng(0))


def test_views_hold_the_table_and_the_same_seed_gives_the_same_views():
    tabletop = random_tabletop([trimesh.creation.box([0.08, 0.08, 0.08])], CONFIG, np.random.default_rng(0))
    first, second = (tabletop.views(CAMERAS, np.random.default_rng(1)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.points_camera, other.points_camera)
    view = first[0]
    points = view.points_camera @ view.T_world_camera[:3, :3].T + view.T_world_camera[:3, 3]
    on_table = np.abs(points[:, 2] - CONFIG.table_center_m[2]) < 0.01
    assert on_table.mean() > 0.3 and (points[:, 2] > CONFIG.table_center_m[2] + 0.06).any()
