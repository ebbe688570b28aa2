"""Grasps of one object from nothing: rounds of candidates, a cheap filter, and a validation of the best.

Candidates come from one of two methods: gradient descent of many starts at once (`refinement.descend`), or
the simulated annealing of the paper's ground truth (`annealing.anneal`), which is there to be compared with.
Two kinds of grasp differ in which contact points are drawn to the surface: power grasps (all, palm too) and
fingertip grasps (the outermost links alone). Most starts know a table: the object stands on it in a pose in
which it is stable, and hand and forearm stay above.

Memory: a candidate of a round takes about 55 KB at most (18 starts of 1 KB each on a table, 3 scouts, and what
its contacts need), so that 3000 at once take 0.16 GB; the skin is looked at in lots of 128, 64 MB together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.inference.starts import Starts, draw_starts, stable_planes
from grasp_pose_net.quality import CONTACT_DISTANCE_M, contacts, epsilon_batch, penetration
from grasp_pose_net.refinement import Descent, Energy, descend, evaluate, pregrasp_joints
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.synthesis.annealing import Annealing, anneal
from grasp_pose_net.synthesis.grasps import Grasps, StageClock, grasp_distance
from grasp_pose_net.world import HalfSpace

Validate = Callable[[Hand, trimesh.Trimesh, SignedDistanceField, NDArray[np.float64]], NDArray[np.bool_]]

STARTS = Starts()
SCOUT = Descent(
    energy=Energy(
        normal=0.5,
        clearance_m=0.001,
        reach_m=(0.040, 0.020),
        penetration=(2e3, 2e4),
        self_penetration=(2e3, 2e4),
    ),
    iterations=60,
    noise=0.01,
)
DESCENT = Descent(
    energy=Energy(normal=0.5, clearance_m=0.001, reach_m=(0.020, 0.012)), iterations=240, noise=0.01
)
ANNEALING = Annealing()
_FILTER_LOT = 128  # candidates whose skin is looked at together: 0.5 MB each


@dataclass(frozen=True)
class Synthesis:
    """How grasps are planned.

    Attributes:
        method: "gradient" (batched descent) or "annealing" (the paper's).
        table_share: share of the starts that stay above a support plane.
        table_poses: stable poses among which these are spread.
        table_gap_m: the hand stays this far above the support plane.
        fingertip_share: share of the starts that aim at a fingertip grasp.
        palm_weight: pull on contact points of the palm, power grasps.
        inner_weight: pull on finger points that are not on the outermost link, power grasps.
        oversample: candidates per grasp wanted in the first round.
        max_candidates: at most this many candidates for an object.
        max_trials: at most this many validations for an object.
        lot: candidates validated together.
        least_epsilon: grasps below do not pass the filter.
        weak_epsilon: where the budget of candidates does not give enough grasps, such as on objects larger than
            the hand, the best of those between this and `least_epsilon` are validated, too.
        tolerance_m: deepest penetration of hand and object and of the hand in itself, at the grasp and at its
            pre-grasp, and below the gap to the plane.
        apart: two grasps closer than this are copies, see `grasp_distance`.
        starts: distribution of the starts.
        scouts: starts for each candidate of the gradient method: all go down `scout`, and those with the best
            promise go on.
        scout: short first descent.
        promise_m: contact points this close after it count as touching in the epsilon that is its promise.
        descent: energy and schedule of the gradient method.
        annealing: schedule of the annealing method.
    """

    method: Literal["gradient", "annealing"] = "gradient"
    table_share: float = 0.75
    table_poses: int = 4
    table_gap_m: float = 0.003
    fingertip_share: float = 0.15
    palm_weight: float = 0.5
    inner_weight: float = 0.6
    oversample: float = 3.0
    max_candidates: int = 3000
    max_trials: int = 400
    lot: int = 16
    least_epsilon: float = 0.08
    weak_epsilon: float = 0.03
    tolerance_m: float = 0.001
    apart: float = 0.3
    starts: Starts = STARTS
    scouts: int = 3
    scout: Descent = SCOUT
    promise_m: float = 0.015
    descent: Descent = DESCENT
    annealing: Annealing = ANNEALING

    def __post_init__(self) -> None:
        """Check what a file or a command line can get wrong.

        Raises:
            ConfigError: naming the entry and what is valid.
        """
        if self.method not in _METHODS:
            raise ConfigError(f"synthesis.method must be one of {', '.join(_METHODS)}, got {self.method!r}")
        for name in ("oversample", "max_candidates", "max_trials", "lot", "scouts"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"synthesis.{name} must be > 0, got {getattr(self, name)}")


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

    search = _Search(count, config, hand.size, judge, config.lot if validate else count)
    wanted = int(np.ceil(count * config.oversample))
    while search.goes_on and search.pool.tried < config.max_candidates:
        size = min(wanted, config.max_candidates - search.pool.tried)
        search.add(propose(hand, mesh, field, planes, size, rng, config, clock))
        search.validate()
        wanted = _next_round(count, search.held, search.pool.tried, wanted)
    if validate is not None:
        search.wake_weak()
        search.validate()
    found = np.flatnonzero(search.state == _HELD)
    best = search.pool.take(found[_in_turn(search.pool.take(found))])
    trials, held = (search.trials, len(found)) if validate else (0, 0)
    return replace(best, trials=trials, held=held, seconds=dict(clock.seconds))


_WAITING, _WEAK, _HELD, _FAILED, _COPY = range(5)


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

    def wake_weak(self) -> None:
        """Let the weak candidates wait, too."""
        self.state[self.state == _WEAK] = _WAITING

    def validate(self) -> None:
        """Judge waiting candidates until there are enough, none waits, or the budget is spent."""
        while self.goes_on:
            most = min(self.count - self.held, self.lot, self.config.max_trials - self.trials)
            lot = _next_lot(self.pool, self.state, most, self.config.apart)
            if len(lot) == 0:
                return
            self.state[lot] = np.where(self.judge(self.pool.x[lot]), _HELD, _FAILED)
            self.trials += len(lot)


def propose(
    hand: Hand,
    mesh: trimesh.Trimesh,
    field: SignedDistanceField,
    planes: Sequence[HalfSpace],
    count: int,
    rng: np.random.Generator,
    config: Synthesis,
    clock: StageClock | None = None,
) -> Grasps:
    """Plan `count` candidates of an object; those that pass the filter and weak ones, in no order.

    Args:
        hand: the hand.
        mesh: the object, object frame.
        field: its signed distance field.
        planes: support planes, see `stable_planes`; a share of the candidates knows none.
        count: how many.
        rng: random numbers.
        config: method, shares and thresholds.
        clock: counts the time.
    """
    lots = [Grasps.none(hand.size)]
    shares = _shares(count, len(planes) + 1, config.table_share)
    for plane, share in zip([*planes, None], shares, strict=True):
        if share:
            lots.append(_candidates(hand, mesh, field, plane, share, rng, config, clock or StageClock()))
    return Grasps.joined(lots)


def contact_weights(
    hand: Hand, count: int, config: Synthesis, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Pull on each contact point (count, P): power grasps, and a share of fingertip grasps."""
    link, parents = hand.contacts.link, set(hand.tree.parent.tolist())
    outermost = np.array([int(i) not in parents for i in link])
    palm = hand.is_palm
    power = np.where(palm, config.palm_weight, np.where(outermost, 1.0, config.inner_weight))
    fingertip = outermost.astype(float)
    return np.where(rng.random((count, 1)) < config.fingertip_share, fingertip, power)


def _shares(total: int, groups: int, table_share: float) -> list[int]:
    """Starts for each support plane and, last, for no plane."""
    if groups == 1:
        return [total]
    table = round(total * table_share)
    parts = [len(part) for part in np.array_split(np.arange(table), groups - 1)]
    return [*parts, total - table]


def _next_round(count: int, held: int, tried: int, last: int) -> int:
    """Candidates of the next round: as many as the yield so far asks for, at most doubling."""
    needed = (count - held) * tried / max(held, 1)
    return int(np.clip(1.2 * needed, min(count, last), 2 * last))


def _candidates(
    hand: Hand,
    mesh: trimesh.Trimesh,
    field: SignedDistanceField,
    plane: HalfSpace | None,
    count: int,
    rng: np.random.Generator,
    config: Synthesis,
    clock: StageClock,
) -> Grasps:
    """Plan `count` candidates and keep what passes the filter."""
    raised = None if plane is None else HalfSpace(plane.normal, plane.offset + config.table_gap_m)
    x = _METHODS[config.method](hand, mesh, field, raised, count, rng, config, clock)
    with clock.stage("filter"):
        parts = [
            _filtered(hand, field, x[i : i + _FILTER_LOT], config) for i in range(0, len(x), _FILTER_LOT)
        ]
        found = Grasps.joined([Grasps.none(hand.size), *parts])
    flat = np.zeros(4) if plane is None else np.array([*plane.normal, plane.offset])
    plane_rows = np.tile(flat, (len(found.x), 1))
    passed = int((found.epsilon >= config.least_epsilon).sum())
    return replace(found, plane=plane_rows, tried=count, passed=passed)


def _descended(hand, mesh, field, plane, count, rng, config, clock) -> NDArray[np.float64]:
    """Candidates (B, 7 + D) of the gradient method, clear of object, hand and plane by their spheres."""
    starts = count * config.scouts
    with clock.stage("starts"):
        x = draw_starts(hand, mesh, field, starts, rng=rng, plane=plane, config=config.starts)
        weights = contact_weights(hand, starts, config, rng)
    with clock.stage("search"):
        seeds = rng.integers(2**31, size=2).tolist()
        if config.scouts > 1:
            x = descend(hand, field, x, config.scout, plane=plane, weights=weights, seed=seeds[0]).x
            promise = _epsilon(hand, field, x, config.promise_m)
            best = np.sort(np.argsort(-promise, kind="stable")[:count])
            x, weights = x[best], weights[best]
        result = descend(hand, field, x, config.descent, plane=plane, weights=weights, seed=seeds[1])
    return result.x[(result.depths <= config.tolerance_m).all(1)]


def _annealed(hand, mesh, field, plane, count, rng, config, clock) -> NDArray[np.float64]:
    """Candidates (B, 7 + D) of the annealing method: the best states of as many runs as it takes."""
    runs = int(np.ceil(count / config.annealing.keep))
    with clock.stage("starts"):
        x = draw_starts(hand, mesh, field, runs, rng=rng, plane=plane, config=config.starts)
        weights = contact_weights(hand, runs, config, rng)
    with clock.stage("search"):
        seed = int(rng.integers(2**31))
        best, cost = anneal(hand, field, x, config.annealing, plane=plane, weights=weights, seed=seed)
    return best[np.isfinite(cost)][:count]


_METHODS = {"gradient": _descended, "annealing": _annealed}


def _filtered(hand: Hand, field: SignedDistanceField, x: NDArray[np.float64], config: Synthesis) -> Grasps:
    """Those of x whose epsilon is enough, if weak, that do not penetrate, and that the hand can open from."""
    epsilon = _epsilon(hand, field, x)
    strong = np.flatnonzero(epsilon >= min(config.weak_epsilon, config.least_epsilon))
    if len(strong) == 0:
        return Grasps.none(hand.size)
    strong = strong[_opens(hand, field, x[strong], config.tolerance_m)]
    x, epsilon = x[strong], epsilon[strong]
    depths = penetration(hand, Kinematics(hand), field, torch.as_tensor(x, dtype=torch.float32))
    hand_m, self_m = np.asarray(depths.hand_penetration_m), np.asarray(depths.self_penetration_m)
    found = Grasps(x, epsilon, hand_m, self_m, np.zeros((len(x), 4)))
    return found.take(np.flatnonzero(np.maximum(hand_m, self_m) <= config.tolerance_m))


def _opens(
    hand: Hand, field: SignedDistanceField, x: NDArray[np.float64], tolerance_m: float
) -> NDArray[np.bool_]:
    """Whether the pre-grasp of each x (B, 7 + D) is free: a hand wedged around an edge opens into the object."""
    before = np.concatenate([x[:, :7], pregrasp_joints(hand, field, x)], axis=1)
    depths = evaluate(hand, field, before, Energy(contact=0.0, normal=0.0)).depths
    return np.asarray((depths <= tolerance_m).all(1))


def _epsilon(
    hand: Hand, field: SignedDistanceField, x: NDArray[np.float64], within_m: float = CONTACT_DISTANCE_M
) -> NDArray[np.float64]:
    """Epsilon (B,) of x (B, 7 + D) with contacts where the hand is within `within_m` of the surface."""
    pose = torch.as_tensor(x, dtype=torch.float32)
    return np.asarray(epsilon_batch(contacts(hand, Kinematics(hand), field, pose, within_m), field.radius))


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
