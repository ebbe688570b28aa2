"""Grasps of one object from nothing: many random starts, one annealed descent each, and a filter.

Two kinds of grasp differ in which contact points are drawn to the surface: power grasps (all, palm too) and
fingertip grasps (the outermost links alone). Most starts know a table: the object stands on it in a pose in
which it is stable, and hand and forearm stay above.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray

from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.quality import contacts, epsilon_batch, penetration
from grasp_pose_net.refinement import Descent, Energy, Plane, descend
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.synthesis.starts import Starts, draw_starts, stable_planes

STARTS = Starts()
DESCENT = Descent(energy=Energy(normal=0.5, clearance_m=0.001), iterations=300, noise=0.01)


@dataclass(frozen=True)
class Synthesis:
    """How grasps are planned.

    Attributes:
        table_share: share of the starts that stay above a support plane.
        table_poses: stable poses among which these are spread.
        table_gap_m: the hand stays this far above the support plane.
        fingertip_share: share of the starts that aim at a fingertip grasp.
        palm_weight: pull on contact points of the palm, power grasps.
        inner_weight: pull on finger points that are not on the outermost link, power grasps.
        oversample: starts per grasp wanted in one round.
        rounds: at most this many rounds until there are enough grasps.
        least_epsilon: grasps below are dropped.
        tolerance_m: deepest penetration of hand and object, of the hand in itself, and below the gap to the
            plane.
        apart: two grasps closer than this are copies, see `grasp_distance`.
        starts: distribution of the starts.
        descent: energy and schedule.
    """

    table_share: float = 0.75
    table_poses: int = 4
    table_gap_m: float = 0.003
    fingertip_share: float = 0.15
    palm_weight: float = 0.5
    inner_weight: float = 0.6
    oversample: float = 3.0
    rounds: int = 2
    least_epsilon: float = 0.08
    tolerance_m: float = 0.001
    apart: float = 0.3
    starts: Starts = STARTS
    descent: Descent = DESCENT


@dataclass(frozen=True)
class Grasps:
    """Grasps of one object, best ones of each support plane first.

    Attributes:
        x: (G, 7 + D) pose vectors, object frame.
        epsilon: (G,) approximate epsilon.
        hand_penetration_m: (G,) depth of the hand in the object [m].
        self_penetration_m: (G,) depth of the hand in itself [m].
        plane: (G, 4) normal and offset of the support plane that hand and forearm are clear of; zeros =
            none known.
        tried: candidates that were descended.
    """

    x: NDArray[np.float64]
    epsilon: NDArray[np.float64]
    hand_penetration_m: NDArray[np.float64]
    self_penetration_m: NDArray[np.float64]
    plane: NDArray[np.float64]
    tried: int

    def take(self, index: NDArray) -> Grasps:
        """The grasps at `index`, in that order."""
        arrays = {name: getattr(self, name)[index] for name in _ARRAYS}
        return replace(self, **arrays)

    @classmethod
    def joined(cls, parts: list[Grasps]) -> Grasps:
        """All grasps of several lots."""
        arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS}
        return cls(**arrays, tried=sum(part.tried for part in parts))


_ARRAYS = ("x", "epsilon", "hand_penetration_m", "self_penetration_m", "plane")


def synthesize(
    hand: Hand, mesh: trimesh.Trimesh, count: int, rng: np.random.Generator, config: Synthesis | None = None
) -> Grasps:
    """Plan up to `count` different grasps of an object.

    Args:
        hand: the hand.
        mesh: watertight object, object frame (origin at its centre of mass).
        count: how many grasps are wanted; fewer come back where fewer are good.
        rng: random numbers; the same state gives the same grasps.
        config: shares, thresholds and descent.

    Raises:
        MeshError: the mesh has no inside.
    """
    config = config or Synthesis()
    field = SignedDistanceField.from_mesh(mesh)
    planes: list[Plane | None] = [*stable_planes(mesh, config.table_poses, rng=rng), None]
    found: list[Grasps] = []
    kept = np.empty(0, np.int64)
    for _ in range(config.rounds):
        wanted = int(np.ceil(count * config.oversample))
        for plane, share in zip(planes, _shares(wanted, len(planes), config.table_share), strict=True):
            found.append(_candidates(hand, mesh, field, plane, share, rng, config))
        pool = Grasps.joined(found)
        kept = _different(pool, count, config.apart)
        if len(kept) == count:
            break
    return pool.take(kept)


def grasp_distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance between grasps: 0.1 m of position, 0.7 rad of the palm, or 1 rad of one joint count 1 each.

    Args:
        a: (..., 7 + D) pose vectors.
        b: (..., 7 + D) pose vectors, broadcast against a.

    Returns:
        (...) root of the sum of squares.
    """
    turn = 2.0 * np.arccos(np.clip(np.abs((a[..., 3:7] * b[..., 3:7]).sum(-1)), 0.0, 1.0))
    position = ((a[..., :3] - b[..., :3]) ** 2).sum(-1) / 0.1**2
    joints = ((a[..., 7:] - b[..., 7:]) ** 2).sum(-1)
    return np.sqrt(position + (turn / 0.7) ** 2 + joints)


