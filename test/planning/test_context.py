"""From a scene to grasps: what a target stands on, its neighbours, and that nothing is made twice."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from grasp_pose_net.exceptions import ConfigError, PlanningError
from grasp_pose_net.hand import Hand
from grasp_pose_net.models import robot_srdf, robot_urdf
from grasp_pose_net.planning import ArmChecks, Batch, Context, GraspPlanner, PlannerConfig, Reject
from grasp_pose_net.planning import planner as planner_module
from grasp_pose_net.planning.context import supports_beneath, surroundings, upright_box
from grasp_pose_net.planning.reject import REACH
from grasp_pose_net.robot import MotionConfig, RobotModel
from grasp_pose_net.world import (
    Cylinder,
    HalfSpace,
    Mesh,
    Part,
    Scene,
    SceneObject,
    Shape,
    Voxels,
    make_transform,
)

TOP_M = 0.72
YAW = np.array([np.cos(0.3), 0.0, 0.0, np.sin(0.3)])


def box(name: str, centre: tuple[float, float, float], size: tuple[float, float, float]) -> SceneObject:
    return SceneObject.box(name, make_transform(centre, YAW), size)


TABLE = box("table", (0.7, 0.0, TOP_M - 0.02), (0.8, 0.8, 0.04))
FLOOR = box("floor", (0.0, 0.0, -0.05), (8.0, 8.0, 0.1))
CAN = SceneObject.target(
    "can",
    make_transform((0.7, 0.0, TOP_M + 0.06), YAW),
    trimesh.creation.cylinder(radius=0.03, height=0.12, sections=24),
)


def neighbour(x: float) -> SceneObject:
    mesh = trimesh.creation.box((0.05, 0.2, 0.1))
    return SceneObject.target("carton", make_transform((x, 0.0, TOP_M + 0.05), YAW), mesh)


def test_a_target_stands_on_the_highest_box_beneath_it() -> None:
    near = surroundings(Scene((FLOOR, TABLE)), CAN)
    assert near.supports == ("table",) and near.plane is not None
    np.testing.assert_allclose([*near.plane.normal, near.plane.offset], [0, 0, 1, -0.06], atol=1e-12)
    assert near.obstacles == ()


def test_a_low_box_beside_the_target_is_a_neighbour_and_no_support() -> None:
    beside = box("obstacle_0", (0.82, 0.0, TOP_M + 0.02), (0.05, 0.05, 0.04))
    near = surroundings(Scene((TABLE, beside)), CAN)
    assert (
        near.supports == ("table",) and near.plane is not None and near.plane.offset == pytest.approx(-0.06)
    )
    (obstacle,) = near.obstacles
    np.testing.assert_array_equal(obstacle.shape.size, (0.05, 0.05, 0.04))
    expected = np.linalg.inv(CAN.T_world_object) @ beside.T_world_object
    np.testing.assert_allclose(obstacle.T_object_shape, expected, atol=1e-12)


def test_the_executor_lets_fingers_reach_into_what_is_beneath_the_target_only() -> None:
    beside = box("obstacle_0", (0.82, 0.0, TOP_M + 0.02), (0.05, 0.05, 0.04))
    assert supports_beneath(Scene((FLOOR, TABLE, beside, CAN)), CAN) == ("table",)
    assert supports_beneath(Scene((beside, CAN)), CAN) == ()


def test_named_supports_must_be_in_the_scene() -> None:
    named = surroundings(Scene((FLOOR, TABLE)), CAN, ["floor"])
    assert named.supports == ("floor",) and named.plane is not None
    assert named.plane.offset == pytest.approx(-TOP_M - 0.06)
    with pytest.raises(
        PlanningError, match="support surface 'shelf' is not in the scene; objects: floor, table"
    ):
        surroundings(Scene((FLOOR, TABLE)), CAN, ["shelf"])


def test_meshes_beside_the_target_are_boxes_around_them_and_far_ones_are_nothing() -> None:
    near = surroundings(Scene((TABLE, CAN, neighbour(0.8))), CAN)
    (obstacle,) = near.obstacles
    np.testing.assert_allclose(sorted(obstacle.shape.size), [0.05, 0.1, 0.2], atol=1e-9)
    assert surroundings(Scene((TABLE, CAN, neighbour(1.9))), CAN).obstacles == ()


@pytest.mark.parametrize(
    ("shape", "offset"),
    [
        (HalfSpace(np.array([0.0, 0.0, 1.0]), 0.0), -0.06),
        (Cylinder(0.3, 0.04), -0.04),
        (Mesh(trimesh.creation.box((0.8, 0.8, 0.04))), -0.04),
        (Voxels(np.array([[0.0, 0.0, -0.005], [0.01, 0.0, -0.005]]), np.full(2, 0.01)), -0.06),
    ],
)
def test_things_stand_on_shapes_of_every_kind(shape: Shape, offset: float) -> None:
    """What is a mesh or voxels must be named: a perceived neighbour is not taken for a shelf."""
    shelf = SceneObject("shelf", make_transform((0.7, 0.0, TOP_M), YAW), (Part(shape),))
    near = surroundings(Scene((shelf,)), CAN, ["shelf"])
    assert near.supports == ("shelf",) and near.obstacles == () and near.plane is not None
    assert near.plane.offset == pytest.approx(offset) and near.plane.normal[2] == pytest.approx(1.0)
    seen = surroundings(Scene((shelf,)), CAN)
    assert (len(seen.supports), len(seen.obstacles)) == (
        (0, 1) if isinstance(shape, (Mesh, Voxels)) else (1, 0)
    )


def test_a_wall_without_end_is_an_obstacle_where_it_is() -> None:
    wall = SceneObject(
        "wall", np.eye(4), (Part(HalfSpace(np.array([-1.0, 0.0, 0.0]), -0.8)),)
    )  # solid beyond x = 0.8
    (box_,) = surroundings(Scene((TABLE, wall)), CAN).obstacles
    near, far = make_transform((0.1 - 1e-6, 0, 0)), make_transform((0.1 + 1e-6, 0, 0))
    for T_can_point, inside in ((near, False), (far, True)):
        point = np.linalg.inv(CAN.T_world_object) @ ([0.7, 0.0, TOP_M + 0.06, 0.0] + T_can_point[:, 3])
        local = np.linalg.inv(box_.T_object_shape) @ point
        assert bool((np.abs(local[:3]) <= box_.shape.size / 2).all()) is inside


def test_upright_boxes_hold_their_points_tightly() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (200, 3)) * (0.1, 0.03, 0.05)
    placed = points @ make_transform((0, 0, 0), YAW)[:3, :3].T + (1.0, 2.0, 3.0)
    T_world_box, size = upright_box(placed)
    local = (placed - T_world_box[:3, 3]) @ T_world_box[:3, :3]
    np.testing.assert_allclose(np.abs(local).max(0), size / 2, atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(T_world_box[:3, :3]), 1.0)
    assert size.prod() <= np.ptp(points, axis=0).prod() * 1.001


@pytest.mark.parametrize(
    "corners", [[[0, 0, 0], [0.3, 0.4, 0], [0.3, 0.4, 0.4]], [[1, 1, 0], [1, 1, 0.4]]], ids=["wall", "rod"]
)
def test_what_is_a_line_from_above_has_an_upright_box_too(corners: list[list[float]]) -> None:
    points = np.array(corners, float)
    T_world_box, size = upright_box(points)
    local = (points - T_world_box[:3, 3]) @ T_world_box[:3, :3]
    np.testing.assert_allclose(np.ptp(local, axis=0), size, atol=1e-12)
    np.testing.assert_allclose(
        sorted(size), [0.0, *sorted((np.hypot(*np.ptp(points[:, :2], axis=0)), 0.4))], atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(T_world_box[:3, :3]), 1.0)


def test_a_wall_drawn_as_a_sheet_is_an_obstacle_of_no_thickness() -> None:
    sheet = trimesh.Trimesh(
        [[0, 0, 0], [0, 0.4, 0], [0, 0.4, 0.4], [0, 0, 0.4]], [[0, 1, 2], [0, 2, 3]], process=False
    )
    wall = SceneObject("wall", make_transform((0.8, -0.2, TOP_M)), (Part(Mesh(sheet)),))
    (box_,) = surroundings(Scene((TABLE, wall)), CAN).obstacles
    np.testing.assert_allclose(sorted(box_.shape.size), (1e-4, 0.4, 0.4), atol=1e-9)


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return RobotModel(robot_urdf(), robot_srdf())


@pytest.fixture
def arm(robot: RobotModel, hand: Hand) -> ArmChecks:
    return ArmChecks(robot, hand, MotionConfig())


def test_collision_checks_of_an_unchanged_scene_are_made_once(
    arm: ArmChecks, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple] = []
    monkeypatch.setattr(planner_module, "GraspMotion", lambda *arguments: made.append(arguments) or len(made))
    scenes = [Scene((TABLE, neighbour(x))) for x in (0.8, 0.8, 0.9)]
    assert [arm.of(scene, CAN, ("table",)) for scene in scenes] == [1, 1, 2] and len(made) == 2
    assert arm.of(scenes[0], CAN, ()) == 3


def test_another_hand_than_the_robots_is_refused(robot: RobotModel) -> None:
    with pytest.raises(
        ConfigError, match=r"hand 'barrett' has no joint 'rh_.*the hand that the robot carries"
    ):
        ArmChecks(robot, Hand.load("barrett"), MotionConfig())


def test_the_way_from_scene_to_context(hand: Hand, arm: ArmChecks) -> None:
    """Stages get plane, neighbours and the arm's checks; the field of the same mesh is made once."""
    planner = GraspPlanner(hand, PlannerConfig(network="sampled"), arm)
    seen: list[Context] = []

    class Look:
        name = "look"

        def __call__(self, batch: Batch, context: Context) -> Batch:
            seen.append(context)
            return batch.rejected(batch.rows, Reject.LAID_ASIDE)

    planner.stages.insert(1, Look())
    scene = Scene((TABLE, neighbour(0.8)))
    far = SceneObject.target("can", make_transform((5.0, 0.0, TOP_M + 0.06)), CAN.mesh)
    plan = planner.plan(scene, CAN)
    planner.plan(scene, far)
    first, second = seen[0], seen[4]  # four rounds each
    assert first.field is second.field and first.motion is not None
    assert first.near.plane is not None and first.near.plane.offset == pytest.approx(-0.06)
    assert len(first.near.obstacles) == 1
    assert second.near.plane is None and second.near.obstacles == ()
    assert plan.account.rejected == {Reject.LAID_ASIDE: 112} and "112 laid aside" in plan.account.text()
    seconds = plan.account.seconds
    assert {"field", "scene", "reach", "plan", "look"} <= set(seconds)
    assert seconds["plan"] >= seconds["scene"] > 0


def test_what_is_prepared_is_not_made_again(hand: Hand, arm: ArmChecks) -> None:
    planner = GraspPlanner(hand, PlannerConfig(network="sampled"), arm)
    scene = Scene((TABLE, CAN))
    planner.prepare(scene)
    field, motion = planner.fields[CAN.mesh], arm.of(scene, CAN, ("table",))
    context = planner._context(scene, CAN)
    assert context.field is field and context.motion is motion


def test_without_an_arm_nothing_is_out_of_reach(hand: Hand) -> None:
    plan = GraspPlanner(hand, PlannerConfig(network="sampled")).plan(Scene((TABLE,)), CAN)
    assert plan.grasps and plan.account.seconds["reach"] < 0.05
    assert all(reason.stage != REACH for reason in plan.account.rejected)
