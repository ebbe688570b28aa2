"""From an object to ranked grasps, with the shipped network and real meshes of the package."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import trimesh

from grasp_pose_net.exceptions import CheckpointError
from grasp_pose_net.hand import Hand, Kinematics, rotation_from_quat
from grasp_pose_net.inference import NetworkProposer, SampledProposer, retry_rotations
from grasp_pose_net.inference.proposal import make_proposer
from grasp_pose_net.models import share_dir
from grasp_pose_net.planning import GraspPlanner, NoGraspFound, PlannerConfig
from grasp_pose_net.planning.approach import find_approaches
from grasp_pose_net.quality import penetration
from grasp_pose_net.shapes import SignedDistanceField, load_mesh
from grasp_pose_net.world import Box, HalfSpace, Part, make_transform


@pytest.fixture(scope="module")
def hand() -> Hand:
    return Hand.load("shadow")


@pytest.fixture(scope="module")
def planner(hand: Hand) -> GraspPlanner:
    return GraspPlanner(hand, PlannerConfig())


@pytest.fixture(scope="module")
def can() -> trimesh.Trimesh:
    return load_mesh(share_dir() / "models" / "objects" / "can.ply")


def test_rotations_begin_with_identity_and_are_rotations() -> None:
    rotations = retry_rotations(40)
    np.testing.assert_array_equal(rotations[0], np.eye(3))
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.tile(np.eye(3), (40, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotations), 1.0)
    np.testing.assert_array_equal(retry_rotations(5), rotations[:5])


def test_barrett_hand_has_its_own_network(can: trimesh.Trimesh) -> None:
    planner = GraspPlanner(Hand.load("barrett"), PlannerConfig())
    assert planner.description.startswith("candidates come from network barrett_compact; ")
    plan = planner.plan(SignedDistanceField.from_mesh(can, 64))
    assert plan.candidates == PlannerConfig().rotations, "one batch is enough for a can"
    assert len(plan.grasps) == PlannerConfig().max_grasps
    assert plan.grasps[0].x.shape == (11,)
    assert plan.grasps[0].epsilon >= 0.15


def test_candidates_come_back_into_the_objects_frame(hand: Hand, can: trimesh.Trimesh) -> None:
    """The candidate of rotation R is the network's answer to the rotated grid, turned back by R."""
    field = SignedDistanceField.from_mesh(can, 64)
    candidates = NetworkProposer(hand, "shadow_compact")(field, retry_rotations(4))
    turned = can.copy()
    rotation = np.eye(4)
    rotation[:3, :3] = retry_rotations(4)[3]
    turned.apply_transform(rotation)
    alone = NetworkProposer(hand, "shadow_compact")(
        SignedDistanceField.from_mesh(turned, 64), retry_rotations(1)
    )
    np.testing.assert_allclose(rotation[:3, :3] @ candidates[3, :3], alone[0, :3], atol=5e-3)
    np.testing.assert_allclose(candidates[3, 7:], alone[0, 7:], atol=0.05)


def test_grasps_are_ranked_free_and_above_the_table(
    hand: Hand, planner: GraspPlanner, can: trimesh.Trimesh
) -> None:
    field, floor = SignedDistanceField.from_mesh(can, 64), float(can.bounds[0, 2])
    plan = planner.plan(field, plane=HalfSpace((0.0, 0.0, 1.0), floor))
    assert plan.grasps, plan.summary()
    worst = [grasp.worst_epsilon for grasp in plan.grasps]
    assert worst == sorted(worst, reverse=True)
    assert all(PlannerConfig().min_epsilon <= grasp.epsilon >= grasp.worst_epsilon for grasp in plan.grasps)
    x = torch.tensor(np.stack([grasp.x for grasp in plan.grasps]))
    kinematics = Kinematics(hand, torch.float64)
    assert float(penetration(hand, kinematics, field, x).hand_penetration_m.max()) <= 1.1e-3
    spheres = kinematics.points(x, hand.spheres)[..., 2].numpy() - hand.spheres.radius
    assert spheres.min() >= floor - 1.1e-3
    assert ((x[:, 7:].numpy() >= hand.lower - 1e-9) & (x[:, 7:].numpy() <= hand.upper + 1e-9)).all()
    assert len(plan.grasps) + sum(plan.rejected.values()) + plan.spare == plan.candidates


def test_hands_from_below_are_not_asked_for(hand: Hand, planner: GraspPlanner) -> None:
    """Over a support the palms of the raw candidates look down far more often than up."""
    field = SignedDistanceField.from_mesh(load_mesh(share_dir() / "models" / "objects" / "mug.ply"), 64)
    palms = []
    for plane in (None, HalfSpace((0.0, 0.0, 1.0), -1.0)):
        x = NetworkProposer(hand, "shadow_compact")(field, planner._best_rotations(plane))
        palms.append((rotation_from_quat(torch.as_tensor(x[:, 3:7])).numpy() @ hand.palm_normal)[:, 2])
    assert (palms[1] > 0.3).mean() < 0.1 < (palms[0] > 0.3).mean()


