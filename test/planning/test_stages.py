"""The stages: each ends candidates for its own reason, the best go first, and one of one's own is a few lines."""

from __future__ import annotations

import runpy

import numpy as np
import pytest
from planning_scenes import free_context, over_table

from grasp_pose_net.hand import Hand
from grasp_pose_net.models import share_dir
from grasp_pose_net.planning import (
    Batch,
    BestFirst,
    Context,
    GraspPlanner,
    Judge,
    PlannerConfig,
    Refine,
    Reject,
)
from grasp_pose_net.planning.batch import ALIVE
from grasp_pose_net.world import SceneObject


class Halve:
    """Lowers every quality by a share of its own, and counts who asked."""

    name = "doubt"

    def __init__(self, share: np.ndarray) -> None:
        self._share, self.asked = share, 0

    def __call__(self, batch: Batch, context: Context) -> Batch:
        self.asked += len(batch.rows)
        number = batch.x[batch.rows, 0].astype(int)
        return batch.with_rows(batch.rows, quality=batch.quality[batch.rows] * self._share[number])


class Unlucky:
    """Rejects candidates by their number."""

    name = "luck"

    def __init__(self, numbers: set[int]) -> None:
        self._numbers, self.seen = numbers, []

    def __call__(self, batch: Batch, context: Context) -> Batch:
        numbers = batch.x[batch.rows, 0].astype(int).tolist()
        self.seen += numbers
        unlucky = [row for row, number in zip(batch.rows, numbers, strict=True) if number in self._numbers]
        return batch.rejected(np.array(unlucky, int), Reject.NO_APPROACH)


@pytest.mark.parametrize("seed", range(20))
def test_best_first_finds_what_looking_at_all_finds(seed: int, hand: Hand, can: SceneObject) -> None:
    rng = np.random.default_rng(seed)
    count, wanted = 40, 5
    bound, share = rng.uniform(0.05, 1.0, count), rng.uniform(0.3, 1.0, count)
    unlucky = set(np.flatnonzero(rng.random(count) < rng.choice([0.1, 0.5, 0.95])).tolist())
    x = np.zeros((count, hand.size))
    x[:, 0] = np.arange(count)
    context = free_context(hand, can.mesh)
    doubt, luck = Halve(share), Unlucky(unlucky)
    batch = Batch.of(np.empty((0, hand.size)))
    offered: list[int] = []
    for part in (slice(0, 25), slice(25, count)):  # two rounds
        batch = batch.followed_by(x[part])
        batch = batch.with_rows(batch.rows, quality=bound[part])
        batch = BestFirst(doubt, [luck], wanted)(batch, context)
    offered = batch.x[batch.best(wanted), 0].astype(int).tolist()
    left = [number for number in range(count) if number not in unlucky]
    expected = sorted(left, key=lambda number: -bound[number] * share[number])[:wanted]
    assert offered == expected
    spare = batch.reason == list(Reject).index(Reject.SPARE)
    assert ((batch.reason == ALIVE) | spare | np.isin(batch.x[:, 0], list(unlucky))).all()
    assert len(luck.seen) == len(set(luck.seen)) and doubt.asked <= count
    if len(unlucky) < 10:
        assert doubt.asked < count and len(luck.seen) < count


def test_refinement_and_judgement_say_why(hand: Hand, can: SceneObject) -> None:
    """A hand inside the can, one far from it, one that cannot hold it."""
    context = free_context(hand, can.mesh)
    x = np.tile(np.concatenate([[0.0, 0, 0, 1, 0, 0, 0], hand.open_joints]), (2, 1))
    x[1, :3] = (0.0, 0.0, 1.0)
    batch = Judge(0.05)(Refine()(Batch.of(x), context), context)
    assert Reject.WEAK in {list(Reject)[reason] for reason in batch.reason if reason >= 0}
    assert batch.epsilon[1] == 0.0 and np.isfinite(batch.x).all()


def test_judge_keeps_what_somebody_else_has_judged(hand: Hand, can: SceneObject) -> None:
    x = np.tile(np.concatenate([[0.0, 0, 1.0, 1, 0, 0, 0], hand.open_joints]), (2, 1))
    batch = Batch.of(x).with_rows(np.array([0]), epsilon=np.array([0.7]), quality=np.array([0.7]))
    judged = Judge()(batch, free_context(hand, can.mesh))
    assert judged.epsilon.tolist() == [0.7, 0.0] and np.isnan(batch.epsilon[1])


def test_a_batch_changes_nothing_in_place(hand: Hand) -> None:
    batch = Batch.of(np.zeros((3, hand.size)))
    batch.rejected(np.array([1]), Reject.WEAK)
    batch.with_rows(np.array([0]), quality=np.array([1.0]))
    assert batch.alive.all() and np.isnan(batch.quality).all()


def test_a_stage_of_ones_own_is_a_few_lines(hand: Hand, can: SceneObject) -> None:
    """The example's stage prefers grasps from the right, and needs one line in the list."""
    file = share_dir() / "examples" / "prefer_the_right.py"
    assert len(file.read_text().splitlines()) <= 30
    stage = runpy.run_path(str(file))["FromTheRight"]()
    palms = []
    for added in ([], [stage]):
        planner = GraspPlanner(hand, PlannerConfig(max_grasps=8))
        next(one for one in planner.stages if isinstance(one, BestFirst)).stages.extend(added)
        grasps = planner.plan(over_table(can), can).grasps
        qualities = [grasp.quality for grasp in grasps]
        assert qualities == sorted(qualities, reverse=True) and len(grasps) == 8
        palms.append(np.mean([grasp.pose_vector[1] for grasp in grasps]))
        for grasp in grasps:
            assert grasp.quality <= grasp.parts["worst_epsilon"] * (1 + 1e-9)
    assert palms[1] < palms[0] - 0.01
