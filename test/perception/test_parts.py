"""Table, registration, free space, underside and Poisson, each on its own."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from grasp_pose_net.exceptions import PerceptionError
from grasp_pose_net.perception import PerceptionConfig
from grasp_pose_net.perception.clusters import grounded, whole
from grasp_pose_net.perception.freespace import DepthImage, most_free
from grasp_pose_net.perception.poisson import Volume, isosurface, poisson, solid
from grasp_pose_net.perception.registration import levelling, slides
from grasp_pose_net.perception.surface import closed_mesh, simplified
from grasp_pose_net.perception.table import facing_plane, find_table
from grasp_pose_net.perception.underside import underside
from grasp_pose_net.perception.views import Surface, side_by_side

CONFIG = PerceptionConfig()
UNSEEN = DepthImage(np.eye(4), np.zeros((1, 1)), np.zeros(2), 1.0)  # a camera that measured nothing


def grid(x, y, z=0.0):
    """Points (N, 3) on a horizontal patch between x and y limits."""
    a, b = np.meshgrid(np.arange(*x, 0.004), np.arange(*y, 0.004))
    return np.column_stack([a.ravel(), b.ravel(), np.full(a.size, z)])


def test_table_is_level_even_beside_a_larger_wall():
    table = grid((-0.2, 0.2), (-0.1, 0.1), 0.3)
    wall = grid((-0.5, 0.5), (-0.5, 0.5))[:, [0, 2, 1]] + [0, 0.3, 0.5]
    found = find_table(np.vstack([table, wall]), CONFIG)
    assert found.T_world_table[2, 3] == pytest.approx(0.3, abs=1e-3)
    np.testing.assert_allclose(sorted(found.size[:2]), [0.2, 0.4], atol=0.03)


def test_tilted_table_is_followed_up_to_the_limit():
    R = Rotation.from_euler("x", 0.1).as_matrix()
    found = find_table(grid((-0.2, 0.2), (-0.2, 0.2)) @ R.T, CONFIG)
    np.testing.assert_allclose(found.T_world_table[:3, 2], R[:, 2], atol=1e-3)
    steep = grid((-0.2, 0.2), (-0.2, 0.2)) @ Rotation.from_euler("x", 0.5).as_matrix().T
    with pytest.raises(
        PerceptionError, match=r"no table: asked for .* of level, found .* any tilt 0\.\d+ m² at 29°"
    ):
        find_table(steep, CONFIG)


def test_low_things_on_the_table_do_not_raise_it():
    rng = np.random.default_rng(0)
    top = grid((-0.3, 0.3), (-0.2, 0.2)) + rng.normal(0, 0.001, (150 * 100, 1)) * [0, 0, 1]
    low = grid((-0.3, -0.1), (0.0, 0.2)) + rng.uniform(0, 0.007, (50 * 50, 1)) * [0, 0, 1]
    found = find_table(np.vstack([top, low]), CONFIG)
    assert found.T_world_table[2, 3] == pytest.approx(0.0, abs=3e-4)
    assert np.arccos(found.T_world_table[2, 2]) < 0.003


def test_a_few_points_are_no_table():
    with pytest.raises(PerceptionError, match=r"no table: .* found "):
        find_table(np.eye(3), CONFIG)
    with pytest.raises(PerceptionError, match="hold no plane"):
        facing_plane(np.eye(3))


def test_two_tables_of_one_height_are_not_one():
    large, small = grid((-0.3, 0.1), (-0.2, 0.2)), grid((0.3, 0.4), (0, 0.1))
    found = find_table(np.vstack([large, small]), CONFIG)
    assert max(found.size[:2]) < 0.45
    np.testing.assert_allclose(found.T_world_table[:2, 3], [-0.1, 0], atol=0.02)


def test_plane_of_a_view_faces_the_camera():
    _, normal = facing_plane(grid((-0.2, 0.2), (-0.2, 0.2), 0.8))
    np.testing.assert_allclose(normal, [0, 0, -1], atol=1e-6)


def test_levelled_view_sees_the_top_at_zero():
    R = Rotation.from_euler("xy", [0.006, -0.004]).as_matrix()
    tilted = grid((-0.3, 0.3), (-0.3, 0.3)) @ R.T + [0, 0, 0.003]
    T_level_view = levelling(tilted, 0.01, 0.0025**2)
    np.testing.assert_allclose((tilted @ T_level_view[:3, :3].T + T_level_view[:3, 3])[:, 2], 0, atol=1e-6)
    np.testing.assert_allclose(T_level_view[:3, :3], R.T, atol=1e-4)


def test_view_too_far_off_stays_as_it_is():
    R = Rotation.from_euler("x", 0.05).as_matrix()
    tilted = grid((-0.3, 0.3), (-0.3, 0.3)) @ R.T
    np.testing.assert_array_equal(levelling(tilted, 0.01, 0.0025**2), np.eye(4))
    small = grid((0, 0.02), (0, 0.02))
    np.testing.assert_array_equal(levelling(small, 0.01, 0.0025**2), np.eye(4))


def box_surface():
    mesh = trimesh.creation.box([0.1, 0.06, 0.05])
    points, face = trimesh.sample.sample_surface(mesh, 3000, seed=0)
    return Surface(np.asarray(points), np.asarray(mesh.face_normals[face]))


def test_slides_bring_two_views_of_a_box_together():
    first = box_surface()
    T = np.eye(4)
    T[:3, :3] = Rotation.from_euler("z", 0.01).as_matrix()
    T[:2, 3] = [0.003, -0.002]
    motions = slides([first, first.moved(T)], 0.01)
    there, here = first.moved(motions[1] @ T).points, first.moved(motions[0]).points
    assert np.linalg.norm(first.moved(T).points - first.points, axis=1).max() > 3.5e-3
    assert np.linalg.norm(there - here, axis=1).max() < 3e-4


def test_slides_refuse_what_is_too_far_and_need_two_views():
    first = box_surface()
    far = np.eye(4)
    far[0, 3] = 0.008
    for motion in slides([first, first.moved(far)], 0.002):
        assert np.abs(motion[:2, 3]).max() <= 0.002
    empty = Surface(np.empty((0, 3)), np.empty((0, 3)))
    for motion in slides([first, empty], 0.01):
        np.testing.assert_array_equal(motion, np.eye(4))


def test_what_floats_belongs_to_what_is_below_it():
    low, belly, far = (
        grid((0, 0.05), (0, 0.05), 0.01),
        grid((0, 0.06), (0, 0.06), 0.03),
        grid((0.2, 0.25), (0, 0.05), 0.1),
    )
    points = np.vstack([low, belly, far])
    label = np.repeat([0, 1, 2], [len(low), len(belly), len(far)])
    joined = grounded(points, label, 10)
    np.testing.assert_array_equal(joined, np.where(label == 1, 0, label))
    np.testing.assert_array_equal(grounded(points, label, 10**6), label)
    np.testing.assert_array_equal(grounded(points, np.full(len(points), -1), 10), -1)


def test_a_piece_seen_apart_within_an_outline_belongs_to_it_and_a_neighbour_does_not():
    ring, piece = grid((0, 0.1), (0, 0.1), 0.01), grid((0.045, 0.055), (0.045, 0.055), 0.02)
    ring = ring[(np.abs(ring[:, :2] - 0.05) > 0.025).any(1)]
    neighbour = grid((0.115, 0.125), (0.045, 0.055), 0.01)
    points = np.vstack([ring, piece, neighbour])
    label = np.repeat([0, 1, 2], [len(ring), len(piece), len(neighbour)])
    np.testing.assert_array_equal(whole(points, label, 0.024), np.where(label == 1, 0, label))
    np.testing.assert_array_equal(whole(points, label, 0.01), label)


def test_space_before_what_a_camera_measured_is_free():
    x, y = np.meshgrid(np.arange(-0.3, 0.3, 0.0025), np.arange(-0.3, 0.3, 0.0025))
    wall = np.column_stack([x.ravel(), y.ravel(), np.full(x.size, 1.0)])
    T_table_camera = np.eye(4)  # looks down from 1 m
    T_table_camera[:3, :3] = np.diag([1.0, -1, -1])
    T_table_camera[2, 3] = 1.0
    image = DepthImage.from_points(np.vstack([wall, [[np.nan] * 3, [0, 0, -1]]]), T_table_camera)
    free = most_free([image], np.array([[0, 0, 0.2], [0, 0, -0.1], [0.1, 0, 0.2], [2.0, 0, 0], [0, 0, 1.5]]))
    np.testing.assert_allclose(free[:3], [0.2, -0.1, 0.2], atol=1e-5)
    assert np.isneginf(free[3:]).all()


def test_view_without_measurements_frees_nothing():
    T = np.eye(4)
    T[2, 3] = 1.0
    empty = DepthImage.from_points(np.full((3, 3), np.nan), T)
    assert np.isneginf(most_free([empty], np.zeros((2, 3)))).all()


def test_underside_is_where_no_table_was_seen():
    lid, foot = grid((0, 0.08), (0, 0.08), 0.05), grid((0, 0.08), (0, 0.08), 0.006)
    block = np.vstack([lid, foot[(np.abs(foot[:, :2] - 0.038) > 0.036).any(1)]])
    around = grid((-0.1, 0.2), (-0.1, 0.2))
    hidden = (around[:, :2] > 0).all(1) & (around[:, :2] < 0.08).all(1)
    under = underside(block, around[~hidden])
    np.testing.assert_array_equal(under.normals, np.tile([0.0, 0, -1], (len(under.points), 1)))
    assert len(under.points) * 0.003**2 == pytest.approx(0.08**2, rel=0.15)
    assert (under.points[:, 2] == 0).all()


def test_underside_leaves_a_hole_where_the_table_was_seen_and_finds_a_low_floor():
    top = grid((0, 0.1), (0, 0.1), 0.03)
    hole = (np.abs(top[:, :2] - 0.05) < 0.02).all(1)
    ring, patch = top[~hole], top[hole]
    open_ring = underside(ring, np.column_stack([patch[:, :2], np.zeros(len(patch))]))
    assert not (np.abs(open_ring.points[:, :2] - 0.05) < 0.015).all(1).any()
    dish = underside(ring, np.column_stack([patch[:, :2], np.full(len(patch), 0.003)]))
    middle = (np.abs(dish.points[:, :2] - 0.05) < 0.015).all(1)
    up = dish.normals[:, 2] > 0
    assert (middle & up).any() and (middle & ~up).any()
    np.testing.assert_allclose(dish.points[up, 2], 0.005)


@pytest.mark.parametrize(
    "shape", [trimesh.creation.box([0.1, 0.06, 0.04]), trimesh.creation.icosphere(3, 0.04)]
)
def test_poisson_gives_back_a_closed_shape(shape):
    points, face = trimesh.sample.sample_surface(shape, 6000, seed=0)
    areas = np.full(len(points), shape.area / len(points))
    volume = poisson(np.asarray(points), shape.face_normals[face], areas, 0.0025, 0.0025)
    mesh = trimesh.Trimesh(*isosurface(solid(volume)))
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(shape.volume, rel=0.02)
    distance = np.abs(trimesh.proximity.signed_distance(shape, mesh.vertices[::10]))
    assert distance.mean() < 0.0007


def test_solid_keeps_what_is_large_without_cavities_and_closes_the_border():
    values = -np.ones((20, 20, 20))
    values[0:10, 5:15, 5:15] = 1
    values[4:7, 9:11, 9:11] = -1  # a cavity
    values[15:17, 15:17, 15:17] = 1  # noise
    values[12:14, 2:8, 2:8] = 1  # another part
    kept = solid(Volume(values, np.zeros(3), 0.01)).values > 0
    assert kept[5, 10, 10] and kept[13, 4, 4] and not kept[16, 16, 16] and not kept[0].any()
    assert trimesh.Trimesh(*isosurface(Volume(np.where(kept, 1.0, -1.0), np.zeros(3), 0.01))).is_watertight
    nothing = solid(Volume(-np.ones((5, 5, 5)), np.zeros(3), 0.01))
    assert len(isosurface(nothing)[1]) == 0


def test_closed_mesh_ends_at_the_table():
    box = trimesh.creation.box([0.06, 0.06, 0.06])
    box.apply_translation([0, 0, 0.03])
    points, face = trimesh.sample.sample_surface(box, 6000, seed=0)
    points, normals = np.asarray(points), box.face_normals[face]
    mesh = closed_mesh(
        Surface(points, normals).part(points[:, 2] > 0.004), np.empty((0, 3)), [UNSEEN], 0.0025, 4000
    )
    assert mesh.is_watertight and mesh.volume == pytest.approx(box.volume, rel=0.03)
    assert -1e-6 < mesh.bounds[0, 2] < 1e-3
    (flat,) = np.nonzero(mesh.vertices[:, 2] < 1e-5)[:1]
    assert len(flat) > 3


def test_what_cameras_saw_through_encloses_nothing():
    through = DepthImage(np.eye(4), np.full((200, 200), 10.0), np.array([-10.0, -10]), 0.1)
    ball = trimesh.creation.icosphere(3, 0.03)
    seen = Surface(ball.vertices + np.array([0, 0, 0.5]), ball.vertex_normals)
    assert closed_mesh(seen, np.empty((0, 3)), [UNSEEN], 0.0025, 4000).is_watertight
    with pytest.raises(PerceptionError, match=r"the \d+ points of the object enclose no volume"):
        closed_mesh(seen, np.empty((0, 3)), [through], 0.0025, 4000)


def test_large_objects_get_larger_cells():
    points, face = trimesh.sample.sample_surface(ball := trimesh.creation.icosphere(3, 0.3), 20000, seed=0)
    areas = np.full(len(points), ball.area / len(points))
    volume = poisson(np.asarray(points), ball.face_normals[face], areas, 0.0025, 0.0025)
    assert max(volume.values.shape) <= 135 and volume.spacing > 0.005


def test_simplified_mesh_stays_closed():
    mesh = trimesh.creation.icosphere(5, 0.05)
    small = simplified(mesh, 1000)
    assert len(small.faces) <= 1000 and small.is_watertight
    assert small.volume == pytest.approx(mesh.volume, rel=0.01)
    assert simplified(mesh, 10**6) is mesh


def test_meshes_that_are_simplified_side_by_side_are_not_mixed_up():
    balls = [trimesh.creation.icosphere(4, 0.01 * (i + 1)) for i in range(8)]
    for ball, small in zip(balls, side_by_side(lambda mesh: simplified(mesh, 1500), balls), strict=True):
        np.testing.assert_allclose(small.extents, ball.extents, rtol=0.02)
