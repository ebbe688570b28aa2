from __future__ import annotations

import dataclasses

import imageio.v3 as imageio
import numpy as np
import pytest
import trimesh

from grasp_pose_net.exceptions import PerceptionError
from grasp_pose_net.perception import View, draw_stages, perceive
from grasp_pose_net.perception.capture import described

BOX = (0.06, 0.08, 0.12)
NOISE_M = 0.0013


@pytest.fixture(scope="module")
def box(put):
    return put(trimesh.creation.box(BOX), 0.03, -0.04, yaw=0.4)


@pytest.fixture(scope="module")
def box_views(scan, box):
    return scan([box], noise=NOISE_M)


@pytest.fixture(scope="module")
def box_capture(box_views, config):
    return perceive(box_views, config)


def overlap(inside, item, mesh):
    """Intersection over union of a perceived object and the true mesh on cells of 4 mm."""
    low, high = mesh.bounds + np.array([[-0.02], [0.02]])
    axes = [np.arange(a + 0.002, b, 0.004) for a, b in zip(low, high, strict=True)]  # none on a face
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    found, true = inside(item, points), inside(mesh, points)
    return (found & true).sum() / (found | true).sum()


def test_box_is_found_where_it_stands(box_capture, box, inside):
    (item,) = box_capture.scene.targets
    assert item.id == "object_0"
    assert item.mesh.is_watertight and item.mesh.volume > 0
    np.testing.assert_allclose(item.T_world_object[:3, 3], box.center_mass, atol=0.003)
    np.testing.assert_array_equal(item.T_world_object[:3, :3], np.eye(3))
    np.testing.assert_allclose(item.mesh.center_mass, 0, atol=1e-6)
    assert item.mesh.volume == pytest.approx(np.prod(BOX), rel=0.06)
    assert overlap(inside, item, box) > 0.93
    assert len(item.mesh.faces) <= 4000


def test_box_stands_on_the_table(box_capture, centre):
    (item,) = box_capture.scene.targets
    assert item.mesh.bounds[0, 2] + item.T_world_object[2, 3] == pytest.approx(centre[2], abs=0.0015)


def test_table_is_a_box_under_it(box_capture, centre):
    table = box_capture.table
    np.testing.assert_allclose(table.T_world_table[:3, 3], centre, atol=0.004)
    np.testing.assert_allclose(table.T_world_table[:3, 2], [0, 0, 1], atol=0.005)
    np.testing.assert_allclose(table.size, [0.7, 0.7, 0.04], atol=0.02)
    np.testing.assert_allclose(table.T_world_box[:3, 3], centre - [0, 0, 0.02], atol=0.004)
    assert np.linalg.det(table.T_world_table[:3, :3]) == pytest.approx(1)


def test_summary_names_objects_table_and_times(box_capture):
    text = box_capture.summary()
    assert text.startswith("1 object(s): object_0 ") and "; table 70." in text
    for stage in ("fuse", "table", "combine", "cluster", "reconstruct"):
        assert f"{stage} " in text and box_capture.seconds[stage] > 0


def test_the_same_views_give_the_same_mesh(box_views, box_capture, config):
    again = perceive(box_views, config)
    np.testing.assert_array_equal(
        again.scene.targets[0].mesh.vertices, box_capture.scene.targets[0].mesh.vertices
    )
    np.testing.assert_array_equal(again.table.T_world_table, box_capture.table.T_world_table)


def test_arguments_stay_as_they_were(box_views, config):
    before = [(v.points_camera.copy(), v.T_world_camera.copy()) for v in box_views]
    perceive(box_views, config)
    for view, (points, T) in zip(box_views, before, strict=True):
        np.testing.assert_array_equal(view.points_camera, points)
        np.testing.assert_array_equal(view.T_world_camera, T)


def test_wrong_calibration_is_corrected(scan, put, cup, config, inside, monkeypatch):
    """A cup's wall of 5 mm shows it: 0.61, 0.53 and 0.52 of the cup, mean of six draws."""
    true, overlaps = put(cup, -0.05, 0.02), []
    views = scan([true], noise=NOISE_M)
    trusting = dataclasses.replace(config, max_align_m=0.0, table_band_m=0.008)
    for seed in range(3):
        rng, moved = np.random.default_rng(seed), []
        for view in views:
            T = view.T_world_camera.copy()
            T[:3, 3] += rng.uniform(-0.002, 0.002, 3)
            turn = trimesh.transformations.rotation_matrix(np.radians(0.3), rng.normal(size=3))
            moved.append(View(view.name, view.points_camera, T @ turn))
        captures = [perceive(moved, config), perceive(moved, trusting)]
        with monkeypatch.context() as patch:
            patch.setattr(
                "grasp_pose_net.perception.from_views.slides", lambda parts, _: [np.eye(4) for _ in parts]
            )
            captures.append(perceive(moved, config))
        overlaps.append([overlap(inside, capture.scene.targets[0], true) for capture in captures])
    corrected, trusted, only_levelled = np.mean(overlaps, axis=0)
    assert corrected > trusted + 0.05 and corrected > only_levelled + 0.03, overlaps


