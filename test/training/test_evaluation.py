"""Figures of a network's answers, against a direct computation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from made_objects import random_grasps
from scipy.spatial.transform import Rotation

from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.inference import draw_starts
from grasp_pose_net.planning import Batch, Context, Judge, Refine, Surroundings, run
from grasp_pose_net.quality import epsilon_of, hand_penetration, penetration
from grasp_pose_net.refinement import Refined
from grasp_pose_net.shapes import SignedDistanceField, random_rotations, rotate_pose
from grasp_pose_net.training import Objects, evaluation, make_batch
from grasp_pose_net.training.evaluation import depths, refined_figures, residuals, spread_of_grasps
from grasp_pose_net.training.losses import PAPER_MEASURE, Measure


def residual_by_hand(x: np.ndarray, rotation: np.ndarray, target: np.ndarray, measure: Measure) -> float:
    """Residual of one answer in the frame of a grid to one grasp in the object frame, from angles."""
    weights = measure.weights
    turn = rotation.T @ Rotation.from_quat(x[[4, 5, 6, 3]]).as_matrix()
    angle = (Rotation.from_matrix(turn).inv() * Rotation.from_quat(target[[4, 5, 6, 3]])).magnitude()
    return float(
        weights.position_per_m2 * ((rotation.T @ x[:3] - target[:3]) ** 2).sum()
        + weights.quaternion * 2 * (1 - np.cos(angle / 2))
        + weights.joints_per_rad2 * ((x[7:] - target[7:]) ** 2).sum()
    )


@pytest.mark.parametrize("measure", [Measure(), PAPER_MEASURE, Measure(beta=0.2, collision_per_m2=7.0)])
def test_residuals_are_the_training_losses_by_hand(objects: Objects, hand: Hand, measure: Measure) -> None:
    index, rotations = np.array([0, 1, 0]), random_rotations(3, rng=np.random.default_rng(0))
    batch = make_batch(objects, index, rotations)
    x = random_grasps(hand, 3, 8)
    x[:, :3] *= 0.5
    kinematics = Kinematics(hand)
    found = residuals(objects, batch, torch.from_numpy(x).float(), kinematics, measure)
    rows = []
    for number, rotation, answer in zip(index, rotations, x, strict=True):
        targets = objects.grasps[number][objects.valid[number]].double().numpy()
        own = [residual_by_hand(answer, rotation, target, measure) for target in targets]
        pose = rotate_pose(torch.from_numpy(answer), torch.from_numpy(rotation.T))[None].float()
        distance = objects.field(number).distance(kinematics.contacts(pose)[0]).numpy()
        collision = (np.minimum(distance, 0) ** 2).sum()
        combined = measure.beta * min(own) + (1 - measure.beta) * measure.collision_per_m2 * collision
        rows.append({"l2": own[0], "consistency": min(own), "collision": collision, "combined": combined})
    assert found == pytest.approx({name: np.mean([row[name] for row in rows]) for name in rows[0]}, rel=1e-4)
    assert found["collision"] > 0


@pytest.mark.parametrize("measure", [Measure(), PAPER_MEASURE])
def test_spread_of_grasps_by_hand(hand: Hand, measure: Measure) -> None:
    grasps = random_grasps(hand, 4, 1)
    found = spread_of_grasps(torch.from_numpy(grasps), measure.weights)
    still = np.eye(3)
    others = [
        [residual_by_hand(one, still, other, measure) for k, other in enumerate(grasps) if k != number]
        for number, one in enumerate(grasps)
    ]
    assert found["l2"] == pytest.approx(np.mean(others))
    assert found["consistency"] == pytest.approx(np.mean([min(row) for row in others]))
    assert found["l2_position"] + found["l2_quaternion"] + found["l2_joints"] == pytest.approx(found["l2"])
    joints = [((a[7:] - b[7:]) ** 2).sum() for i, a in enumerate(grasps) for b in grasps[i + 1 :]]
    assert found["l2_joints"] == pytest.approx(measure.weights.joints_per_rad2 * np.mean(joints))


def test_depths_are_those_of_the_protocol(objects: Objects, hand: Hand) -> None:
    rotations = random_rotations(6, rng=np.random.default_rng(1))
    x = torch.from_numpy(random_grasps(hand, 6, 2)).float()
    x[:, :3] *= 0.5
    batch, kinematics = make_batch(objects, np.zeros(6, np.int64), rotations), Kinematics(hand)
    found = depths(objects, batch, x, kinematics)
    known = penetration(hand, kinematics, objects.field(0), batch.to_object_frame(x))
    assert found["penetrating_points"] == pytest.approx(known.penetrating_points.double().mean().item())
    assert found["mean_depth_m"] == pytest.approx(known.mean_depth_m.mean().item(), rel=1e-4)
    total = (known.penetrating_points * known.mean_depth_m).mean().item()
    assert found["total_depth_m"] == pytest.approx(total, rel=1e-4)
    assert 0 < found["mean_depth_m"] < found["total_depth_m"]


def planned(hand: Hand, field: SignedDistanceField, x: np.ndarray) -> Batch:
    """What the planner's stages make of candidates: refined, and judged by ε."""
    context = Context(
        hand=hand,
        kinematics=Kinematics(hand),
        target=None,
        field=field,
        near=Surroundings(),
        rng=np.random.default_rng(0),
    )
    return run([Refine(), Judge()], Batch.of(x), context)


