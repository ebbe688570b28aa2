"""Gradient descent of many candidates at once: what to weigh, how long, and over how many threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.hand import Hand
from grasp_pose_net.refinement import kernel
from grasp_pose_net.refinement.arrays import hand_arrays, scene_arrays
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.world import HalfSpace, Part

# Candidates a thread takes at a time: small enough to share the work, large enough to hide the call.
_CHUNK = 4


@dataclass(frozen=True)
class Energy(Settings):
    """Weights of the energy's terms; pairs go linearly from start to end of a descent.

    E = contact * sum w d^2 / (d^2 + reach^2) + normal * sum w reach^2 / (d^2 + reach^2) (1 + n_hand .
    n_object)
      + penetration * sum depth^2 + self_penetration * sum depth^2 + anchor * |x - start|^2

    with d the signed distance of a contact point, w its weight, depth that of a collision sphere grown by
    `clearance_m`, and |x - start| in units of 0.1 m, 0.7 rad (palm) and 1 rad (joints).
    """

    contact: float = setting(1.0, 0.0, 1e9)
    normal: float = setting(0.3, 0.0, 1e9)
    reach_m: tuple[float, float] = setting((0.040, 0.012), 1e-6, 10.0)
    penetration: tuple[float, float] = setting((2e3, 2e5), 0.0, 1e9)
    self_penetration: tuple[float, float] = setting((2e3, 2e5), 0.0, 1e9)
    clearance_m: float = setting(0.0, -0.1, 0.1)
    anchor: float = setting(0.0, 0.0, 1e9)


@dataclass(frozen=True)
class Descent(Settings):
    """One run of Adam over an energy.

    Attributes:
        iterations: at most this many steps.
        step: first step in units of the tangent (0.1 m, 0.7 rad, 1 rad); falls along a cosine to 5 %.
        noise: half width of the uniform shake of each step, same units; fades over the first half.
        stop_depth_m: end as soon as nothing is deeper than this; None = never early.
    """

    energy: Energy = Energy()
    iterations: int = setting(300, 0, 100000)
    step: float = setting(0.03, 1e-6, 1.0)
    noise: float = setting(0.0, 0.0, 1.0)
    stop_depth_m: float | None = setting(None, 0.0, 1.0)


@dataclass(frozen=True)
class Descended:
    """Where a descent ended.

    Attributes:
        x: (B, 7 + D) pose vectors, object frame.
        energy: (B,) with the end weights, or those at which the descent stopped early.
        gradient: (B, 6 + D) of the energy along the tangent (position, rotation vector in the base frame,
            joints).
        depths: (B, 4) worst depths [m] by `kernel.DEPTHS`, without clearance; negative where free.
        iterations: (B,) steps spent.
    """

    x: NDArray[np.float64]
    energy: NDArray[np.float64]
    gradient: NDArray[np.float64]
    depths: NDArray[np.float64]
    iterations: NDArray[np.int64]


def descend(
    hand: Hand,
    field: SignedDistanceField,
    x: NDArray[np.floating],
    descent: Descent,
    *,
    plane: HalfSpace | None = None,
    obstacles: tuple[Part, ...] = (),
    weights: NDArray[np.floating] | None = None,
    anchor: NDArray[np.floating] | None = None,
    seed: int = 0,
) -> Descended:
    """Descend the energy from each pose vector on its own.

    Args:
        hand: the hand.
        field: signed distance field of the object.
        x: (B, 7 + D) pose vectors to start from, object frame; not modified.
        descent: energy and schedule.
        plane: support plane to stay above.
        obstacles: boxes to stay out of.
        weights: (B, P) or (P,) weight of each contact point; all 1 if left out.
        anchor: (B, 7 + D) pose vectors to stay close to; x if left out.
        seed: of the shake; candidate b uses (seed, b), whatever the batch's size.

    Returns:
        Final pose vectors, joints inside their limits, and what the energy is there.

    Raises:
        ValueError: x, anchor or weights have the wrong shape.
    """
    moved = checked(hand, x)
    start = moved.copy() if anchor is None else checked(hand, anchor)
    count, size = len(moved), moved.shape[1]
    hand_data, scene_data = hand_arrays(hand), scene_arrays(field, plane, obstacles)
    point_weight = point_weights(weights, count, len(hand_data.contact_link))
    stop = -1.0 if descent.stop_depth_m is None else descent.stop_depth_m
    schedule = (float(descent.iterations), descent.step, descent.noise, stop)
    shared = (hand_data, scene_data, _weights(descent.energy, 0), _weights(descent.energy, 1), schedule)
    energy, gradient = np.empty(count), np.empty((count, size - 1))
    depths, spent = np.empty((count, len(kernel.DEPTHS))), np.empty(count, np.int64)
    rows = (point_weight, moved, start, candidate_seeds(seed, count), energy, gradient, depths, spent)
    over_threads(kernel.descend_batch, shared, *rows)
    return Descended(moved, energy, gradient, depths, spent)


def evaluate(
    hand: Hand,
    field: SignedDistanceField,
    x: NDArray[np.floating],
    energy: Energy,
    *,
    plane: HalfSpace | None = None,
    obstacles: tuple[Part, ...] = (),
    anchor: NDArray[np.floating] | None = None,
) -> Descended:
    """Energy with the end weights at pose vectors, its gradient and worst depths; arguments as `descend`."""
    still = Descent(energy=energy, iterations=0)
    return descend(hand, field, x, still, plane=plane, obstacles=obstacles, anchor=anchor)


def checked(hand: Hand, x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Copy of pose vectors with unit quaternions and joints inside their limits.

    Raises:
        ValueError: x is not (B, 7 + D), or a quaternion has no length.
    """
    if x.ndim != 2 or x.shape[1] != hand.size:
        raise ValueError(f"x: expected (B, {hand.size}), got {x.shape}")
    copy = np.array(x, np.float64, order="C")
    length = np.linalg.norm(copy[:, 3:7], axis=1, keepdims=True)
    if not (length > 1e-9).all():
        raise ValueError(f"x: quaternion of row {int(np.argmin(length))} has no length")
    copy[:, 3:7] /= length
    copy[:, 7:] = np.clip(copy[:, 7:], hand.lower, hand.upper)
    return copy