def test_a_weak_best_grasp_asks_for_more_candidates(hand: Hand, can: trimesh.Trimesh) -> None:
    """What the second batch has is ranked among the grasps of the first."""
    field = SignedDistanceField.from_mesh(can, 64)
    most = 2 * PlannerConfig().rotations
    strong, unheard_of = (
        GraspPlanner(hand, PlannerConfig(strong=strong, tries=2, max_grasps=most)).plan(field)
        for strong in (0.1, 1.0)
    )
    assert (strong.candidates, unheard_of.candidates) == (most // 2, most)
    first, second = ([grasp.worst_epsilon for grasp in plan.grasps] for plan in (strong, unheard_of))
    assert len(second) > len(first) >= 3
    assert set(first) < set(second) and second == sorted(second, reverse=True)


def test_same_object_same_grasps(planner: GraspPlanner, can: trimesh.Trimesh) -> None:
    field = SignedDistanceField.from_mesh(can, 64)
    first, second = planner.plan(field), planner.plan(field)
    np.testing.assert_array_equal([g.x for g in first.grasps], [g.x for g in second.grasps])


def test_unreachable_grasps_are_counted(planner: GraspPlanner, can: trimesh.Trimesh) -> None:
    field = SignedDistanceField.from_mesh(can, 64)
    free = planner.plan(field)
    plan = planner.plan(field, reachable=lambda grasp: "no inverse kinematics")
    assert plan.grasps == () and plan.spare == 0 and plan.candidates == 4 * 28  # every batch was tried
    assert plan.rejected["no inverse kinematics"] >= len(free.grasps)
    assert "no inverse kinematics" in str(NoGraspFound(plan))


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


def test_sampled_candidates_surround_the_object_palm_first(any_hand: Hand, can: trimesh.Trimesh) -> None:
    field = SignedDistanceField.from_mesh(can, 64)
    rotations = retry_rotations(60)
    x = SampledProposer(any_hand)(field, rotations, rng=np.random.default_rng(0))
    assert x.shape == (60, any_hand.size)
    R_object_base = rotation_from_quat(torch.as_tensor(x[:, 3:7])).numpy()
    ahead = (R_object_base @ any_hand.palm_normal * -x[:, :3]).sum(1) / np.linalg.norm(x[:, :3], axis=1)
    assert np.median(ahead) > 0.5 and x[:, :3].std(0).min() > 0.03
    again = SampledProposer(any_hand)(field, rotations, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(x, again)


def test_sampled_candidates_stay_above_the_support(any_hand: Hand, can: trimesh.Trimesh) -> None:
    field, floor = SignedDistanceField.from_mesh(can, 64), float(can.bounds[0, 2])
    kinematics = Kinematics(any_hand, torch.float64)
    lowest = []
    for plane in (None, HalfSpace((0.0, 0.0, 1.0), floor)):
        rng = np.random.default_rng(0)
        x = SampledProposer(any_hand)(field, retry_rotations(40), rng=rng, plane=plane)
        lowest.append(kinematics.points(torch.tensor(x), any_hand.spheres)[..., 2].amin(1).median())
    assert lowest[0] < floor < lowest[1]


def test_any_hand_has_grasps_without_a_network(any_hand: Hand, can: trimesh.Trimesh) -> None:
    field, floor = SignedDistanceField.from_mesh(can, 64), float(can.bounds[0, 2])
    planner = GraspPlanner(any_hand, PlannerConfig(network="sampled"))
    plan = planner.plan(field, plane=HalfSpace((0.0, 0.0, 1.0), floor))
    assert plan.grasps, plan.summary()
    assert plan.grasps[0].epsilon > 0.1
    again = planner.plan(field, plane=HalfSpace((0.0, 0.0, 1.0), floor))
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


def test_neighbours_are_in_the_way(hand: Hand, planner: GraspPlanner, can: trimesh.Trimesh) -> None:
    """With boxes on all sides but above, what is offered keeps clear of them, and what does not is counted."""
    field, floor = SignedDistanceField.from_mesh(can, 64), HalfSpace((0.0, 0.0, 1.0), float(can.bounds[0, 2]))
    size, reach = (0.06, 0.5, float(np.ptp(can.bounds[:, 2]))), float(can.bounds[1, 0]) + 0.02
    walls = []
    for angle in np.arange(4) * np.pi / 2:
        pose = np.eye(4)
        pose[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        pose[:3, 3] = pose[:3, :3] @ (reach + 0.03, 0.0, 0.0)
        walls.append(Part(Box(size), pose))
    plan = planner.plan(field, plane=floor, obstacles=tuple(walls))
    lost = plan.rejected["hits a neighbour"] + plan.rejected["no free approach"]
    assert lost > 0
    kinematics = Kinematics(hand, torch.float64)
    for grasp in plan.grasps:
        spheres = kinematics.points(torch.as_tensor(grasp.x)[None], hand.spheres)[0].numpy()
        for wall in walls:
            local = (
                np.abs((spheres - wall.T_object_box[:3, 3]) @ wall.T_object_box[:3, :3]) - np.array(size) / 2
            )
            gap = (
                np.linalg.norm(np.maximum(local, 0), axis=1)
                + np.minimum(local.max(1), 0)
                - hand.spheres.radius
            )
            assert gap.min() > -1.5e-3


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
