"""Spheres that fill a hand's collision shapes, and the pairs of them that can hit each other."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist, pdist

from grasp_pose_net.hand.points import Array, Index, Spheres
from grasp_pose_net.hand.primitives import Solid, bare_points, exposed_points, inner_points
from grasp_pose_net.hand.tree import KinematicTree

# No point of the skin, sampled at this spacing or finer, is farther than this from a sphere: where it is round, and on
# boxes and cylinders, which are that far at corners only. Links fixed to the base (wrist, forearm) are filled more coarsely.
ROUND_TOLERANCE_M = 0.0008
TOLERANCE_M = 0.005
COARSE_TOLERANCE_M = 0.015
ROUND = ("capsule", "sphere")
AXIS_STEP_RATIO = 0.15  # of a capsule's radius: how fine the places are among which its spheres are chosen
# Sampled postures find a pair that can collide even where they only bring it this near.
NEAR_M = 0.01


def fill(shapes: tuple[Solid, ...], tree: KinematicTree) -> Spheres:
    """Spheres inside the shapes: for each link few of those that fit, so that no skin is left bare."""
    filled = []
    for index, name in enumerate(tree.names):
        if own := tuple(shape for shape in shapes if shape.link == name):
            moves = index == 0 or tree.dof[index] >= 0
            centres, radius = _cover(own, TOLERANCE_M if moves else COARSE_TOLERANCE_M)
            filled.append((np.full(len(radius), index), centres, radius))
    return Spheres(*(np.concatenate(arrays) for arrays in zip(*filled, strict=True)))


def _cover(shapes: tuple[Solid, ...], edge_tolerance: float) -> tuple[Array, Array]:
    """Centres (N, 3) and radii (N,) within the union of shapes: again and again the one that reaches most bare skin."""
    tolerances = [ROUND_TOLERANCE_M if shape.kind in ROUND else edge_tolerance for shape in shapes]
    skin = [bare_points(shape, shapes, max(t, 0.001)) for shape, t in zip(shapes, tolerances, strict=True)]
    tolerance = np.repeat(tolerances, [len(points) for points in skin])
    centres, radii = _candidates(shapes, edge_tolerance)
    reached_by = (cdist(np.concatenate(skin), centres) <= radii + tolerance[:, None]).astype(np.float32)
    bare, gain = np.ones(len(tolerance), bool), reached_by.sum(axis=0)
    chosen: list[int] = []
    while gain.max() > 0:
        chosen.append(int(np.argmax(gain + radii)))  # a radius is below 1: it decides between equal gains
        covered = bare & (reached_by[:, chosen[-1]] > 0)
        gain -= reached_by[covered].sum(axis=0)
        bare &= ~covered
    return centres[chosen], radii[chosen]


def _candidates(shapes: tuple[Solid, ...], edge_tolerance: float) -> tuple[Array, Array]:
    """Spheres among which to choose: along the axes of capsules, and largest ones within everything with edges."""
    found = [_along(shape) for shape in shapes if shape.kind in ROUND]
    if edged := [shape for shape in shapes if shape.kind not in ROUND]:
        skin = exposed_points(
            shapes, edge_tolerance / 4
        )  # fine, or the spheres would stick out between its points
        centres = np.concatenate([inner_points(shape, 0.6 * edge_tolerance) for shape in edged])
        found.append((centres, cKDTree(skin).query(centres)[0]))
    return np.concatenate([centres for centres, _ in found]), np.concatenate([radii for _, radii in found])


def _along(shape: Solid) -> tuple[Array, Array]:
    """Centres (N, 3) and radii (N,) of spheres of the capsule's radius along its axis."""
    radius, length = (*shape.size, 0.0)[:2]
    count = int(np.ceil(length / (radius * AXIS_STEP_RATIO))) + 1
    along = np.linspace(-length / 2, length / 2, count) if count > 1 else np.zeros(1)
    centres = shape.T_link_shape[:3, 3] + along[:, None] * shape.T_link_shape[:3, 2]
    return centres, np.full(count, radius)


def collision_pairs(spheres: Spheres, tree: KinematicTree, centres: Array) -> Index:
    """Pairs (N, 2) of spheres whose overlap means that the hand hits itself.

    Left out are pairs on links that are joined by a joint (links that do not move against each other, or
    whose origins coincide, as a knuckle's do, count as one), pairs that overlap at the open posture already,
    and pairs that stay apart in all given postures.

    Args:
        spheres: the hand's S spheres.
        tree: its kinematic tree.
        centres: (K, S, 3) [m] where the centres are at the open posture, the first, and at many others.
    """
    first, second = np.triu_indices(len(spheres.radius), k=1)
    apart = ~_joined_links(tree)[spheres.link[first], spheres.link[second]]
    first, second = first[apart], second[apart]
    reach = spheres.radius[first] + spheres.radius[second]
    at_open = np.linalg.norm(centres[0, first] - centres[0, second], axis=1) - reach
    nearest = np.full(len(reach), np.inf)
    for posture in centres:
        np.minimum(nearest, pdist(posture)[apart], out=nearest)
    kept = (at_open > 0) & (nearest - reach < NEAR_M)
    return np.stack([first[kept], second[kept]], axis=1)


def _joined_links(tree: KinematicTree) -> np.ndarray:
    """(L, L) whether two links are the same or neighbours; what counts as one link is said above."""
    body = np.arange(len(tree.names))
    for link in range(1, len(body)):
        if tree.dof[link] < 0 or np.linalg.norm(tree.translation[link]) < 1e-9:
            body[link] = body[tree.parent[link]]
    joined = np.eye(len(body), dtype=bool)
    joined[body[1:], body[tree.parent[1:]]] = True
    return (joined | joined.T)[body][:, body]
