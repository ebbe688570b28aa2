"""Grasps by simulated annealing, the method that the paper took its ground truth from: the baseline.

As published for the planner of GraspIt! (Miller and Allen, 2004; Ciocarlie and Allen, 2009) with the schedule of
Ingber (1989): every step draws a neighbour of the current state along all variables at once, takes it if hand and
object are not in collision and the cost is lower, or else with chance exp(-rise / T), and remembers the best states
that differ. Neighbours and acceptance cool by the same schedule,

    T(k) = T0 exp(-C k^(1/8)),   whose k begins at 30000.

The cost is the mean distance of the desired contact points from the surface, plus a length times
(1 + n_hand . n_object) averaged over them; the paper names the distances alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grasp_pose_net.compiled import compiled
from grasp_pose_net.config import Settings, setting
from grasp_pose_net.hand import Hand
from grasp_pose_net.refinement import kernel
from grasp_pose_net.refinement.arrays import hand_arrays, scene_arrays
from grasp_pose_net.refinement.descent import candidate_seeds, checked, over_threads, point_weights
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.world import HalfSpace

_COOLING, _FIRST_TEMPERATURE, _DIMENSIONS = 7.0, 1e6, 8.0
_ATTEMPTS = 11  # neighbours drawn until one is free of collision; then the step is given up
_PUSHES = 200  # steps of 1 cm away from the object until a start is free of collision


@dataclass(frozen=True)
class Annealing(Settings):
    """One run of simulated annealing.

    Attributes:
        iterations: steps, free of collision or given up.
        first_step: number of the first step in the cooling schedule.
        degree_m: rise of the cost [m] that a temperature of 1 accepts with chance 1/e. GraspIt!'s is 1000
            (1e-6 a millimetre), meant for 8 variables; along all of a hand's joints that ends too hot to touch.
        keep: best states that a run gives.
        distinct: states closer than this are one, as a share of each variable's jump.
        alignment_m: weight of a contact point's normal against its distance; GraspIt! has 0.05, the paper none.
        position_jump_m: largest jump of the palm along an axis.
        rotation_jump_rad: largest turn of the palm about an axis.
        joint_jump: largest jump of a joint, as a share of its range.
        clearance_m: collision spheres stay this far from each other and from the object.
    """

    iterations: int = setting(10000, 1)
    first_step: int = setting(30000, 1)
    degree_m: float = setting(100.0, 1e-9, 1e9)
    keep: int = setting(10, 1, 100000)
    distinct: float = setting(0.2, 0.0, 1.0)
    alignment_m: float = setting(0.0, 0.0, 10.0)
    position_jump_m: float = setting(0.1, 0.0, 10.0)
    rotation_jump_rad: float = setting(1.0, 0.0, 3.2)
    joint_jump: float = setting(0.5, 0.0, 1.0)
    clearance_m: float = setting(0.0, 0.0, 0.1)


def anneal(
    hand: Hand,
    field: SignedDistanceField,
    x: NDArray[np.floating],
    config: Annealing,
    *,
    plane: HalfSpace | None = None,
    weights: NDArray[np.floating] | None = None,
    seed: int = 0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Anneal from each pose vector on its own.

    Args:
        hand: the hand.
        field: signed distance field of the object.
        x: (B, 7 + D) pose vectors to start from, object frame; those in collision are moved away first.
        config: schedule and jumps.
        plane: support plane to stay above.
        weights: (B, P) or (P,) weight of each contact point; all 1 if left out.
        seed: start b uses (seed, b).

    Returns:
        Best states (B, keep, 7 + D), lowest cost first, and their costs (B, keep) [m]; where a run found
        fewer, the cost is infinite.
    """
    start = checked(hand, x)
    count = len(start)
    hand_data, scene_data = hand_arrays(hand), scene_arrays(field, plane)
    point_weight = point_weights(weights, count, len(hand_data.contact_link))
    palm = np.repeat([config.position_jump_m, config.rotation_jump_rad], 3)
    jump = np.concatenate([palm, config.joint_jump * (hand_data.upper - hand_data.lower)])
    best = np.zeros((count, config.keep, hand.size))
    cost = np.full((count, config.keep), np.inf)
    steps = (float(config.iterations), float(config.first_step))
    limits = (*steps, config.distinct, config.clearance_m, config.degree_m)
    shared = (hand_data, scene_data, limits, config.alignment_m, jump)
    over_threads(_anneal_batch, shared, point_weight, start, candidate_seeds(seed, count), best, cost)
    return best, cost


@compiled(nogil=True)
def _anneal_batch(hand, scene, limits, alignment, jump, point_weight, start, seeds, best, cost):
    """Anneal from every row of `start` (B, 7 + D), which moves; write the best states and costs; see `Annealing`."""
    iterations, first, distinct, clearance, degree = limits
    work, delta, neighbour = kernel.new_work(hand), np.empty(len(jump)), np.empty(start.shape[1])
    for b in range(len(start)):
        x, state = start[b], np.array([seeds[b]], dtype=np.uint64)
        _push_clear(hand, scene, clearance, x, work)
        kernel.forward_kinematics(hand, x, work)
        hit = _collides(hand, scene, work, clearance)
        current = np.inf if hit else _cost(hand, scene, alignment, point_weight[b], work)
        for n in range(int(iterations)):
            temperature = _FIRST_TEMPERATURE * math.exp(-_COOLING * (first + n) ** (1.0 / _DIMENSIONS))
            for _ in range(_ATTEMPTS):
                for k in range(len(jump)):
                    delta[k] = jump[k] * _ingber(temperature, state)
                neighbour[:] = x
                kernel.move(hand, neighbour, delta)
                kernel.forward_kinematics(hand, neighbour, work)
                hit = _collides(hand, scene, work, clearance)
                if not hit:
                    break
            if hit:
                continue
            new = _cost(hand, scene, alignment, point_weight[b], work)
            rise = (new - current) / (degree * temperature)
            if rise < 0.0 or math.exp(-rise) > 0.5 * (kernel.uniform(state) + 1.0):
                x[:] = neighbour
                current = new
                _remember(x, new, distinct, jump, best[b], cost[b])


