"""From an object to ranked grasps, with the shipped network and real meshes of the package."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import trimesh
from planning_scenes import free_context, over_table

from grasp_pose_net.exceptions import CheckpointError, PlanningError
from grasp_pose_net.hand import Hand, Kinematics, rotation_from_quat
from grasp_pose_net.inference import SAMPLED, NetworkProposer, SampledProposer, retry_rotations
from grasp_pose_net.inference.proposal import make_proposer
from grasp_pose_net.models import robot_srdf, robot_urdf, share_dir
from grasp_pose_net.planning import (
    SQUEEZE_NM_RAD,
    ArmChecks,
    Batch,
    GraspPlanner,
    NoGraspFound,
    PlannerConfig,
    Reject,
    Surroundings,
)
from grasp_pose_net.planning.approach import find_approaches
from grasp_pose_net.quality import penetration
from grasp_pose_net.robot import MotionConfig, RobotModel
from grasp_pose_net.shapes import SignedDistanceField, load_mesh
from grasp_pose_net.world import Box, HalfSpace, Part, Scene, SceneObject, make_transform


def test_rotations_begin_with_identity_and_are_rotations() -> None:
    rotations = retry_rotations(40)
    np.testing.assert_array_equal(rotations[0], np.eye(3))
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.tile(np.eye(3), (40, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotations), 1.0)
    np.testing.assert_array_equal(retry_rotations(5), rotations[:5])


def test_barrett_hand_has_its_own_network(can: SceneObject) -> None:
    planner = GraspPlanner(Hand.load("barrett"), PlannerConfig())
    assert planner.description.startswith("candidates come from network barrett_compact; ")
    plan = planner.plan(Scene(), can)
    assert plan.account.candidates == PlannerConfig().rotations, "one batch is enough for a can"
    assert len(plan.grasps) == PlannerConfig().max_grasps
    assert plan.grasps[0].pose_vector.shape == (11,)
    assert plan.grasps[0].parts["epsilon"] >= 0.15


def test_candidates_come_back_into_the_objects_frame(hand: Hand, can: SceneObject) -> None:
    """The candidate of rotation R is the network's answer to the rotated grid, turned back by R."""
    field = SignedDistanceField.from_mesh(can.mesh, 64)
    candidates = NetworkProposer(hand, "shadow_compact")(field, retry_rotations(4))
    turned = can.mesh.copy()
    rotation = np.eye(4)
    rotation[:3, :3] = retry_rotations(4)[3]
    turned.apply_transform(rotation)
    alone = NetworkProposer(hand, "shadow_compact")(
        SignedDistanceField.from_mesh(turned, 64), retry_rotations(1)
    )
    np.testing.assert_allclose(rotation[:3, :3] @ candidates[3, :3], alone[0, :3], atol=5e-3)
    np.testing.assert_allclose(candidates[3, 7:], alone[0, 7:], atol=0.05)


def test_grasps_are_ranked_free_and_above_the_table(
    hand: Hand, planner: GraspPlanner, can: SceneObject
) -> None:
    field, floor = planner.fields[can.mesh], float(can.mesh.bounds[0, 2])
    plan = planner.plan(over_table(can), can)
    assert plan.grasps, plan.account.text()
    worst = [grasp.quality for grasp in plan.grasps]
    assert worst == sorted(worst, reverse=True)
    for grasp in plan.grasps:
        assert (
            PlannerConfig().min_epsilon
            <= grasp.parts["epsilon"]
            >= grasp.parts["worst_epsilon"]
            == grasp.quality
        )
    x = torch.tensor(np.stack([grasp.pose_vector for grasp in plan.grasps]))
    kinematics = Kinematics(hand, torch.float64)
    assert float(penetration(hand, kinematics, field, x).hand_penetration_m.max()) <= 1.1e-3
    spheres = kinematics.points(x, hand.spheres)[..., 2].numpy() - hand.spheres.radius
    assert spheres.min() >= floor - 1.1e-3
    assert ((x[:, 7:].numpy() >= hand.lower - 1e-9) & (x[:, 7:].numpy() <= hand.upper + 1e-9)).all()
    account = plan.account
    assert len(plan.grasps) == account.grasps
    assert account.grasps + sum(account.rejected.values()) + account.spare == account.candidates