def test_cup_stays_open_and_keeps_its_wall(scan, put, cup, config, inside):
    true = put(cup, -0.05, 0.02)
    (item,) = perceive(scan([true], noise=NOISE_M), config).scene.targets
    assert item.mesh.is_watertight
    x, y = true.bounds.mean(0)[:2]
    z = true.bounds[0, 2]
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    wall = np.column_stack([x + 0.0375 * np.cos(angles), y + 0.0375 * np.sin(angles), np.full(24, z + 0.05)])
    assert inside(item, wall).mean() > 0.9
    axis = [[x, y, z + h] for h in (0.045, 0.06, 0.075)]
    assert not inside(item, axis).any()
    assert inside(item, [[x, y, z + 0.003]]).all()
    assert inside(item, wall - [0, 0, 0.035]).mean() > 0.9  # deeper than any camera sees
    assert not inside(item, [[x + a, y, z + h] for a in (-0.02, 0, 0.02) for h in (0.015, 0.03)]).any()


def turned(mesh, angle):
    """The mesh turned about x, its middle at the origin."""
    mesh = mesh.copy().apply_transform(trimesh.transformations.rotation_matrix(angle, [1, 0, 0]))
    return mesh.apply_translation(-mesh.bounds.mean(0))


def test_cup_is_hollow_behind_what_its_mouth_shows_and_solid_where_nothing_was_seen(
    scan, put, cup, config, inside
):
    lying, covering = put(turned(cup, np.pi / 2), -0.1), put(turned(cup, np.pi), 0.1)
    capture = perceive(scan([lying, covering], noise=NOISE_M), config)
    of_lying, of_covering = sorted(capture.scene.targets, key=lambda item: item.T_world_object[0, 3])
    middle = covering.bounds.mean(0)
    assert inside(of_covering, middle + np.array([[0, 0, -0.02], [0.02, 0, 0], [0, 0, 0.02]])).all()
    middle = lying.bounds.mean(0)
    deep = np.array([[0, y, z] for y in (-0.02, 0, 0.02) for z in (-0.015, 0, 0.015)])
    assert not inside(of_lying, middle + deep).any()
    assert overlap(inside, of_lying, lying) > 0.5


def test_lying_can_is_solid(scan, put, config, inside):
    true = put(turned(trimesh.creation.cylinder(0.035, 0.11), np.pi / 2))
    (item,) = perceive(scan([true], noise=NOISE_M), config).scene.targets
    assert overlap(inside, item, true) > 0.9


def test_bowl_has_a_floor_though_it_is_as_low_as_the_noise(scan, put, config, inside):
    outline = np.array([[0, 0], [0.05, 0], [0.05, 0.05], [0.045, 0.05], [0.045, 0.004], [0, 0.004]])
    dish = trimesh.creation.revolve(outline, sections=48)
    dish.fix_normals()
    true = put(dish)
    (item,) = perceive(scan([true], noise=NOISE_M), config).scene.targets
    x, y = true.bounds.mean(0)[:2]
    floor = [[x + a, y + b, true.bounds[0, 2] + 0.002] for a in (-0.02, 0, 0.02) for b in (-0.02, 0, 0.02)]
    assert inside(item, floor).mean() > 0.85


def test_ring_keeps_its_hole(scan, put, config, inside):
    true = put(trimesh.creation.torus(0.05, 0.016))
    (item,) = perceive(scan([true], noise=NOISE_M), config).scene.targets
    x, y = true.bounds.mean(0)[:2]
    heights = true.bounds[0, 2] + np.array([0.004, 0.016, 0.028])
    assert not inside(item, [[x, y, z] for z in heights]).any()
    assert inside(item, [[x + 0.05, y, heights[1]]]).all()


def test_belly_above_an_unseen_waist_is_no_object_of_its_own(scan, put, config, inside):
    outline = [
        [0, 0],
        [0.05, 0],
        [0.05, 0.02],
        [0.02, 0.025],
        [0.02, 0.03],
        [0.055, 0.04],
        [0.055, 0.1],
        [0, 0.1],
    ]
    jar = trimesh.creation.revolve(np.array(outline), sections=48)
    jar.fix_normals()
    true = put(jar, 0.02, 0.01)
    (item,) = perceive(scan([true], noise=NOISE_M), config).scene.targets
    assert overlap(inside, item, true) > 0.85