@compiled(nogil=True)
def _ingber(temperature, state):
    """Draw from Ingber's distribution on [-1, 1]: narrower as the temperature falls, with a heavy tail."""
    u = kernel.uniform(state)
    length = temperature * ((1.0 + 1.0 / temperature) ** abs(u) - 1.0)
    return math.copysign(length, u)


@compiled(nogil=True, fastmath=kernel.FAST_MATH)
def _cost(hand, scene, alignment, point_weight, work):
    """Mean distance of the contact points from the surface [m] and their turn away from it."""
    total, weight = 0.0, 0.0
    for i in range(len(hand.contact_link)):
        if point_weight[i] == 0.0:
            continue
        link = hand.contact_link[i]
        px, py, pz = kernel.to_world(work.rotation[link], work.position[link], hand.contact_position[i])
        d, gx, gy, gz, _ = kernel.distance(scene, px, py, pz)
        norm = 1.0 / (math.sqrt(gx * gx + gy * gy + gz * gz) + 1e-9)
        nx, ny, nz = kernel.turn(work.rotation[link], hand.contact_normal[i])
        aligned = 1.0 + (nx * gx + ny * gy + nz * gz) * norm
        total += point_weight[i] * (abs(d) + alignment * aligned)
        weight += point_weight[i]
    return total / weight


@compiled(nogil=True, fastmath=kernel.FAST_MATH)
def _collides(hand, scene, work, clearance):
    """Whether a collision sphere is closer than `clearance` [m] to object, plane or a part of the hand."""
    plane = scene.plane
    for c in range(len(hand.cluster_link)):
        bound = hand.cluster_radius[c] + clearance
        cx, cy, cz = work.clusters[c, 0], work.clusters[c, 1], work.clusters[c, 2]
        value, _, _, _, outside = kernel.distance(scene, cx, cy, cz)
        near_object = max(outside, value - 2.0 * outside) < bound
        near_plane = plane[0] * cx + plane[1] * cy + plane[2] * cz - plane[3] < bound
        if not (near_object or near_plane):
            continue
        for i in range(hand.cluster_start[c], hand.cluster_start[c + 1]):
            px, py, pz = work.spheres[i, 0], work.spheres[i, 1], work.spheres[i, 2]
            radius = hand.sphere_radius[i] + clearance
            if near_plane and plane[0] * px + plane[1] * py + plane[2] * pz - plane[3] < radius:
                return True
            if near_object and kernel.distance(scene, px, py, pz)[0] < radius:
                return True
    for g in range(len(hand.group)):
        a, b = hand.group[g, 0], hand.group[g, 1]
        reach = hand.cluster_radius[a] + hand.cluster_radius[b] + clearance
        if _square(work.clusters, a, b) > reach * reach:
            continue
        for n in range(hand.group_start[g], hand.group_start[g + 1]):
            i, j = hand.pair[n, 0], hand.pair[n, 1]
            touch = hand.sphere_radius[i] + hand.sphere_radius[j] + clearance
            if _square(work.spheres, i, j) < touch * touch:
                return True
    return False


@compiled(nogil=True, fastmath=kernel.FAST_MATH, inline="always")
def _square(points, a, b):
    """Squared distance between two rows of `points`."""
    dx, dy, dz = points[a, 0] - points[b, 0], points[a, 1] - points[b, 1], points[a, 2] - points[b, 2]
    return dx * dx + dy * dy + dz * dz


@compiled(nogil=True)
def _push_clear(hand, scene, clearance, x, work):
    """Move `x` in place out of the object, and up from the plane, until nothing collides."""
    for _ in range(_PUSHES):
        kernel.forward_kinematics(hand, x, work)
        if not _collides(hand, scene, work, clearance):
            return
        _, gx, gy, gz, _ = kernel.distance(scene, x[0], x[1], x[2])
        norm = 0.01 / (math.sqrt(gx * gx + gy * gy + gz * gz) + 1e-9)
        x[0] += norm * gx + 0.01 * scene.plane[0]
        x[1] += norm * gy + 0.01 * scene.plane[1]
        x[2] += norm * gz + 0.01 * scene.plane[2]


@compiled(nogil=True)
def _remember(x, value, distinct, jump, best, cost):
    """Insert a state into the sorted list of the best; of two that are close the better one stays."""
    keep, turned = len(cost), np.empty(3)
    if value >= cost[keep - 1]:
        return
    place = keep - 1
    for n in range(keep):
        if cost[n] == np.inf:
            place = n
            break
        if _closeness(x, best[n], jump, turned) < distinct:
            if value >= cost[n]:
                return
            place = n
            break
    while place > 0 and cost[place - 1] > value:
        best[place] = best[place - 1]
        cost[place] = cost[place - 1]
        place -= 1
    best[place] = x
    cost[place] = value


@compiled(nogil=True)
def _closeness(a, b, jump, turned):
    """Largest difference of two states along a variable, as a share of the variable's jump."""
    kernel.rotation_between(a[3:7], b[3:7], turned)
    worst = 0.0
    for k in range(len(jump)):
        if k < 3:
            delta = a[k] - b[k]
        elif k < 6:
            delta = turned[k - 3]
        else:
            delta = a[k + 1] - b[k + 1]
        worst = max(worst, abs(delta) / jump[k])
    return worst