def test_refined_figures_are_what_the_planner_would_offer(objects: Objects, hand: Hand) -> None:
    field, rng = objects.field(1), np.random.default_rng(0)
    ball = field_mesh(objects)
    x = np.concatenate([random_grasps(hand, 3, 5), draw_starts(hand, ball, field, 5, rng=rng)])
    found = refined_figures(hand, Kinematics(hand), field, x)
    batch = planned(hand, field, x)
    good = batch.rows[batch.epsilon[batch.rows] >= 0.05]
    assert 0 < len(good) < len(x)
    assert found["best_epsilon"] == pytest.approx(batch.epsilon[batch.rows].max())
    assert found["good_share"] == pytest.approx(len(good) / len(x))
    assert (found["object_good"], found["first_good"]) == (1.0, float(0 in good))
    first = refined_figures(hand, Kinematics(hand), field, x[[good[0]]])
    assert (first["object_good"], first["first_good"], first["good_share"]) == (1.0, 1.0, 1.0)


def test_trials_count_only_good_grasps_but_the_first_as_it_came(objects: Objects, hand: Hand) -> None:
    field, rng, kinematics = objects.field(1), np.random.default_rng(0), Kinematics(hand)
    x = draw_starts(hand, field_mesh(objects), field, 5, rng=rng)
    tried = []

    def held(grasps: np.ndarray) -> np.ndarray:
        tried.append(grasps)
        return np.ones(len(grasps), bool)

    found = refined_figures(hand, kinematics, field, x, held)
    (grasps,) = tried
    batch = planned(hand, field, x)
    best = batch.x[batch.best()[0]]
    np.testing.assert_array_equal(grasps[0], x[0])
    np.testing.assert_allclose(grasps[2], best)
    names = ("raw_held", "first_held", "best_held")
    assert [found[name] for name in names] == [1.0, found["first_good"], 1.0]
    sunk = np.repeat(best[None], 2, 0)
    sunk[:, :3] = 0.0  # the palm in the middle of the ball: refinement cannot free it
    found = refined_figures(hand, kinematics, field, sunk, held)
    assert [found[name] for name in names] == [1.0, 0.0, 0.0]
    nothing = refined_figures(hand, kinematics, field, x, lambda grasps: np.zeros(len(grasps), bool))
    assert [nothing[name] for name in names] == [0.0, 0.0, 0.0]


def field_mesh(objects: Objects) -> trimesh.Trimesh:
    """The ball among the objects."""
    assert objects.names[1] == "made/ball"
    return trimesh.creation.icosphere(radius=0.04)


def test_candidates_that_stay_inside_are_not_good(
    objects: Objects, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    field, rng, kinematics = objects.field(1), np.random.default_rng(0), Kinematics(hand)
    batch = planned(hand, field, draw_starts(hand, field_mesh(objects), field, 5, rng=rng))
    best = batch.x[batch.best()[0]]
    towards_middle = -best[:3] / np.linalg.norm(best[:3])
    steps_m = 0.001 * np.arange(1, 15)
    sinking = np.repeat(best[None], len(steps_m), 0)
    sinking[:, :3] += steps_m[:, None] * towards_middle
    pose = torch.as_tensor(sinking, dtype=torch.float32)
    deep = hand_penetration(hand, kinematics, field, pose).numpy() > 0.0015
    sunk = sinking[np.flatnonzero(deep)[0]]  # contacts remain, the skin is inside
    zero = np.zeros(3)

    def unmoved(hand: Hand, field: object, x: np.ndarray) -> Refined:
        return Refined(x, np.array([True, False, True]), zero, zero, zero, zero)

    monkeypatch.setattr(evaluation, "refine", unmoved)
    found = refined_figures(hand, kinematics, field, np.stack([best, best, sunk]))
    assert epsilon_of(hand, field, sunk[None])[0] > 0.05
    assert found["good_share"] == pytest.approx(1 / 3)
    assert found["best_epsilon"] == pytest.approx(epsilon_of(hand, field, best[None])[0], rel=1e-3)
    assert found["refined_points"] > 0
    found = refined_figures(hand, kinematics, field, np.stack([sunk, best, sunk]))
    assert (found["best_epsilon"], found["object_good"]) == (0.0, 0.0)
