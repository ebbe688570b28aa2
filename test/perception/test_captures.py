"""What holds between views and between captures: moments, ids, obstacles, and objects that may be several."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import trimesh

from grasp_pose_net.perception import Capture, Identities, PerceptionConfig, Table, View
from grasp_pose_net.perception.capture import described
from grasp_pose_net.perception.matching import together
from grasp_pose_net.perception.obstacles import boxed, may_be_several, why_not
from grasp_pose_net.perception.views import Surface, limited
from grasp_pose_net.planning import surroundings
from grasp_pose_net.world import Role, Scene, SceneObject, make_transform

CONFIG = PerceptionConfig(workspace_min=(-0.5, -0.5, -0.1), workspace_max=(0.5, 0.5, 0.6))
TABLE = Table(np.eye(4), np.array([0.8, 0.8, 0.04]))


def test_views_of_one_moment_are_found_among_many():
    stamps = {"a": [1.0, 2.0, 3.0], "b": [2.04, 3.2], "c": [1.96]}
    assert together(stamps, 0.1) == {"a": 1, "b": 0, "c": 0}
    assert together(stamps, 0.02) == {"a": 0}
    assert together({"a": [], "b": []}, 0.1) == {}


def test_a_camera_whose_clock_is_wrong_does_not_take_the_others_along():
    assert together({"a": [1.0], "b": [1.01], "c": [9.0]}, 0.1) == {"a": 0, "b": 0}


def item(name, place, sides=(0.05, 0.06, 0.1)):
    return SceneObject.target(name, make_transform(place), trimesh.creation.box(sides))


def test_an_object_keeps_its_id_while_it_stays_in_place():
    names = Identities()
    first = names.named([item("object_0", (0, 0, 0)), item("object_1", (0.2, 0, 0))])
    assert first == ("object_0", "object_1")
    # seen in another order, each a few millimetres off, and a third beside them
    again = names.named([item("x", (0.1, 0.2, 0)), item("x", (0.203, 0, 0)), item("x", (0, 0.004, 0))])
    assert again == ("object_2", "object_1", "object_0")


def test_an_object_that_was_moved_or_exchanged_gets_an_id_that_nobody_had():
    names = Identities()
    names.named([item("x", (0, 0, 0)), item("x", (0.2, 0, 0))])
    moved, exchanged = names.named([item("x", (0.03, 0, 0)), item("x", (0.2, 0, 0), (0.1, 0.1, 0.05))])
    assert (moved, exchanged) == ("object_2", "object_3")


def test_two_objects_do_not_share_an_id():
    names = Identities()
    names.named([item("x", (0, 0, 0))])
    near, nearer = names.named([item("x", (0.01, 0, 0)), item("x", (0.004, 0, 0))])
    assert (near, nearer) == ("object_1", "object_0")


def test_a_capture_takes_other_names_together_with_its_points():
    points = {"object_0": np.zeros((1, 3)), "object_1": np.ones((1, 3))}
    things = [item("object_0", (0, 0, 0)), item("object_1", (0.2, 0, 0)), TABLE.support]
    capture = Capture(Scene(tuple(things)), TABLE, points, (), {}, {}, np.empty((0, 3)), {}).named(["a", "b"])
    assert [entry.id for entry in capture.scene.objects] == ["a", "b", "table"]
    assert {id: own[0, 0] for id, own in capture.points.items()} == {"a": 0.0, "b": 1.0}


def block(low, high, step=0.005):
    """Surface samples within a box, table frame."""
    axes = [np.arange(a, b + 1e-9, step) for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    return Surface(points, np.tile([0.0, 0.0, 1.0], (len(points), 1)))


REASONS = [
    (((0.0, 0.0, 0.005), (0.05, 0.05, 0.1)), {}, ""),
    (((0.44, 0.0, 0.005), (0.5, 0.05, 0.1)), {}, "is cut off by the end of the workspace"),
    (((0.0, 0.0, 0.3), (0.05, 0.05, 0.6)), {}, "is cut off by the end of the workspace"),
    (((0.38, 0.0, 0.005), (0.43, 0.05, 0.1)), {}, "hangs over the edge of the table"),
    (((0.0, 0.0, 0.005), (0.01, 0.01, 0.01)), {}, "is 10 mm long, too small (min_object_m 0.015)"),
    (((-0.25, 0.0, 0.005), (0.25, 0.05, 0.1)), {}, "is 500 mm long, too large (max_object_m 0.4)"),
    (((0.0, 0.0, 0.1), (0.05, 0.05, 0.2)), {}, "floats 100 mm above the table"),
    (((0.3, 0.0, 0.005), (0.35, 0.05, 0.1)), {"max_reach_m": 0.2}, "is outside reach: 0.33 m from"),
]


@pytest.mark.parametrize(("box", "settings", "reason"), REASONS)
def test_what_is_not_to_be_grasped_has_a_reason(box, settings, reason):
    found = why_not(block(*box), TABLE, dataclasses.replace(CONFIG, **settings))
    assert found.startswith(reason) and bool(found) == bool(reason)


def test_an_obstacle_is_a_box_down_to_the_table():
    points = block((0.1, 0.2, 0.05), (0.2, 0.4, 0.1)).points
    thing = boxed("obstacle_0", points, TABLE, "is too large")
    assert thing.role is Role.OBSTACLE
    np.testing.assert_allclose(thing.sides, [0.1, 0.2, 0.1])
    np.testing.assert_allclose(thing.T_world_object[:3, 3], [0.15, 0.3, 0.05])
    assert described(thing) == "obstacle_0 at [0.15, 0.3, 0.05] m is too large"


def disc(x, radius):
    points = block((-radius, -radius, 0), (radius, radius, 0), 0.003).points
    return points[np.linalg.norm(points, axis=1) <= radius] + [x, 0, 0]


def test_two_cans_that_touch_may_be_several_and_a_mug_is_one():
    cans = np.vstack([disc(0, 0.033), disc(0.066, 0.033)])
    assert may_be_several(cans)
    handle = block((0.04, -0.01, 0), (0.06, 0.01, 0), 0.003).points
    assert not may_be_several(np.vstack([disc(0, 0.04), handle]))
    assert not may_be_several(block((0, 0, 0), (0.2, 0.03, 0), 0.003).points)


def test_a_view_of_ten_million_points_is_thinned_and_said():
    huge = View("left", np.broadcast_to(np.float32(0), (10_000_000, 3)), np.eye(4))
    thin, note = limited(huge, CONFIG.max_view_points)
    assert len(thin.points_camera) == 2_000_000
    assert note == "left: every 5th of its 10000000 points is used (max_view_points 2000000)"
    assert limited(thin, CONFIG.max_view_points) == (thin, "")


def test_what_stands_around_a_target_is_there_for_planning():
    beside = boxed("obstacle_0", block((0.1, -0.05, 0.0), (0.2, 0.05, 0.1)).points, TABLE, "is too large")
    target = item("object_0", (0, 0, 0.06), (0.06, 0.06, 0.12))
    near = surroundings(Scene((target, beside, TABLE.support)), target)
    assert near.supports == ("table",) and near.plane is not None
    np.testing.assert_allclose(near.plane.offset, -0.06, atol=1e-12)
    (obstacle,) = near.obstacles
    np.testing.assert_allclose(obstacle.T_object_shape[:3, 3], [0.15, 0.0, -0.01], atol=1e-12)
