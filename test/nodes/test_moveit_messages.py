"""Messages to and from MoveIt, by round trip through what the nodes already read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

pytest.importorskip("rclpy", reason="needs rclpy")

from moveit_msgs.msg import CollisionObject

from grasp_pose_net.nodes.messages import moveit as moveit_messages
from grasp_pose_net.nodes.messages.basics import transform_from_pose
from grasp_pose_net.robot import PlanningFailed
from grasp_pose_net.world import Box, Mesh, Part, Scene, SceneObject, Trajectory, make_transform

pytestmark = pytest.mark.ros

TURNED = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


@pytest.fixture
def entry():
    T_object_box = make_transform((0.0, 0.1, 0.0))
    T_object_box[:3, :3] = TURNED
    pose = make_transform((0.7, 0.1, 0.8))
    pose[:3, :3] = TURNED.T
    mesh = trimesh.creation.icosphere(subdivisions=1, radius=0.04)
    return SceneObject("thing", pose, (Part(Box(np.array([0.1, 0.2, 0.3])), T_object_box), Part(Mesh(mesh))))


def test_boxes_shrink_on_each_side_and_keep_a_size(entry):
    small = moveit_messages.collision_object(entry, 0.01).primitives[0]
    np.testing.assert_allclose(small.dimensions, [0.08, 0.18, 0.28])
    assert min(moveit_messages.collision_object(entry, 0.09).primitives[0].dimensions) > 0.0


def test_attached_object_is_given_in_its_link(entry):
    T_world_link = make_transform((0.5, 0.0, 1.0))
    scene = Scene((entry,)).attach("thing", "rh_forearm", T_world_link, {"rh_palm", "rh_ffdistal"})
    message = moveit_messages.attached_object(scene)
    assert message.link_name == message.object.header.frame_id == "rh_forearm"
    assert message.object.id == "thing" and message.object.operation == CollisionObject.ADD
    assert message.touch_links == ["rh_ffdistal", "rh_palm"]
    T_link_object = transform_from_pose(message.object.pose)
    np.testing.assert_allclose(T_world_link @ T_link_object, entry.T_world_object, atol=1e-12)
    with pytest.raises(ValueError, match="no attached object"):
        moveit_messages.attached_object(Scene((entry,)))


def test_detaching_names_neither_link_nor_object():
    message = moveit_messages.detached_objects()
    assert (message.link_name, message.object.id) == ("", "")
    assert message.object.operation == CollisionObject.REMOVE


def test_padding_changes_nothing_else():
    message = moveit_messages.link_padding(["wrist_1_link"], 0.01)
    assert message.is_diff and message.robot_state.is_diff
    assert [(p.link_name, p.padding) for p in message.link_padding] == [("wrist_1_link", 0.01)]
    assert not message.world.collision_objects and not message.allowed_collision_matrix.entry_names


@pytest.fixture
def motion():
    times = np.array([0.0, 0.5, 1.0])
    values = np.arange(6.0).reshape(3, 2)
    velocities = np.array([[0.0, 0.0], [1.0, 2.0], [0.0, 0.0]])
    return Trajectory(("a", "b"), times, values, velocities, -values)


def test_trajectory_goes_there_and_back_in_any_order_of_joints(motion):
    message = moveit_messages.robot_trajectory(motion)
    back = moveit_messages.trajectory(message, ("b", "a"))
    assert back.joint_names == ("b", "a")
    np.testing.assert_allclose(back.times, motion.times)
    for name in ("positions", "velocities", "accelerations"):
        np.testing.assert_array_equal(getattr(back, name), getattr(motion, name)[:, ::-1])


def test_trajectory_ends_at_rest(motion):
    rolling = replace(motion, velocities=motion.velocities + 1e-7)
    back = moveit_messages.trajectory(moveit_messages.robot_trajectory(rolling), ("a", "b"))
    np.testing.assert_array_equal(back.velocities[[0, -1]], 0.0)


def test_trajectory_without_timing_or_joints_is_refused(motion):
    message = moveit_messages.robot_trajectory(motion)
    with pytest.raises(PlanningFailed, match="the motion lacks c"):
        moveit_messages.trajectory(message, ("a", "c"))
    message.joint_trajectory.points[1].accelerations = []
    with pytest.raises(PlanningFailed, match="must have AddTimeOptimalParameterization"):
        moveit_messages.trajectory(message, ("a", "b"))
    message.joint_trajectory.points = []
    with pytest.raises(PlanningFailed, match="lacks points"):
        moveit_messages.trajectory(message, ("a", "b"))
