"""Candidates of grasps of one object from one of two methods, and the filter that they must pass.

Gradient descent of many starts at once (`refinement.descend`), or the simulated annealing of the paper's ground
truth (`annealing.anneal`), which is there to be compared with. Two kinds of grasp differ in which contact points
are drawn to the surface: power grasps (all, palm too) and fingertip grasps (the outermost links alone). Most starts
know a table: the object stands on it in a pose in which it is stable, and hand and forearm stay above.

Memory: a candidate of a round takes about 55 KB at most (18 starts of 1 KB each on a table, 3 scouts, and what
its contacts need), so that 3000 at once take 0.16 GB; the skin is looked at in lots of 128, 64 MB together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray

from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.inference import draw_starts
from grasp_pose_net.quality import CONTACT_DISTANCE_M, contacts, epsilon_batch, penetration
from grasp_pose_net.refinement import Energy, descend, evaluate, pregrasp_joints
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.synthesis.annealing import anneal
from grasp_pose_net.synthesis.config import Synthesis
from grasp_pose_net.synthesis.grasps import Grasps, StageClock
from grasp_pose_net.world import HalfSpace

_FILTER_LOT = 128  # candidates whose skin is looked at together: 0.5 MB each


@dataclass(frozen=True)
class Candidates:
    """Plans candidates of one object, round after round.

    Attributes:
        hand: the hand.
        mesh: the object, object frame.
        field: its signed distance field.
        planes: support planes, see `search.stable_planes`; a share of the candidates knows none.
        rng: random numbers.
        config: method, shares and thresholds.
        clock: counts the time.
    """

    hand: Hand
    mesh: trimesh.Trimesh
    field: SignedDistanceField
    planes: Sequence[HalfSpace]
    rng: np.random.Generator
    config: Synthesis
    clock: StageClock = dataclasses.field(default_factory=StageClock)

    def round(self, count: int) -> Grasps:
        """Plan `count` candidates; those that pass the filter and weak ones, in no order."""
        lots = [Grasps.none(self.hand.size)]
        planes = len(self.planes)
        on_table = round(count * self.config.table_share) if planes else 0
        shares = [on_table // planes + (i < on_table % planes) for i in range(planes)]
        for plane, share in zip([*self.planes, None], [*shares, count - on_table], strict=True):
            if share:
                lots.append(self._above(plane, share))
        return Grasps.joined(lots)

    def _above(self, plane: HalfSpace | None, count: int) -> Grasps:
        """Plan candidates for one plane, or none, and keep what passes the filter."""
        config, gap_m = self.config, self.config.table_gap_m
        raised = None if plane is None else HalfSpace(plane.normal, plane.offset + gap_m)
        x = (self._descended if config.method == "gradient" else self._annealed)(raised, count)
        with self.clock.stage("filter"):
            lots = (x[i : i + _FILTER_LOT] for i in range(0, len(x), _FILTER_LOT))
            found = Grasps.joined([Grasps.none(self.hand.size), *map(self._filtered, lots)])
        flat = np.zeros(4) if plane is None else np.array([*plane.normal, plane.offset])
        passed = int((found.epsilon >= config.least_epsilon).sum())
        return replace(found, plane=np.tile(flat, (len(found.x), 1)), tried=count, passed=passed)

    def _starts(self, plane: HalfSpace | None, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pose vectors to begin with (B, 7 + D), and the pull on their contact points (B, P)."""
        with self.clock.stage("starts"):
            hand, config, rng = self.hand, self.config, self.rng
            x = draw_starts(hand, self.mesh, self.field, count, rng=rng, plane=plane, config=config.starts)
            return x, contact_weights(hand, count, config, rng)

    def _descended(self, plane: HalfSpace | None, count: int) -> NDArray[np.float64]:
        """Candidates (B, 7 + D) of the gradient method, clear of object, hand and plane by their spheres."""
        hand, field, config = self.hand, self.field, self.config
        x, weights = self._starts(plane, count * config.scouts)
        with self.clock.stage("search"):
            seeds = self.rng.integers(2**31, size=2).tolist()
            if config.scouts > 1:
                x = descend(hand, field, x, config.scout, plane=plane, weights=weights, seed=seeds[0]).x
                promise = _epsilon(hand, field, x, config.promise_m)
                best = np.sort(np.argsort(-promise, kind="stable")[:count])
                x, weights = x[best], weights[best]
            result = descend(hand, field, x, config.descent, plane=plane, weights=weights, seed=seeds[1])
        return result.x[(result.depths <= config.tolerance_m).all(1)]

    def _annealed(self, plane: HalfSpace | None, count: int) -> NDArray[np.float64]:
        """Candidates (B, 7 + D) of the annealing method: the best states of as many runs as it takes."""
        annealing = self.config.annealing
        x, weights = self._starts(plane, int(np.ceil(count / annealing.keep)))
        with self.clock.stage("search"):
            seed = int(self.rng.integers(2**31))
            best, cost = anneal(self.hand, self.field, x, annealing, plane=plane, weights=weights, seed=seed)
        return best[np.isfinite(cost)][:count]

    def _filtered(self, x: NDArray[np.float64]) -> Grasps:
        """Those of x whose epsilon is enough, if weak, that do not penetrate, and that the hand can open from."""
        hand, field, config = self.hand, self.field, self.config
        epsilon = _epsilon(hand, field, x)
        strong = np.flatnonzero(epsilon >= min(config.weak_epsilon, config.least_epsilon))
        if len(strong) == 0:
            return Grasps.none(hand.size)
        x, epsilon = x[strong], epsilon[strong]
        # a hand wedged around an edge opens into the object
        before = np.concatenate([x[:, :7], pregrasp_joints(hand, field, x)], axis=1)
        opened = evaluate(hand, field, before, Energy(contact=0.0, normal=0.0)).depths
        opens = (opened <= config.tolerance_m).all(1)
        x, epsilon = x[opens], epsilon[opens]
        depths = penetration(hand, Kinematics(hand), field, torch.as_tensor(x, dtype=torch.float32))
        hand_m, self_m = np.asarray(depths.hand_penetration_m), np.asarray(depths.self_penetration_m)
        found = Grasps(x, epsilon, hand_m, self_m, np.zeros((len(x), 4)))
        return found.take(np.flatnonzero(np.maximum(hand_m, self_m) <= config.tolerance_m))


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


def _epsilon(
    hand: Hand, field: SignedDistanceField, x: NDArray[np.float64], within_m: float = CONTACT_DISTANCE_M
) -> NDArray[np.float64]:
    """Epsilon (B,) of x (B, 7 + D) with contacts where the hand is within `within_m` of the surface."""
    pose = torch.as_tensor(x, dtype=torch.float32)
    return np.asarray(epsilon_batch(contacts(hand, Kinematics(hand), field, pose, within_m), field.radius))
