"""Messages: what goes out comes back the same, and what is broken is named."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import trimesh
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose
from moveit_msgs.msg import CollisionObject, PlanningSceneWorld
from node_messages import box_object, mesh_object
from shape_msgs.msg import SolidPrimitive
from std_msgs.msg import Header

from grasp_pose_net.exceptions import PlanningError
from grasp_pose_net.hand import Hand
from grasp_pose_net.nodes.messages import basics
from grasp_pose_net.nodes.messages.grasps import (
    candidate_messages,
    grasp_from_message,
    grasp_message,
    pose_vectors,
)
from grasp_pose_net.nodes.messages.scene import object_from_message, object_message, scene_from_message
from grasp_pose_net.world import (
    Box,
    Cone,
    Cylinder,
    Grasp,
    HalfSpace,
    Mesh,
    Part,
    Role,
    Scene,
    SceneObject,
    Shape,
    Sphere,
    Voxels,
    make_transform,
    transform_points,
)

pytestmark = pytest.mark.ros

T_WORLD_OBJECT = make_transform((0.7, -0.1, 0.8), (0.9, 0.1, -0.2, 0.3))
STAMP = Time(sec=3, nanosec=5)


@pytest.fixture(scope="module")
def hand() -> Hand:
    return Hand.load("shadow")


@pytest.fixture
def x(hand: Hand) -> np.ndarray:
    rng = np.random.default_rng(0)
    quat = rng.normal(size=(3, 4))
    quat *= np.sign(quat[:, :1]) / np.linalg.norm(quat, axis=1, keepdims=True)
    joints = rng.uniform(hand.lower, hand.upper, (3, len(hand.lower)))
    return np.concatenate([rng.normal(size=(3, 3)) * 0.1, quat, joints], axis=1)


@pytest.fixture
def grasp(hand: Hand, x: np.ndarray) -> Grasp:
    touch, opened, squeeze = hand.all_joints(x[:, 7:])
    return Grasp(
        id="g",
        joint_names=hand.joint_names,
        T_world_tip=T_WORLD_OBJECT @ make_transform(x[0, :3], x[0, 3:7]),
        approach=np.array([0.0, 0.6, -0.8]),
        approach_m=(0.1, 0.08),
        retreat=np.array([0.0, 0.0, 1.0]),
        retreat_m=(0.15, 0.15),
        pre_grasp=opened,
        grasp=touch,
        squeeze=squeeze,
        efforts=5.0 * (squeeze - touch),
        quality=0.1,
    )


def test_a_grasp_survives_the_message(hand: Hand, grasp: Grasp) -> None:
    message = grasp_message(grasp, "world", STAMP)
    back = grasp_from_message(message, Scene(), "rh_forearm", hand.joint_names)
    for field in fields(Grasp):
        got, expected = getattr(back, field.name), getattr(grasp, field.name)
        if isinstance(expected, np.ndarray):
            np.testing.assert_allclose(got, expected, atol=1e-9, err_msg=field.name)
        elif field.name not in ("x", "parts"):
            assert got == expected, field.name


def test_message_is_complete(hand: Hand, grasp: Grasp) -> None:
    message = grasp_message(grasp, "world", STAMP)
    for posture in (message.pre_grasp_posture, message.grasp_posture):
        assert sorted(posture.joint_names) == sorted(hand.joint_names) and len(posture.joint_names) == 24
    touch, squeeze = message.grasp_posture.points
    assert len(squeeze.effort) == 24 and basics.duration_seconds(touch.time_from_start) > 0
    coupled = dict(zip(message.grasp_posture.joint_names, touch.positions, strict=True))
    assert coupled["rh_FFJ1"] == coupled["rh_FFJ2"] and coupled["rh_WRJ1"] == 0.0
    for header in (
        message.grasp_pose.header,
        message.pre_grasp_approach.direction.header,
        message.post_grasp_retreat.direction.header,
    ):
        assert header.frame_id == "world" and header.stamp == STAMP
    vector = message.pre_grasp_approach.direction.vector
    np.testing.assert_allclose([vector.x, vector.y, vector.z], grasp.approach, atol=1e-12)


def test_pose_vectors_survive_the_messages(hand: Hand, x: np.ndarray) -> None:
    messages = candidate_messages(hand, x, ["0", "1", "2"], T_WORLD_OBJECT, "world", STAMP)
    assert [message.id for message in messages] == ["0", "1", "2"]
    np.testing.assert_allclose(pose_vectors(hand, messages, T_WORLD_OBJECT), x, atol=1e-12)


def test_missing_joint_and_empty_posture_are_named(hand: Hand, x: np.ndarray) -> None:
    (message,) = candidate_messages(hand, x[:1], ["g"], T_WORLD_OBJECT, "world", STAMP)
    message.grasp_posture.joint_names[3] = "other"
    with pytest.raises(ValueError, match=f"'g'.*lacks {hand.joint_names[3]}"):
        pose_vectors(hand, [message], T_WORLD_OBJECT)
    message.grasp_posture.points = []
    with pytest.raises(ValueError, match="'g': grasp_posture has no points"):
        pose_vectors(hand, [message], T_WORLD_OBJECT)
    message = candidate_messages(hand, x[:1], ["g"], T_WORLD_OBJECT, "world", STAMP)[0]
    message.grasp_pose.pose.orientation.w = float("nan")
    with pytest.raises(
        ValueError, match=r"grasp 'g': grasp_pose: quaternion .*: nan at 0 is not a finite number"
    ):
        pose_vectors(hand, [message], T_WORLD_OBJECT)


SHAPES = [
    Box(np.array([0.1, 0.2, 0.3])),
    Sphere(0.05),
    Cylinder(0.04, 0.2),
    Cone(0.04, 0.2),
    HalfSpace(np.array([0.0, 0.6, 0.8]), -0.3),
    Mesh(trimesh.creation.icosphere(subdivisions=1, radius=0.04)),
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: type(shape).__name__)
def test_every_shape_goes_there_and_back(shape: Shape) -> None:
    T_object_shape = make_transform((0.0, 0.1, 0.0), (0.5, 0.5, -0.5, 0.5))
    role = Role.TARGET if isinstance(shape, Mesh) else Role.SUPPORT
    entry = SceneObject("thing", T_WORLD_OBJECT, (Part(shape, T_object_shape),), role, 7, "a reason")
    back = object_from_message(object_message(entry, "map"), "map")
    (given, T_given), (got, T_got) = *entry.placed(), *back.placed()
    assert type(got) is type(given) and (back.id, back.role, back.stamp_ns) == ("thing", role, 7)
    if isinstance(shape, HalfSpace):
        there, here = given.moved(T_given), got.moved(T_got)
        np.testing.assert_allclose([*there.normal, there.offset], [*here.normal, here.offset], atol=1e-12)
        return
    np.testing.assert_allclose(
        transform_points(T_got, got.corners), transform_points(T_given, given.corners), atol=1e-9
    )


def test_voxels_go_out_as_boxes() -> None:
    voxels = Voxels(np.array([[0.0, 0.0, 0.1], [0.1, 0.0, 0.1]]), np.array([0.1, 0.05]))
    back = object_from_message(
        object_message(SceneObject("map", np.eye(4), (Part(voxels),)), "world"), "world"
    )
    corners = np.vstack([transform_points(T, shape.corners) for shape, T in back.placed()])
    np.testing.assert_allclose(corners, voxels.corners, atol=1e-12)


def test_one_closed_mesh_becomes_a_centred_target() -> None:
    mesh = trimesh.creation.box((0.1, 0.06, 0.04))
    mesh.apply_translation((0.02, 0.0, 0.01))
    target = object_from_message(mesh_object("a", mesh, T_WORLD_OBJECT, stamp=STAMP), "world")
    assert target.role is Role.TARGET and target.stamp_ns == 3 * 10**9 + 5
    np.testing.assert_allclose(target.mesh.center_mass, 0.0, atol=1e-9)
    np.testing.assert_allclose(
        target.T_world_object[:3, 3], T_WORLD_OBJECT[:3, :3] @ (0.02, 0.0, 0.01) + T_WORLD_OBJECT[:3, 3]
    )


def test_an_open_mesh_is_an_obstacle_and_says_why() -> None:
    wall = trimesh.Trimesh(
        [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]], process=False
    )
    entry = object_from_message(mesh_object("wall", wall, np.eye(4)), "world")
    assert entry.role is Role.OBSTACLE and "object 'wall': the mesh has no volume" in entry.reason
    with pytest.raises(PlanningError, match="no single mesh"):
        object_from_message(box_object("table", (1, 1, 1), np.eye(4)), "world").mesh  # noqa: B018


def test_a_mesh_as_stl_has_it_is_closed_and_a_flat_one_has_no_volume() -> None:
    box = trimesh.creation.box((0.1, 0.06, 0.04))
    soup = trimesh.Trimesh(box.triangles.reshape(-1, 3), np.arange(36).reshape(-1, 3), process=False)
    target = object_from_message(mesh_object("soup", soup, np.eye(4)), "world")
    assert target.role is Role.TARGET and len(target.mesh.vertices) == 8
    corners = [[0, 0, 0], [0.1, 0, 0], [0.1, 0.1, 0], [0, 0.1, 0]]
    sheet = trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3], [2, 1, 0], [3, 2, 0]], process=False)
    assert (
        "'flat': the mesh has no volume"
        in object_from_message(mesh_object("flat", sheet, np.eye(4)), "world").reason
    )


def test_shapes_without_poses_are_where_the_object_is() -> None:
    """As MoveIt has it."""
    entry = object_from_message(broken(primitive_poses=[], pose=Pose()), "world")
    np.testing.assert_array_equal(entry.parts[0].T_object_shape, np.eye(4))


def test_several_shapes_that_are_called_an_object_are_an_obstacle_and_say_why() -> None:
    """Else the best grasp of all would fail because of one object that nobody can grasp."""
    message = box_object("thing", (1, 1, 1), np.eye(4))
    message.type.key = "object"
    entry = object_from_message(message, "world")
    assert entry.role is Role.OBSTACLE and entry.reason == "object 'thing': expected one mesh, got 1 shapes"


def broken(**changes: object) -> CollisionObject:
    message = box_object("thing", (1, 1, 1), np.eye(4))
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (broken(primitives=[SolidPrimitive(type=1, dimensions=[1.0, 2.0])]), r"'thing': primitive of type 1 has .*expected 3"),
        (broken(primitives=[SolidPrimitive(type=3, dimensions=[1.0, -2.0])]),
         "'thing': radius of a cylinder: expected a number above 0"),
        (broken(primitives=[SolidPrimitive(type=5, dimensions=[1.0, 2.0])]), "'thing': primitive of type 5 is not supported"),
        (broken(primitive_poses=[Pose(), Pose()]), "'thing': 1 primitive shapes and 2 primitive_poses"),
        (broken(primitives=[], primitive_poses=[]), "'thing' has no shape"),
        (broken(operation=CollisionObject.REMOVE), "'thing': operation .* is not supported"),
    ],
)  # fmt: skip
def test_broken_objects_are_named(message: CollisionObject, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        object_from_message(message, "world")


def test_broken_numbers_are_named() -> None:
    message = mesh_object("a", trimesh.creation.box((0.1, 0.1, 0.1)), np.eye(4))
    message.meshes[0].triangles[0].vertex_indices[0] = 99
    with pytest.raises(ValueError, match="'a': mesh has a vertex index beyond its 8 vertices"):
        object_from_message(message, "world")
    message = mesh_object("a", trimesh.creation.box((0.1, 0.1, 0.1)), np.eye(4))
    message.pose.orientation.w = 0.0
    with pytest.raises(ValueError, match=r"'a': quaternion .* has no length"):
        object_from_message(message, "world")
    message.pose.position.x = float("inf")
    with pytest.raises(ValueError, match="'a': position: inf at 0 is not a finite number"):
        object_from_message(message, "world")


def test_a_scene_is_refused_by_the_name_of_what_is_wrong() -> None:
    table = box_object("table", (1, 1, 1), np.eye(4))
    with pytest.raises(ValueError, match="two objects 'table'"):
        scene_from_message(PlanningSceneWorld(collision_objects=[table, table]), "world")
    with pytest.raises(ValueError, match="'table' is given in frame 'world', everything else in 'map'"):
        scene_from_message(PlanningSceneWorld(collision_objects=[table]), "map")
    world = PlanningSceneWorld()
    world.octomap.octomap.data = [1]
    with pytest.raises(ValueError, match="octomaps are not supported; publish"):
        scene_from_message(world, "world")


def test_a_grasp_may_be_given_in_an_object(hand: Hand, grasp: Grasp) -> None:
    """The frames that a grasp may name are the scene's and its objects'; others are named."""
    can = SceneObject.box("can", T_WORLD_OBJECT, (0.1, 0.1, 0.1))
    message = grasp_message(replace(grasp, T_world_tip=make_transform((0.1, 0.0, 0.0))), "can", STAMP)
    message.pre_grasp_approach.direction.header = Header(frame_id="rh_forearm")
    message.post_grasp_retreat.direction.header = Header(frame_id="world")
    back = grasp_from_message(message, Scene((can,)), "rh_forearm", hand.joint_names)
    np.testing.assert_allclose(back.T_world_tip, T_WORLD_OBJECT @ make_transform((0.1, 0.0, 0.0)), atol=1e-12)
    np.testing.assert_allclose(back.approach, back.T_world_tip[:3, :3] @ grasp.approach, atol=1e-9)
    message.grasp_pose.header.frame_id = "moon"
    with pytest.raises(ValueError, match="grasp 'g': grasp_pose is in frame 'moon'; accepted: world, can"):
        grasp_from_message(message, Scene((can,)), "rh_forearm", hand.joint_names)
