"""A robot between the cameras and the table: nothing of it is an object, and what it hides is not empty."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from grasp_pose_net.exceptions import PerceptionError
from grasp_pose_net.perception import perceive
from grasp_pose_net.perception.freespace import DepthImage, most_free
from grasp_pose_net.robot import Body
from grasp_pose_net.world import inverse_transform, make_transform, transform_points

RADIUS, LENGTH = 0.04, 0.4  # of a forearm that lies above the table
MIDDLE = np.array([0.0, 0.10, 0.22])  # seen from the middle of the table's top


@pytest.fixture(scope="module")
def forearm(centre):
    """A level capsule above the table, as a mesh and as the robot's body."""
    T_world_shape = make_transform(centre + MIDDLE)
    T_world_shape[:3, :3] = [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]  # its z along the world's x
    mesh = trimesh.creation.capsule(height=LENGTH, radius=RADIUS)
    mesh.apply_translation(-mesh.bounds.mean(0))
    mesh.apply_transform(T_world_shape)
    core = np.array([[0.0, 0.0, LENGTH / 2]])
    low, high = mesh.bounds
    body = Body(
        inverse_transform(T_world_shape)[None],
        core,
        np.array([RADIUS]),
        np.ones(1, bool),
        low[None],
        high[None],
    )
    return mesh, body


@pytest.fixture(scope="module")
def block(put):
    return put(trimesh.creation.box([0.06, 0.07, 0.10]), 0.05, -0.04)


def test_nothing_of_the_robot_becomes_an_obstacle_and_the_object_is_as_without_it(
    scan, config, forearm, block
):
    mesh, body = forearm
    views = scan([block, mesh], noise=0.001)
    taken = perceive(views, config)
    assert "too large" in taken.scene.obstacles[0].reason
    capture = perceive([replace(view, robot=body) for view in views], config)
    assert capture.scene.obstacles == ()
    (target,) = capture.scene.targets
    np.testing.assert_allclose(target.mesh.extents, block.extents, atol=0.006)
    assert "the robot is in view: " in capture.summary() and "what it hides was not seen" in capture.summary()
    alone = perceive([replace(view, robot=body) for view in scan([block], noise=0.001)], config)
    assert "the robot" not in alone.summary()


def test_a_robot_whose_shapes_are_a_little_small_is_gone_with_the_margin(scan, config, forearm, block):
    mesh, body = forearm
    views = [replace(view, robot=body._replace(radius=body.radius - 0.012)) for view in scan([block, mesh])]
    assert perceive(views, config).scene.obstacles == ()
    bare = perceive(views, replace(config, robot_margin_m=0.0))
    assert len(bare.scene.obstacles) > 0


def test_what_the_robot_hides_is_not_seen_through(scan, centre, forearm):
    mesh, body = forearm
    (view,) = scan([mesh], cameras=1)
    T_table_camera = make_transform(-centre) @ view.T_world_camera
    image = DepthImage.from_points(replace(view, robot=body).points_camera, T_table_camera)
    eye = T_table_camera[:3, 3]
    ray = (MIDDLE - eye) / np.linalg.norm(MIDDLE - eye)
    surface = MIDDLE - RADIUS * ray
    free = most_free([image], np.stack([surface - 0.06 * ray, surface + 0.12 * ray]))
    assert free[0] > 0.02 and free[1] < -0.1


def test_a_view_of_nothing_but_the_robot_is_left_out_by_that_reason(scan, config, forearm):
    mesh, body = forearm
    views = scan([mesh], cameras=2)
    points = transform_points(inverse_transform(views[0].T_world_camera), mesh.sample(4000, seed=0))
    only = replace(views[0], points_camera=points, robot=body)
    with pytest.raises(PerceptionError, match=r"camera_1: all that it shows of the workspace is the robot"):
        perceive([only, views[1]], replace(config, min_views=2))
