"""Scenes that could not be planned with in bounded time are refused by name, large ones before they are read."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

pytest.importorskip("rclpy", reason="needs rclpy")

import rclpy
from moveit_msgs.msg import PlanningSceneWorld
from node_messages import box_object, mesh_object
from rclpy.serialization import serialize_message

from grasp_pose_net.nodes.support.object_scene import ObjectScene
from grasp_pose_net.nodes.support.shared import SceneParameters
from grasp_pose_net.world import make_transform

pytestmark = pytest.mark.ros

BOUNDS = SceneParameters(most_shapes=3, most_triangles=100, most_megabytes=0.3)
CAN = mesh_object("can", trimesh.creation.cylinder(radius=0.03, height=0.1, sections=8), np.eye(4))
FINE = mesh_object("fine", trimesh.creation.icosphere(3, 0.05), np.eye(4))
HUGE = mesh_object("huge", trimesh.creation.icosphere(5, 0.05), np.eye(4))


def boxes(count):
    return [box_object(f"box {i}", (0.1,) * 3, make_transform((i, 0.0, 0.0))) for i in range(count)]


@pytest.fixture(scope="module")
def scene():
    rclpy.init()
    node = rclpy.create_node("listener")
    yield ObjectScene(node, BOUNDS)
    node.destroy_node()
    rclpy.try_shutdown()


def show(scene, *objects):
    scene._take(serialize_message(PlanningSceneWorld(collision_objects=list(objects))))


@pytest.mark.parametrize(
    ("objects", "text"),
    [
        (
            boxes(4),
            "4 objects with 4 shapes, allowed are 3; leave out what the arm cannot reach, or raise most_shapes",
        ),
        (
            [FINE],
            "object 'fine' has a mesh of 1280 triangles, allowed are 100; simplify it, or raise most_triangles",
        ),
        ([HUGE], "MB, allowed are 0.3 .most_megabytes."),
    ],
)
def test_what_is_beyond_the_bounds_is_refused_by_name(scene, objects, text):
    show(scene, *objects)
    with pytest.raises(ValueError, match=text):
        scene.scene  # noqa: B018
    show(scene, CAN, *boxes(2))
    assert len(scene.scene.objects) == 3


def test_obstacles_and_target_of_a_request_are_bounded_alike(scene):
    show(scene)
    with pytest.raises(ValueError, match="5 objects with 5 shapes"):
        scene.around(CAN, boxes(4))
    with pytest.raises(ValueError, match="'fine' has a mesh of 1280 triangles"):
        scene.around(FINE, [])
    around, (target,) = scene.around(CAN, boxes(2))
    assert target.id == "can" and len(around.objects) == 3
