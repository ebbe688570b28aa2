"""Grasps of one object from nothing: rounds of candidates, a cheap filter, and a validation of the best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import trimesh
from numpy.typing import NDArray

from grasp_pose_net.hand import Hand
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.synthesis.candidates import Candidates
from grasp_pose_net.synthesis.config import Synthesis
from grasp_pose_net.synthesis.grasps import Grasps, StageClock, grasp_distance
from grasp_pose_net.world import HalfSpace

Validate = Callable[[Hand, trimesh.Trimesh, SignedDistanceField, NDArray[np.float64]], NDArray[np.bool_]]

_WAITING, _WEAK, _HELD, _FAILED, _COPY = range(5)


def synthesize(
    hand: Hand,
    mesh: trimesh.Trimesh,
    count: int,
    rng: np.random.Generator,
    config: Synthesis | None = None,
    validate: Validate | None = None,
) -> Grasps:
    """Plan up to `count` different grasps of an object.

    Rounds of candidates are filtered, and the best of them that differ are validated, lot by lot, until there
    are enough or the budget is spent.

    Args:
        hand: the hand.
        mesh: watertight object, object frame (origin at its centre of mass).
        count: how many grasps are wanted; fewer come back where fewer are good.
        rng: random numbers; the same state gives the same grasps.
        config: method, shares, thresholds and budget.
        validate: (hand, mesh, field, x (B, 7 + D)) -> (B,) bool, whether grasps hold; all do without.

    Raises:
        MeshError: the mesh has no inside.
    """
    config, clock = config or Synthesis(), StageClock()
    with clock.stage("field"):
        field = SignedDistanceField.from_mesh(mesh)
        planes = stable_planes(mesh, config.table_poses, rng=rng)

    def judge(x: NDArray[np.float64]) -> NDArray[np.bool_]:
        if validate is None:
            return np.ones(len(x), bool)
        with clock.stage("trial"):
            return validate(hand, mesh, field, x)

    candidates = Candidates(hand, mesh, field, planes, rng, config, clock)
    search = _Search(count, config, hand.size, judge, config.lot if validate else count)
    wanted = int(np.ceil(count * config.oversample))
    while search.goes_on and search.pool.tried < config.max_candidates:
        size = min(wanted, config.max_candidates - search.pool.tried)
        search.add(candidates.round(size))
        search.validate()
        # as many as the yield so far asks for, at most doubling
        needed = (count - search.held) * search.pool.tried / max(search.held, 1)
        wanted = int(np.clip(1.2 * needed, min(count, wanted), 2 * wanted))
    if validate is not None:
        search.state[search.state == _WEAK] = _WAITING
        search.validate()
    found = np.flatnonzero(search.state == _HELD)
    best = search.pool.take(found[_in_turn(search.pool.take(found))])
    trials, held = (search.trials, len(found)) if validate else (0, 0)
    return replace(best, trials=trials, held=held, seconds=dict(clock.seconds))


def stable_planes(mesh: trimesh.Trimesh, count: int, *, rng: np.random.Generator) -> list[HalfSpace]:
    """Support planes of poses in which the object stands still, drawn by how likely it comes to rest so.

    Args:
        mesh: the object, object frame.
        count: at most this many, all different.
        rng: random numbers.
    """
    transforms, chances = trimesh.poses.compute_stable_poses(mesh, sigma=0.0, n_samples=1)
    count = min(count, int(np.count_nonzero(chances)))
    picked = rng.choice(len(chances), size=count, replace=False, p=chances / chances.sum())
    # In the table's frame z = T[2, :3] . p + T[2, 3]: the plane z = 0, seen from the object.
    return [HalfSpace(T[2, :3], float(-T[2, 3])) for T in transforms[picked]]


class _Search:
    """Candidates of one object and what has become of them.

    Args:
        count: grasps wanted.
        config: thresholds and budget.
        size: length of the pose vector.
        judge: which of x (B, 7 + D) hold.
        lot: candidates judged together.
    """

    def __init__(
        self,
        count: int,
        config: Synthesis,
        size: int,
        judge: Callable[[NDArray[np.float64]], NDArray[np.bool_]],
        lot: int,
    ) -> None:
        self.count, self.config, self.judge, self.lot = count, config, judge, lot
        self.pool, self.state, self.trials = Grasps.none(size), np.empty(0, np.int8), 0

    @property
    def held(self) -> int:
        """Grasps found so far."""
        return int((self.state == _HELD).sum())

    @property
    def goes_on(self) -> bool:
        """Whether more are wanted and may be tried."""
        return self.held < self.count and self.trials < self.config.max_trials

    def add(self, candidates: Grasps) -> None:
        """Take candidates in; the weak ones do not wait for a trial yet."""
        weak = candidates.epsilon < self.config.least_epsilon
        self.pool = Grasps.joined([self.pool, candidates])
        self.state = np.concatenate([self.state, np.where(weak, _WEAK, _WAITING).astype(np.int8)])

    def validate(self) -> None:
        """Judge waiting candidates until there are enough, none waits, or the budget is spent."""
        while self.goes_on:
            most = min(self.count - self.held, self.lot, self.config.max_trials - self.trials)
            lot = _next_lot(self.pool, self.state, most, self.config.apart)
            if len(lot) == 0:
                return
            self.state[lot] = np.where(self.judge(self.pool.x[lot]), _HELD, _FAILED)
            self.trials += len(lot)


def _next_lot(pool: Grasps, state: NDArray[np.int8], most: int, apart: float) -> NDArray[np.int64]:
    """Indices of at most `most` waiting grasps that differ from all tried ones, the support planes taking turns.

    Marks the copies that it meets in `state`.
    """
    lot: list[int] = []
    taken = list(np.flatnonzero((state == _HELD) | (state == _FAILED)))
    waiting = np.flatnonzero(state == _WAITING)
    for i in waiting[_in_turn(pool.take(waiting))]:
        if len(lot) == most:
            break
        if taken and grasp_distance(pool.x[taken], pool.x[i]).min() < apart:
            state[i] = _COPY
            continue
        taken.append(i)
        lot.append(int(i))
    return np.array(lot, np.int64)


def _in_turn(pool: Grasps) -> NDArray[np.int64]:
    """Indices of all grasps: the best of each plane, the second best of each, and so on."""
    order = np.argsort(-pool.epsilon, kind="stable")
    _, group = np.unique(pool.plane.round(6), axis=0, return_inverse=True)
    rank = np.empty(len(order), np.int64)
    for g in range(group.max(initial=-1) + 1):
        own = order[group.reshape(-1)[order] == g]
        rank[own] = np.arange(len(own))
    return np.lexsort((-pool.epsilon, rank))
