from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from grasp_pose_net.exceptions import ConfigError, PerceptionError, WorldError
from grasp_pose_net.perception import PerceptionConfig, View
from grasp_pose_net.perception.views import Surface, cell_means, crop_views, merged, oriented

CONFIG = PerceptionConfig(workspace_min=(-1, -1, -1), workspace_max=(1, 1, 1), min_views=1)
NAN = np.full((5, 3), np.nan)


def plane(step=0.0025, side=0.1):
    x, y = np.meshgrid(np.arange(0, side, step), np.arange(0, side, step))
    return np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)])


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        (np.empty((0, 3)), "the cloud is empty"),
        (NAN, "none of its 5 points is a finite number"),
        (np.full((4, 3), np.inf), "none of its 4 points is a finite number"),
        (
            np.full((3, 3), 2.0),
            r"none of its 3 points lies in the workspace .* \(their middle is \[2.0, 2.0, 2.0\]\)",
        ),
    ],
)
def test_useless_view_is_refused_with_its_reason(points, reason):
    with pytest.raises(
        PerceptionError, match=rf"1 view\(s\) of the table are needed, 0 usable \(left: {reason}"
    ):
        crop_views([View("left", points, np.eye(4))], CONFIG, {})


def test_no_view_at_all():
    with pytest.raises(PerceptionError, match=r"0 usable.*no view was given"):
        crop_views([], CONFIG, {})


def test_too_few_views_name_those_that_are_missing():
    config = dataclasses.replace(CONFIG, min_views=3)
    views = [View("left", plane(), np.eye(4)), View("right", NAN, np.eye(4))]
    with pytest.raises(PerceptionError, match=r"3 view\(s\) .* 1 usable \(rear: late; right: none of its"):
        crop_views(views, config, {"rear": "late"})


def test_crop_keeps_what_is_inside_in_the_world():
    T_world_camera = np.eye(4)
    T_world_camera[0, 3] = 0.5
    points = np.array([[0.4, 0, 0], [0.6, 0, 0], [np.nan, 0, 0]])
    clouds, left_out = crop_views([View("left", points, T_world_camera)], CONFIG, {})
    np.testing.assert_allclose(clouds[0].points, [[0.9, 0, 0]], atol=1e-6)
    assert left_out == {}


@pytest.mark.parametrize("points", [np.zeros((2, 3)), np.array([[0.0, 0, 0]])])
def test_one_point_is_a_cloud(points):
    clouds, _ = crop_views([View("left", points, np.eye(4))], CONFIG, {})
    np.testing.assert_allclose(clouds[0].points, [[0, 0, 0]])


def test_view_checks_its_arrays():
    with pytest.raises(ValueError, match=r"view left: points_camera: expected \(N, 3\), got \(3,\)"):
        View("left", np.zeros(3), np.eye(4))
    for broken, text in (
        (np.full((4, 4), np.nan), r"nan at \(0, 0\) is not a finite number"),
        (np.diag([1.0, 1.0, 1.1, 1.0]), "it scales or shears: its columns are 1, 1, 1.1 long"),
    ):
        with pytest.raises(WorldError, match=f"view left: T_world_camera.*{text}"):
            View("left", np.zeros((1, 3)), broken)


def test_cells_hold_the_mean_of_their_points():
    points = np.array([[0.0, 0, 0], [0.004, 0, 0], [0.02, 0, 0]])
    np.testing.assert_allclose(cell_means(points, 0.01), [[0.002, 0, 0], [0.02, 0, 0]])


def test_normals_look_at_the_camera():
    for side in (1.0, -1.0):
        seen = oriented(plane(), np.array([0.05, 0.05, side]), 0.0025)
        np.testing.assert_allclose(seen.normals, [[0, 0, side]] * len(seen.points), atol=1e-6)


def test_edge_on_and_lonely_points_are_dropped():
    points = plane()
    assert len(oriented(points, np.array([0.05, 0.05, 1.0]), 0.0025).points) == len(points)
    assert len(oriented(points, np.array([5.0, 0.05, 0.1]), 0.0025).points) == 0
    lonely = np.vstack([points, [[0.05, 0.05, 0.05]]])
    assert len(oriented(lonely, np.array([0.05, 0.05, 1.0]), 0.0025).points) == len(points)
    assert len(oriented(np.empty((0, 3)), np.zeros(3), 0.0025).points) == 0


def test_two_sides_of_a_wall_are_not_merged():
    up, down = np.array([[0, 0.0, 1]]), np.array([[0, 0.0, -1]])
    place = np.array([[0.001, 0.001, 0.001]])
    wall = merged([Surface(place, up), Surface(place, up), Surface(place, down)], 0.0025)
    np.testing.assert_allclose(np.sort(wall.normals[:, 2]), [-1, 1])


def test_config_rules():
    with pytest.raises(ConfigError, match=r"workspace_min .* must be below"):
        PerceptionConfig(workspace_min=(0, 0, 1), workspace_max=(1, 1, 1))
    with pytest.raises(ConfigError, match=r"voxel_m: 0\.0 is out of range; valid: 0\.0005 to 0\.02"):
        PerceptionConfig(voxel_m=0)
    with pytest.raises(ConfigError, match=r"min_object_m 0\.2 must be below max_object_m 0\.1"):
        PerceptionConfig(min_object_m=0.2, max_object_m=0.1)