def test_grasps_stand_in_the_scene(hand: Hand, planner: GraspPlanner, can: SceneObject) -> None:
    """Pose and directions are the scene's, the pose vector is the object's, and nothing is made up for the message."""
    T_world_object = make_transform((0.4, -0.2, 0.9), (0.9, 0.1, -0.2, 0.3))
    there = SceneObject.target("can", T_world_object, can.mesh)
    (free, *_), (grasp, *_) = planner.plan(Scene(), can).grasps, planner.plan(Scene(), there).grasps
    np.testing.assert_array_equal(grasp.pose_vector, free.pose_vector)
    np.testing.assert_allclose(grasp.T_world_tip, T_world_object @ free.T_world_tip, atol=1e-12)
    np.testing.assert_allclose(grasp.approach, T_world_object[:3, :3] @ free.approach, atol=1e-12)
    np.testing.assert_allclose(grasp.retreat, [0.0, 0.0, 1.0])
    T_object_tip = make_transform(grasp.x[:3], grasp.x[3:7]) @ hand.T_base_root
    np.testing.assert_allclose(free.T_world_tip, T_object_tip, atol=1e-12)
    np.testing.assert_allclose(grasp.grasp, hand.all_joints(grasp.x[7:]))
    np.testing.assert_allclose(grasp.efforts, SQUEEZE_NM_RAD * (grasp.squeeze - grasp.grasp))
    assert (grasp.id, grasp.approach_m, grasp.retreat_m) == ("can/0", (0.1, 0.1), (0.15, 0.15))


def test_hands_from_below_are_not_asked_for(hand: Hand, planner: GraspPlanner) -> None:
    """Over a support the palms of the raw candidates look down far more often than up."""
    mug = load_mesh(share_dir() / "models" / "objects" / "mug.ply")
    propose, palms = planner.stages[0], []
    for plane in (None, HalfSpace((0.0, 0.0, 1.0), -1.0)):
        context = free_context(hand, mug, Surroundings(plane=plane))
        x = propose(Batch.of(np.empty((0, hand.size))), context).x
        palms.append((rotation_from_quat(torch.as_tensor(x[:, 3:7])).numpy() @ hand.palm_normal)[:, 2])
    assert (palms[1] > 0.3).mean() < 0.1 < (palms[0] > 0.3).mean()


