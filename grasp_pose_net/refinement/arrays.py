"""Hands and scenes as the plain arrays that the kernel reads."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from grasp_pose_net.hand import Hand
from grasp_pose_net.refinement.kernel import HandArrays, SceneArrays
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.world import HalfSpace, Part

# Spheres that share one distance test: a palm of 200 spheres would else be looked at whole each time.
_CLUSTER = 10

# A plane that nothing can be beyond: 0 . p >= -1.
_NO_PLANE = np.array([0.0, 0.0, 0.0, -1.0])


@lru_cache(maxsize=8)
def hand_arrays(hand: Hand) -> HandArrays:
    """Plain arrays of `hand`: spheres sorted by cluster, self pairs sorted by pair of clusters."""
    tree, contacts, spheres = hand.tree, hand.contacts, hand.spheres
    clusters = _clusters(np.asarray(spheres.link), _floats(spheres.position))
    order = np.concatenate(clusters)
    start = np.cumsum([0] + [len(cluster) for cluster in clusters])
    position, radius = _floats(spheres.position)[order], _floats(spheres.radius)[order]
    centre, bound = _bounds(position, radius, start)
    cluster_of = np.repeat(np.arange(len(clusters)), np.diff(start))
    pair, group, group_start = _grouped(np.argsort(order)[np.asarray(hand.self_pairs, np.int64)], cluster_of)
    return HandArrays(
        **{n: getattr(tree, n).copy() for n in ("parent", "dof", "ratio", "rotation", "translation", "axis")},
        lower=_floats(hand.lower),
        upper=_floats(hand.upper),
        contact_link=np.array(contacts.link, np.int64),
        contact_position=_floats(contacts.position),
        contact_normal=_floats(contacts.normal),
        surface_link=np.array(hand.surface.link, np.int64),
        surface_position=_floats(hand.surface.position),
        sphere_link=np.array(spheres.link, np.int64)[order],
        sphere_position=position,
        sphere_radius=radius,
        cluster_link=np.array(spheres.link, np.int64)[order[start[:-1]]],
        cluster_start=start,
        cluster_centre=centre,
        cluster_radius=bound,
        pair=pair,
        group=group,
        group_start=group_start,
    )


def scene_arrays(
    field: SignedDistanceField, plane: HalfSpace | None = None, obstacles: tuple[Part, ...] = ()
) -> SceneArrays:
    """What the kernel sees of an object, its support plane and its neighbours."""
    values = np.asarray(field.values, np.float32).view()
    values.setflags(write=False)  # always, so that one compiled version serves every field
    boxes = np.empty((len(obstacles), 15))
    for row, box in zip(boxes, obstacles, strict=True):
        row[:3], row[3:12] = box.T_object_shape[:3, 3], box.T_object_shape[:3, :3].reshape(-1)
        row[12:] = box.shape.bounds[1]
    flat = _NO_PLANE.copy() if plane is None else np.array([*plane.normal, plane.offset], np.float64)
    return SceneArrays(values, _floats(field.origin), float(field.spacing), flat, boxes)


def _floats(values: NDArray) -> NDArray[np.float64]:
    """Fresh contiguous float64 copy."""
    return np.array(values, np.float64, order="C")


def _clusters(link: NDArray, position: NDArray) -> list[NDArray[np.int64]]:
    """Indices of neighbouring spheres of one link, at most `_CLUSTER` together."""
    waiting, done = [np.flatnonzero(link == i) for i in np.unique(link)], []
    while waiting:
        cluster = waiting.pop()
        if len(cluster) <= _CLUSTER:
            done.append(cluster)
            continue
        side = np.ptp(position[cluster], axis=0).argmax()
        ordered = cluster[np.argsort(position[cluster, side], kind="stable")]
        waiting += np.array_split(ordered, 2)
    return done


def _bounds(position: NDArray, radius: NDArray, start: NDArray) -> tuple[NDArray, NDArray]:
    """Sphere around all spheres of each cluster: centre (C, 3), radius (C,)."""
    centre, bound = np.empty((len(start) - 1, 3)), np.empty(len(start) - 1)
    for c in range(len(bound)):
        own = slice(start[c], start[c + 1])
        centre[c] = 0.5 * (position[own].min(0) + position[own].max(0))
        bound[c] = (np.linalg.norm(position[own] - centre[c], axis=1) + radius[own]).max()
    return centre, bound


def _grouped(pair: NDArray, cluster: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Pairs (N, 2) sorted by clusters, the clusters of each run (G, 2), and where runs start (G + 1,)."""
    if len(pair) == 0:
        return np.empty((0, 2), np.int64), np.empty((0, 2), np.int64), np.zeros(1, np.int64)
    pair = pair[np.lexsort((cluster[pair[:, 1]], cluster[pair[:, 0]]))]
    clusters = cluster[pair]
    first = np.flatnonzero(np.r_[True, (clusters[1:] != clusters[:-1]).any(1)])
    return np.ascontiguousarray(pair), np.ascontiguousarray(clusters[first]), np.r_[first, len(pair)]
