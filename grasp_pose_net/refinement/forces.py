"""Forces with which a hand can press on an object without moving it.

The forces f_i of the contacts at p_i, unit normals n_i out of the object, minimise

    |sum f_i|^2 + |sum p_i x f_i|^2 / r^2 + evenness * sum |f_i + n_i|^2,   f_i in the friction cone around -n_i,

r the object's radius: as near to one unit along each normal as balance allows. Solved for a batch by projected
gradient descent with momentum (Beck and Teboulle, 2009).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from grasp_pose_net.compiled import compiled

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
    # bounds the second derivative
    arms = points / radius_m
    step = 1.0 / (touching.sum(1) * (1.0 + (arms**2).sum(-1).max(1)) + evenness)
    forces = np.zeros_like(points)
    for grasp in range(len(points)):
        press = touching[grasp]
        forces[grasp, press] = _balanced(
            arms[grasp, press], normals[grasp, press], step[grasp], friction, evenness, iterations
        )
    pressing = -(forces * normals).sum((1, 2))
    return forces * (touching.sum(1) / np.maximum(pressing, 1e-9))[:, None, None]


@compiled(nogil=True)
def _balanced(arms, normals, step, friction, evenness, iterations):
    """Forces (C, 3) of the contacts of one grasp that press, by accelerated descent into the cones."""
    forces, ahead, momentum = -normals, -normals, 1.0
    for _ in range(iterations):
        px = py = pz = tx = ty = tz = 0.0  # sums of the forces, and of their torques over the radius
        for c in range(len(arms)):
            (ax, ay, az), (x, y, z) = arms[c], ahead[c]
            px, py, pz = px + x, py + y, pz + z
            tx, ty, tz = tx + ay * z - az * y, ty + az * x - ax * z, tz + ax * y - ay * x
        following = (1.0 + math.sqrt(1.0 + 4.0 * momentum**2)) / 2.0
        share = (momentum - 1.0) / following
        momentum = following
        for c in range(len(arms)):
            (ax, ay, az), (nx, ny, nz) = arms[c], normals[c]
            x, y, z = ahead[c]
            x -= step * (px + ty * az - tz * ay + evenness * (x + nx))
            y -= step * (py + tz * ax - tx * az + evenness * (y + ny))
            z -= step * (pz + tx * ay - ty * ax + evenness * (z + nz))
            x, y, z = _into_cone(x, y, z, nx, ny, nz, friction)
            ahead[c, 0] = x + share * (x - forces[c, 0])
            ahead[c, 1] = y + share * (y - forces[c, 1])
            ahead[c, 2] = z + share * (z - forces[c, 2])
            forces[c, 0], forces[c, 1], forces[c, 2] = x, y, z
    return forces


@compiled(nogil=True)
def _into_cone(x, y, z, nx, ny, nz, friction):
    """Nearest force inside the cone around a normal turned round."""
    along = -(x * nx + y * ny + z * nz)
    ax, ay, az = x + along * nx, y + along * ny, z + along * nz
    size = math.sqrt(ax * ax + ay * ay + az * az)
    if size <= friction * along:
        return x, y, z
    on_edge = max(along + friction * size, 0.0) / (1.0 + friction**2)
    across = on_edge * friction / max(size, 1e-12)
    return across * ax - on_edge * nx, across * ay - on_edge * ny, across * az - on_edge * nz