def test_objects_are_numbered_from_the_largest(scan, put, config):
    small = put(trimesh.creation.box([0.03, 0.03, 0.03]), 0.12, 0.1)
    large = put(trimesh.creation.cylinder(0.035, 0.12), -0.1, -0.1)
    capture = perceive(scan([small, large], noise=NOISE_M), config)
    assert [item.id for item in capture.scene.targets] == ["object_0", "object_1"]
    for item, true in zip(capture.scene.targets, (large, small), strict=True):
        np.testing.assert_allclose(item.T_world_object[:3, 3], true.center_mass, atol=0.003)


def test_one_view_is_enough_for_a_closed_mesh(box_views, config):
    (item,) = perceive(box_views[:1], config).scene.targets
    assert item.mesh.is_watertight and item.mesh.volume > 0


def test_unorganised_clouds_give_the_same_object(box_views, box, config, inside):
    rng, shuffled = np.random.default_rng(0), []
    for view in box_views:
        points = view.points_camera[np.isfinite(view.points_camera).all(1)]
        shuffled.append(View(view.name, rng.permutation(points), view.T_world_camera))
    (item,) = perceive(shuffled, config).scene.targets
    assert overlap(inside, item, box) > 0.93


def test_a_camera_frame_with_x_forward_is_as_good(box_views, box, config, inside):
    R_optical_body = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])
    turned = []
    for view in box_views:
        T = view.T_world_camera.copy()
        T[:3, :3] = T[:3, :3] @ R_optical_body
        turned.append(View(view.name, view.points_camera @ R_optical_body, T))
    (item,) = perceive(turned, config).scene.targets
    assert overlap(inside, item, box) > 0.93


def test_empty_table_is_said(scan, config):
    with pytest.raises(
        PerceptionError, match=r"nothing on the table: \d+ points lie more than 4 mm above its top"
    ):
        perceive(scan([], noise=NOISE_M, width=320, height=240), config)


def test_what_is_not_to_be_grasped_is_an_obstacle_with_the_reason(scan, put, config, centre):
    meshes = [
        put(trimesh.creation.box([0.06, 0.06, 0.06]), 0.0, 0.12),
        put(trimesh.creation.box([0.014, 0.014, 0.013]), 0.0, -0.15),
    ]
    strict = dataclasses.replace(config, min_object_m=0.03, min_object_points=10)
    capture = perceive(scan(meshes), strict)
    assert len(capture.scene.targets) == 1
    (thing,) = capture.scene.obstacles
    assert "too small (min_object_m 0.03)" in thing.reason and described(thing) in capture.summary()
    np.testing.assert_allclose(thing.T_world_object[:2, 3], centre[:2] - np.array([0, 0.15]), atol=0.004)
    np.testing.assert_allclose(thing.sides, [0.014, 0.014, 0.013], atol=0.006)
    tight = dataclasses.replace(config, max_object_m=0.05)
    capture = perceive(scan(meshes[:1]), tight)
    assert (
        capture.scene.targets == () and "too large (max_object_m 0.05)" in capture.scene.obstacles[0].reason
    )


def test_an_object_half_outside_the_crop_is_not_half_an_object(scan, put, config, centre):
    cut = dataclasses.replace(config, workspace_max=(centre[0] + 0.15, 0.5, 1.2))
    inside = put(trimesh.creation.box(BOX), -0.1)
    across = put(trimesh.creation.box(BOX), 0.15)
    capture = perceive(scan([inside, across], noise=NOISE_M), cut)
    (item,), (thing,) = capture.scene.targets, capture.scene.obstacles
    assert item.T_world_object[0, 3] == pytest.approx(centre[0] - 0.1, abs=0.004)
    assert thing.reason.startswith("is cut off by the end of the workspace; move it")


def test_objects_that_touch_are_one_with_a_flag(scan, put, config):
    cans = [put(trimesh.creation.cylinder(0.033, 0.1), x) for x in (-0.033, 0.033)]
    capture = perceive(scan(cans, noise=NOISE_M), config)
    (item,) = capture.scene.targets
    assert (
        item.several
        and "object_0 13." in capture.summary()
        and "(may be several that touch)" in capture.summary()
    )


def test_left_out_views_are_reported(box_views, config):
    nothing = View("camera_9", np.full((10, 3), np.nan), np.eye(4))
    capture = perceive([*box_views[:2], nothing], config, {"camera_8": "no cloud"})
    assert set(capture.left_out) == {"camera_8", "camera_9"}
    assert "camera_8: no cloud" in capture.summary()


def test_more_points_than_the_limit_are_thinned_and_said(box_views, config):
    capture = perceive(box_views, dataclasses.replace(config, max_view_points=100_000))
    assert len(capture.scene.targets) == 1
    assert "camera_1: every 4th of its 307200 points is used" in capture.summary()


def test_stages_become_a_picture(box_capture, tmp_path):
    draw_stages(box_capture, tmp_path / "stages.png")
    assert imageio.imread(tmp_path / "stages.png").std() > 10