def over_threads(batch: Callable[..., None], shared: tuple[Any, ...], *rows: NDArray) -> None:
    """Call a kernel with what is `shared` and chunks of `rows` (B, …) on all cores; it holds no interpreter lock."""
    parts = [slice(i, i + _CHUNK) for i in range(0, len(rows[0]), _CHUNK)]

    def run(part: slice) -> None:
        batch(*shared, *(array[part] for array in rows))

    if len(parts) > 1:
        list(_pool().map(run, parts))
    elif parts:
        run(parts[0])


@cache
def _pool() -> ThreadPoolExecutor:
    """Kept, because a plan asks some twenty times, and mostly for less than it takes to start a thread."""
    return ThreadPoolExecutor(max_workers=thread_count())


def thread_count() -> int:
    """Threads to use: OMP_NUM_THREADS if set, else the cores this process may run on."""
    return int(os.environ.get("OMP_NUM_THREADS", 0)) or len(os.sched_getaffinity(0))


def candidate_seeds(seed: int, count: int) -> NDArray[np.uint64]:
    """Seed of each of `count` candidates (B,); that of candidate b is the same whatever their number."""
    return np.random.SeedSequence(seed).generate_state(1, np.uint64) + np.arange(count, dtype=np.uint64) * 977


def point_weights(weights: NDArray[np.floating] | None, count: int, points: int) -> NDArray[np.float64]:
    """Weights of contact points as (B, P): all 1 if left out.

    Raises:
        ValueError: they are neither (P,) nor (B, P).
    """
    if weights is None:
        return np.ones((count, points))
    if weights.shape not in ((points,), (count, points)):
        raise ValueError(f"weights: expected ({points},) or ({count}, {points}), got {weights.shape}")
    return np.ascontiguousarray(np.broadcast_to(weights, (count, points)), np.float64)


def _weights(energy: Energy, end: int) -> kernel.Weights:
    """The kernel's weights at the start (0) or end (1) of a descent: the energy's entries in their order."""
    return kernel.Weights(*(v[end] if isinstance(v, tuple) else v for v in astuple(energy)))
