"""From a scene to grasps: what a target stands on, its neighbours, and that nothing is made twice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import trimesh

from grasp_pose_net.exceptions import ConfigError, PlanningError
from grasp_pose_net.hand import Hand
from grasp_pose_net.models import robot_srdf, robot_urdf
from grasp_pose_net.planning import (
    GraspPlanner,
    PlannedGrasp,
    PlannerConfig,
    Reach,
    ScenePlanner,
    Target,
    supports_beneath,
    surroundings,
    upright_box,
)
from grasp_pose_net.planning import reach as reach_module
from grasp_pose_net.robot import MotionConfig, RobotModel
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.world import Scene, SceneObject, make_transform

TOP_M = 0.72
YAW = np.array([np.cos(0.3), 0.0, 0.0, np.sin(0.3)])


def box(name: str, centre: tuple[float, float, float], size: tuple[float, float, float]) -> SceneObject:
    return SceneObject(name, make_transform(centre, YAW), boxes=((np.array(size), np.eye(4)),))


TABLE = box("table", (0.7, 0.0, TOP_M - 0.02), (0.8, 0.8, 0.04))
FLOOR = box("floor", (0.0, 0.0, -0.05), (8.0, 8.0, 0.1))
CAN = Target(
    name="can",
    mesh=trimesh.creation.cylinder(radius=0.03, height=0.12, sections=24),
    T_world_object=make_transform((0.7, 0.0, TOP_M + 0.06), YAW),
)


def neighbour(x: float) -> SceneObject:
    mesh = trimesh.creation.box((0.05, 0.2, 0.1))
    return SceneObject("carton", make_transform((x, 0.0, TOP_M + 0.05), YAW), meshes=(mesh,))


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
    assert obstacle.size == (0.05, 0.05, 0.04)
    expected = np.linalg.inv(CAN.T_world_object) @ beside.T_world_object
    np.testing.assert_allclose(obstacle.T_object_box, expected, atol=1e-12)


def test_the_executor_lets_fingers_reach_into_what_is_beneath_the_target_only() -> None:
    beside = box("obstacle_0", (0.82, 0.0, TOP_M + 0.02), (0.05, 0.05, 0.04))
    can = SceneObject("can", CAN.T_world_object, meshes=(CAN.mesh,))
    block = box("block", (0.7, 0.0, TOP_M + 0.03), (0.06, 0.06, 0.06))
    for target in (can, block):
        assert supports_beneath(Scene((FLOOR, TABLE, beside, target)), target) == ("table",)
    assert supports_beneath(Scene((beside, can)), can) == ()


def test_named_supports_must_be_boxes_of_the_scene() -> None:
    named = surroundings(Scene((FLOOR, TABLE)), CAN, ["floor"])
    assert named.supports == ("floor",) and named.plane is not None
    assert named.plane.offset == pytest.approx(-TOP_M - 0.06)
    with pytest.raises(
        PlanningError, match="support surface 'shelf' is no box of the scene; boxes: floor, table"
    ):
        surroundings(Scene((FLOOR, TABLE)), CAN, ["shelf"])


def test_meshes_beside_the_target_are_boxes_around_them_and_far_ones_are_nothing() -> None:
    itself = SceneObject("can", CAN.T_world_object, meshes=(CAN.mesh,))
    near = surroundings(Scene((TABLE, itself, neighbour(0.8))), CAN)
    (obstacle,) = near.obstacles
    np.testing.assert_allclose(sorted(obstacle.size), [0.05, 0.1, 0.2], atol=1e-9)
    assert surroundings(Scene((TABLE, itself, neighbour(1.9))), CAN).obstacles == ()


def test_upright_boxes_hold_their_points_tightly() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (200, 3)) * (0.1, 0.03, 0.05)
    placed = points @ make_transform((0, 0, 0), YAW)[:3, :3].T + (1.0, 2.0, 3.0)
    T_world_box, size = upright_box(placed)
    local = (placed - T_world_box[:3, 3]) @ T_world_box[:3, :3]
    np.testing.assert_allclose(np.abs(local).max(0), size / 2, atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(T_world_box[:3, :3]), 1.0)
    assert size.prod() <= np.ptp(points, axis=0).prod() * 1.001


@pytest.fixture(scope="module")
def hand() -> Hand:
    return Hand.load("shadow")


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return RobotModel(robot_urdf(), robot_srdf())


@pytest.fixture
def reach(robot: RobotModel, hand: Hand) -> Reach:
    return Reach(robot, hand, MotionConfig(), PlannerConfig())


def test_collision_checks_of_an_unchanged_scene_are_made_once(
    reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    monkeypatch.setattr(reach_module, "GraspMotion", lambda *arguments: made.append(arguments) or len(made))
    scenes = [Scene((TABLE, neighbour(x))) for x in (0.8, 0.8, 0.9)]
    checks = [reach.checks(scene, "carton", ("table",)) for scene in scenes]
    assert checks == [1, 1, 2] and len(made) == 2
    assert reach.checks(scenes[0], "carton", ()) == 3


def test_another_hand_than_the_robots_is_refused(robot: RobotModel) -> None:
    with pytest.raises(
        ConfigError, match=r"hand 'barrett' has no joint 'rh_.*the hand that the robot carries"
    ):
        Reach(robot, Hand.load("barrett"), MotionConfig(), PlannerConfig())


class Given:
    """Stands for the grasp planner: offers one grasp, if the arm can do it."""

    description = "one given grasp"

    def __init__(self, hand: Hand) -> None:
        self.config = PlannerConfig()
        x = np.concatenate([[0, 0, 0, 1, 0, 0, 0], hand.open_joints])
        x[:3] = -hand.grasp_centre - 0.3 * hand.palm_normal
        up = np.array([0.0, 0.0, 1.0])
        self.grasp = PlannedGrasp(
            x=x,
            epsilon=0.1,
            worst_epsilon=0.1,
            approach_direction=up,
            approach_joints=x[7:],
            squeeze_joints=x[7:],
        )
        self.asked: list[dict] = []

    def plan(self, field: SignedDistanceField, **asked: object) -> object:
        from collections import Counter

        from grasp_pose_net.planning import Plan

        self.asked.append({"field": field, **asked})
        reason = asked["reachable"](self.grasp)  # type: ignore[operator]
        return Plan(grasps=(), candidates=1, rejected=Counter([reason]), seconds={"reach": 0.1})


@pytest.fixture
def given(hand: Hand) -> Iterator[Given]:
    yield Given(hand)


def test_the_way_from_scene_to_plan(given: Given, reach: Reach) -> None:
    """The planner gets plane, neighbours and the arm's check; the field of the same mesh is made once."""
    planner = ScenePlanner(given, reach)  # type: ignore[arg-type]
    around = Scene((TABLE, neighbour(0.8)))
    far = Target(name="can", mesh=CAN.mesh, T_world_object=make_transform((5.0, 0.0, TOP_M + 0.06)))
    plans = [planner.plan(around, CAN), planner.plan(around, far)]
    first, second = given.asked
    assert first["field"] is second["field"]
    assert first["plane"].offset == pytest.approx(-0.06) and len(first["obstacles"]) == 1
    assert second["plane"] is None and second["obstacles"] == ()
    assert plans[1].rejected == {"no inverse kinematics": 1}
    assert {"field", "scene", "reach", "plan"} <= set(plans[0].seconds)
    assert plans[0].seconds["plan"] >= plans[0].seconds["scene"] > 0


def test_without_an_arm_nothing_is_out_of_reach(hand: Hand) -> None:
    planner = ScenePlanner(GraspPlanner(hand, PlannerConfig(network="sampled", rotations=28)))
    plan = planner.plan(Scene((TABLE,)), CAN)
    assert plan.grasps and plan.seconds["reach"] < 0.05
    assert not {"no inverse kinematics", "arm in collision"} & set(plan.rejected)
