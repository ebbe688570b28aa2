"""Forces with which a hand can press on an object without moving it.

The forces f_i of the contacts at p_i, unit normals n_i out of the object, minimise

    |sum f_i|^2 + |sum p_i x f_i|^2 / r^2 + evenness * sum |f_i + n_i|^2,   f_i in the friction cone around -n_i,

r the object's radius: as near to one unit along each normal as balance allows. Solved for a batch by projected
gradient descent with momentum (Beck and Teboulle, 2009).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def balanced_forces(
    points: Array,
    normals: Array,
    touching: NDArray[np.bool_],
    radius_m: float,
    friction: float,
    evenness: float = 0.05,
    iterations: int = 100,
) -> Array:
    """Forces of the hand on the object that nearly cancel, scaled to a mean normal part of one.

    Args:
        points: (B, P, 3) contacts relative to the object's centre of mass [m].
        normals: (B, P, 3) outward unit normals.
        touching: (B, P) which of them press; the others have no force.
        radius_m: length by which torques are made comparable with forces.
        friction: half-width of the cones, tangential over normal force.
        evenness: weight of equal forces against balance.
        iterations: steps of the descent.

    Returns:
        (B, P, 3), in units of the mean normal force; zero where nothing touches.
    """
    count = points.shape[:2]
    active = touching[..., None].astype(float)
    equal = -normals * active
    arms = points / radius_m
    # wrenches (B, 6, 3 P) of all forces: their sum, and the sum of their torques over the radius
    wrenches = np.concatenate([np.broadcast_to(np.eye(3), (*count, 3, 3)), _crossing(arms)], axis=2)
    wrenches = (wrenches * active[..., None]).transpose(0, 2, 1, 3).reshape(count[0], 6, -1)
    back = wrenches.transpose(0, 2, 1).copy()
    # bounds the second derivative
    step = 1.0 / (touching.sum(1) * (1.0 + (arms**2).sum(-1).max(1)) + evenness)[:, None, None]
    forces = ahead = equal
    momentum = 1.0
    for _ in range(iterations):
        slope = (back @ (wrenches @ ahead.reshape(count[0], -1, 1))).reshape(ahead.shape)
        new = _into_cone(ahead - step * (slope + evenness * (ahead - equal)), normals, friction) * active
        following = (1.0 + np.sqrt(1.0 + 4.0 * momentum**2)) / 2.0
        ahead = new + (momentum - 1.0) / following * (new - forces)
        forces, momentum = new, following
    pressing = -(forces * normals).sum((1, 2))
    return forces * (touching.sum(1) / np.maximum(pressing, 1e-9))[:, None, None]


def _crossing(vectors: Array) -> Array:
    """Matrices (B, P, 3, 3) that take the cross product of vectors (B, P, 3) with what they are applied to."""
    matrices = np.zeros((*vectors.shape, 3))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        matrices[..., i, j], matrices[..., i, k] = -vectors[..., k], vectors[..., j]
    return matrices


def _into_cone(forces: Array, normals: Array, friction: float) -> Array:
    """Nearest forces (B, P, 3) inside the cones around -normals."""
    normal = -np.einsum("bpi,bpi->bp", forces, normals)[..., None]
    tangential = forces + normal * normals
    size = np.sqrt(np.einsum("bpi,bpi->bp", tangential, tangential))[..., None]
    on_edge = np.maximum(normal + friction * size, 0.0) / (1.0 + friction**2)
    edge = on_edge * (friction * tangential / np.maximum(size, 1e-12) - normals)
    return np.where(size <= friction * normal, forces, edge)