def test_a_weak_best_grasp_asks_for_more_candidates(hand: Hand, can: SceneObject) -> None:
    """What the second batch has is ranked among the grasps of the first."""
    most = 2 * PlannerConfig().rotations
    strong, unheard_of = (
        GraspPlanner(hand, PlannerConfig(strong=strong, tries=2, max_grasps=most)).plan(Scene(), can)
        for strong in (0.1, 1.0)
    )
    assert (strong.account.candidates, unheard_of.account.candidates) == (most // 2, most)
    first, second = ([grasp.quality for grasp in plan.grasps] for plan in (strong, unheard_of))
    assert len(second) > len(first) >= 3
    assert set(first) < set(second) and second == sorted(second, reverse=True)


def test_same_object_same_grasps(planner: GraspPlanner, can: SceneObject) -> None:
    first, second = planner.plan(Scene(), can), planner.plan(Scene(), can)
    np.testing.assert_array_equal([g.x for g in first.grasps], [g.x for g in second.grasps])


def test_unreachable_grasps_are_counted(hand: Hand, planner: GraspPlanner, can: SceneObject) -> None:
    robot = RobotModel(robot_urdf(), robot_srdf())
    far = SceneObject.target("can", make_transform((5.0, 0.0, 1.0)), can.mesh)
    plan = GraspPlanner(hand, PlannerConfig(), ArmChecks(robot, hand, MotionConfig())).plan(
        Scene((far,)), far
    )
    account = plan.account
    assert plan.grasps == () and account.spare == 0 and account.candidates == 4 * 28  # every round was tried
    assert account.rejected[Reject.OUT_OF_REACH] >= len(planner.plan(Scene(), can).grasps)
    assert NoGraspFound(plan).reason is not None and "no inverse kinematics" in str(NoGraspFound(plan))


def test_approach_finds_the_open_side(hand: Hand) -> None:
    """A hand over a low box may come down on it, but not along its fingers through a wall beside it."""
    box = SignedDistanceField.from_mesh(trimesh.creation.box((0.05, 0.05, 0.05)), 64)
    x = np.concatenate([[0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], hand.open_joints])
    x[:3] = -hand.grasp_centre - 0.04 * hand.palm_normal
    ways = find_approaches(hand, box, x[None], hand.open_joints[None], 0.1)
    assert ways.clearance_m[0] > 0.0
    np.testing.assert_allclose(np.linalg.norm(ways.directions, axis=1), 1.0)
    # a floor just behind the back of the hand stops every way in
    floor = HalfSpace(tuple(hand.palm_normal), float(hand.palm_normal @ x[:3]) - 0.03)
    blocked = find_approaches(hand, box, x[None], hand.open_joints[None], 0.1, floor)
    assert blocked.clearance_m[0] < ways.clearance_m[0]


def test_a_hand_over_a_support_may_come_straight_down(hand: Hand) -> None:
    """Palm towards a wall of the object and support beneath the fingers: back is not free, up is."""
    box = SignedDistanceField.from_mesh(trimesh.creation.box((0.05, 0.05, 0.05)), 64)
    x = np.concatenate([[0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], hand.open_joints])
    x[:3] = -hand.grasp_centre - 0.04 * hand.palm_normal
    down = np.cross(hand.palm_normal, hand.finger_axis)  # to one side of the hand
    floor = HalfSpace(tuple(-down), -0.2)
    wall = Part(Box((0.1, 0.1, 0.1)), make_transform(x[:3] - 0.16 * hand.palm_normal))
    behind = Part(Box((0.1, 0.1, 0.1)), make_transform(x[:3] - 0.36 * hand.finger_axis))
    corner = Part(Box((0.1, 0.1, 0.1)), make_transform(x[:3] - 0.2 * (hand.palm_normal + hand.finger_axis)))
    ways = find_approaches(
        hand, box, x[None], hand.open_joints[None], 0.1, floor, obstacles=(wall, behind, corner)
    )
    np.testing.assert_allclose(ways.directions[0], down, atol=1e-9)


@pytest.fixture(scope="module", params=["shadow", "barrett"])
def any_hand(request: pytest.FixtureRequest) -> Hand:
    return Hand.load(request.param)


def test_sampled_candidates_surround_the_object_palm_first(any_hand: Hand, can: SceneObject) -> None:
    field = SignedDistanceField.from_mesh(can.mesh, 64)
    rotations = retry_rotations(60)
    x = SampledProposer(any_hand)(field, rotations, rng=np.random.default_rng(0))
    assert x.shape == (60, any_hand.size)
    R_object_base = rotation_from_quat(torch.as_tensor(x[:, 3:7])).numpy()
    ahead = (R_object_base @ any_hand.palm_normal * -x[:, :3]).sum(1) / np.linalg.norm(x[:, :3], axis=1)
    assert np.median(ahead) > 0.5 and x[:, :3].std(0).min() > 0.03
    again = SampledProposer(any_hand)(field, rotations, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(x, again)


def test_sampled_candidates_stay_above_the_support(any_hand: Hand, can: SceneObject) -> None:
    field, floor = SignedDistanceField.from_mesh(can.mesh, 64), float(can.mesh.bounds[0, 2])
    kinematics = Kinematics(any_hand, torch.float64)
    lowest = []
    for plane in (None, HalfSpace((0.0, 0.0, 1.0), floor)):
        rng = np.random.default_rng(0)
        x = SampledProposer(any_hand)(field, retry_rotations(40), rng=rng, plane=plane)
        lowest.append(kinematics.points(torch.tensor(x), any_hand.spheres)[..., 2].amin(1).median())
    assert lowest[0] < floor < lowest[1]


def test_any_hand_has_grasps_without_a_network(any_hand: Hand, can: SceneObject) -> None:
    planner = GraspPlanner(any_hand, PlannerConfig(network="sampled"))
    plan = planner.plan(over_table(can), can)
    assert plan.grasps, plan.account.text()
    assert plan.grasps[0].parts["epsilon"] > 0.1
    again = planner.plan(over_table(can), can)
    np.testing.assert_array_equal(plan.grasps[0].x, again.grasps[0].x)


def test_a_plate_thinner_than_a_cell_has_sampled_candidates(hand: Hand) -> None:
    plate = SignedDistanceField.from_mesh(trimesh.creation.box((0.3, 0.2, 0.001)), 64)
    x = SampledProposer(hand)(plate, retry_rotations(8), rng=np.random.default_rng(0))
    assert np.isfinite(x).all()


def test_a_hand_without_weights_plans_without_and_says_so(any_hand: Hand) -> None:
    nameless = dataclasses.replace(any_hand, name="claw")
    assert "without a network (there is no network claw_compact)" in make_proposer(nameless, "").description
    with pytest.raises(
        CheckpointError, match=r"claw_compact.*`grasp-pose-net train`.*without a network: 'sampled'"
    ):
        make_proposer(nameless, "claw_compact")


def test_the_hands_own_network_is_taken_where_there_is_one(hand: Hand) -> None:
    assert make_proposer(hand, "").description == "candidates come from network shadow_compact"
    assert "as asked" in make_proposer(hand, "sampled").description


def test_neighbours_are_in_the_way(hand: Hand, planner: GraspPlanner, can: SceneObject) -> None:
    """With boxes on all sides but above, what is offered keeps clear of them, and what does not is counted."""
    size, reach = (0.06, 0.5, float(can.mesh.extents[2])), float(can.mesh.bounds[1, 0]) + 0.02
    scene, walls = over_table(can), []
    for number, angle in enumerate(np.arange(4) * np.pi / 2):
        pose = make_transform((0.0, 0.0, 0.0), (np.cos(angle / 2), 0.0, 0.0, np.sin(angle / 2)))
        pose[:3, 3] = pose[:3, :3] @ (reach + 0.03, 0.0, 0.0)
        walls.append(SceneObject.box(f"wall_{number}", pose, size))
        scene = scene.with_object(walls[-1])
    plan = planner.plan(scene, can)
    rejected = plan.account.rejected
    assert rejected[Reject.HITS_NEIGHBOUR] + rejected[Reject.NO_APPROACH] > 0
    kinematics = Kinematics(hand, torch.float64)
    for grasp in plan.grasps:
        spheres = kinematics.points(torch.tensor(grasp.pose_vector)[None], hand.spheres)[0].numpy()
        for wall in walls:
            pose = wall.T_world_object
            local = np.abs((spheres - pose[:3, 3]) @ pose[:3, :3]) - np.array(size) / 2
            outside, inside = np.linalg.norm(np.maximum(local, 0), axis=1), np.minimum(local.max(1), 0)
            assert (outside + inside - hand.spheres.radius).min() > -1.5e-3


def test_a_wall_on_the_way_in_is_no_way_in(hand: Hand) -> None:
    box = SignedDistanceField.from_mesh(trimesh.creation.box((0.05, 0.05, 0.05)), 64)
    x = np.concatenate([[0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], hand.open_joints])
    x[:3] = -hand.grasp_centre - 0.04 * hand.palm_normal
    free = find_approaches(hand, box, x[None], hand.open_joints[None], 0.1)
    behind = np.eye(4)
    behind[:3, 3] = x[:3] - 0.1 * hand.palm_normal + 0.5 * 0.1 * hand.finger_axis
    wall = Part(Box((0.3, 0.3, 0.3)), behind)
    blocked = find_approaches(hand, box, x[None], hand.open_joints[None], 0.1, None, (wall,))
    assert free.clearance_m[0] > 0.0 > blocked.clearance_m[0]


def test_unknown_network_is_named(hand: Hand) -> None:
    with pytest.raises(Exception, match="no_such_network") as caught:
        GraspPlanner(hand, PlannerConfig(network="no_such_network"))
    assert isinstance(caught.value, CheckpointError)


def test_a_target_in_the_place_of_another_object_is_refused(hand: Hand, can: SceneObject) -> None:
    """The same object under two names would be grasped through itself, and be said to be in its own way."""
    planner = GraspPlanner(hand, PlannerConfig(network=SAMPLED, tries=1))
    other = dataclasses.replace(can, id="mine")
    with pytest.raises(PlanningError, match=r"target 'mine' lies in object '.*', \d+ mm deep; ask for"):
        planner.plan(Scene((can,)), other)
    beside = SceneObject.target("beside", make_transform((0.1, 0.0, 0.0)) @ can.T_world_object, can.mesh)
    planner.plan(Scene((can,)), beside)