def contact_weights(
    hand: Hand, count: int, config: Synthesis, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Pull on each contact point (count, P): power grasps, and a share of fingertip grasps."""
    link, parents = hand.contacts.link, set(hand.tree.parent.tolist())
    outermost = np.array([int(i) not in parents for i in link])
    palm = hand.contacts.digit == len(hand.digit_names) - 1
    power = np.where(palm, config.palm_weight, np.where(outermost, 1.0, config.inner_weight))
    fingertip = outermost.astype(float)
    return np.where(rng.random((count, 1)) < config.fingertip_share, fingertip, power)


def _shares(total: int, groups: int, table_share: float) -> list[int]:
    """Starts for each support plane and, last, for no plane."""
    table = round(total * table_share)
    parts = [len(part) for part in np.array_split(np.arange(table), groups - 1)]
    return [*parts, total - table]


def _candidates(
    hand: Hand,
    mesh: trimesh.Trimesh,
    field: SignedDistanceField,
    plane: Plane | None,
    count: int,
    rng: np.random.Generator,
    config: Synthesis,
) -> Grasps:
    """Descend `count` starts and keep what passes the filter."""
    raised = None if plane is None else Plane(plane.normal, plane.offset + config.table_gap_m)
    x = draw_starts(hand, mesh, field, count, rng=rng, plane=raised, config=config.starts)
    weights = contact_weights(hand, count, config, rng)
    result = descend(
        hand, field, x, config.descent, plane=raised, weights=weights, seed=int(rng.integers(2**31))
    )
    x = result.x[(result.depths <= config.tolerance_m).all(1)]
    pose = torch.as_tensor(x, dtype=torch.float32)
    kinematics = Kinematics(hand)
    depths = penetration(hand, kinematics, field, pose)
    hand_m, self_m = np.asarray(depths.hand_penetration_m), np.asarray(depths.self_penetration_m)
    epsilon = np.asarray(epsilon_batch(contacts(hand, kinematics, field, pose), field.radius))
    flat = np.zeros(4) if plane is None else np.array([*plane.normal, plane.offset])
    good = (epsilon >= config.least_epsilon) & (np.maximum(hand_m, self_m) <= config.tolerance_m)
    found = Grasps(x, epsilon, hand_m, self_m, np.tile(flat, (len(x), 1)), count)
    return found.take(np.flatnonzero(good))


def _different(pool: Grasps, count: int, apart: float) -> NDArray[np.int64]:
    """Indices of at most `count` grasps, no two closer than `apart`, the support planes taking turns."""
    kept: list[int] = []
    for i in _in_turn(pool):
        if len(kept) == count:
            break
        if not kept or grasp_distance(pool.x[kept], pool.x[i]).min() >= apart:
            kept.append(int(i))
    return np.array(kept, np.int64)


def _in_turn(pool: Grasps) -> NDArray[np.int64]:
    """Indices of all grasps: the best of each plane, the second best of each, and so on."""
    order = np.argsort(-pool.epsilon, kind="stable")
    _, group = np.unique(pool.plane.round(6), axis=0, return_inverse=True)
    rank = np.empty(len(order), np.int64)
    for g in range(group.max(initial=-1) + 1):
        own = order[group.reshape(-1)[order] == g]
        rank[own] = np.arange(len(own))
    return np.lexsort((-pool.epsilon, rank))
