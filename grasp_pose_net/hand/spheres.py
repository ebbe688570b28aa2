"""Spheres that fill a hand's collision shapes, and the pairs of them that can hit each other."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist, pdist

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.hand.points import Array, Index, Spheres
from grasp_pose_net.hand.primitives import Solid, exposed_points, inner_points
from grasp_pose_net.hand.tree import KinematicTree

# Neighbours in a capsule's chain stand at most radius / 1.5 apart: between them the skin dips by 6 % of it.
CHAIN_STEP_RATIO = 1 / 1.5
# No point of the skin of boxes and cylinders, sampled at this spacing, is farther than this from a sphere;
# that far it is at corners only. Links fixed to the base (wrist, forearm) are filled more coarsely.
TOLERANCE_M = 0.005
COARSE_TOLERANCE_M = 0.015
# Sampled postures find a pair that can collide even where they only bring it this near.
NEAR_M = 0.01
MOST_SPHERES = 1500  # the hands of the package have some 300
MOST_WORK = 2.5e7  # distances of one cover; larger solids are filled more coarsely


def fill(shapes: tuple[Solid, ...], tree: KinematicTree) -> Spheres:
    """Spheres inside the shapes: chains along capsules, a greedy cover of everything with edges.

    Raises:
        ConfigError: that takes too many.
    """
    filled: list[tuple[Array, Array, Array]] = []
    for index, name in enumerate(tree.names):
        own = tuple(shape for shape in shapes if shape.link == name)
        round_ones = [shape for shape in own if shape.kind in ("capsule", "sphere")]
        edged = tuple(shape for shape in own if shape.kind in ("box", "cylinder"))
        tolerance = TOLERANCE_M if index == 0 or tree.dof[index] >= 0 else COARSE_TOLERANCE_M
        found = [_chain(shape) for shape in round_ones] + ([_cover(edged, tolerance)] if edged else [])
        filled += [(np.full(len(radius), index), centres, radius) for centres, radius in found]
    spheres = Spheres(*(np.concatenate(arrays) for arrays in zip(*filled, strict=True)))
    if len(spheres.radius) > MOST_SPHERES:
        raise ConfigError(
            f"the hand's collision shapes take {len(spheres.radius)} spheres to fill, expected at most {MOST_SPHERES}; "
            "use fewer, or thicker ones"
        )
    return spheres


def _chain(shape: Solid) -> tuple[Array, Array]:
    """Centres (N, 3) and radii (N,) of spheres of the capsule's radius along its axis."""
    radius, length = (*shape.size, 0.0)[:2]
    count = int(np.ceil(length / (radius * CHAIN_STEP_RATIO))) + 1
    along = np.linspace(-length / 2, length / 2, count) if count > 1 else np.zeros(1)
    centres = shape.T_link_shape[:3, 3] + along[:, None] * shape.T_link_shape[:3, 2]
    return centres, np.full(count, radius)


def _cover(shapes: tuple[Solid, ...], tolerance: float) -> tuple[Array, Array]:
    """Few spheres within the union of shapes: again and again the one that reaches most bare surface."""
    while _work(shapes, tolerance) > MOST_WORK:
        tolerance *= 1.2
    surface = exposed_points(shapes, tolerance)
    skin = exposed_points(shapes, tolerance / 4)  # finer, or the spheres would stick out between its points
    centres = np.concatenate([inner_points(shape, 0.6 * tolerance) for shape in shapes])
    radii = cKDTree(skin).query(centres)[0]
    reaches = (cdist(centres, surface) <= radii[:, None] + tolerance).astype(np.float32)  # (N, surface)
    bare = np.ones(len(surface), np.float32)
    chosen: list[int] = []
    while (gain := reaches @ bare).max() > 0:
        chosen.append(int(np.argmax(gain + radii)))  # a radius is below 1: it decides between equal gains
        bare[reaches[chosen[-1]] > 0] = 0
    return centres[chosen], radii[chosen]


def _work(shapes: tuple[Solid, ...], tolerance: float) -> float:
    """About how many distances a cover takes: points inside times points on the surface."""
    sides = [np.maximum(2 * shape.half_extents, tolerance) / tolerance for shape in shapes]
    inside = sum(float(np.prod(side)) for side in sides) / 0.6**3
    return inside * sum(2 * float(side @ np.roll(side, 1)) for side in sides)


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
