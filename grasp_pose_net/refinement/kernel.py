"""The one compiled kernel: energy, gradient and descent of a batch of pose vectors (numba, plain arrays).

Everything here runs without the interpreter lock, so `descent.py` spreads candidates over threads. A
candidate is independent of its batch: descending it alone or among others gives the same numbers.

Frames: "world" is the object frame. Letters: B candidates, L links, P contact points, S spheres, D joints.
A pose x = (position (3), quaternion wxyz (4), joints (D)); its tangent (6 + D) = (position, rotation vector
in the base frame, joints). Gradients are with respect to the tangent.

Gradients are accumulated as forces and torques on the links and carried up the tree (J^T f): every term adds
dE/dp as a force at its point; a parent takes over its child's wrench after the child's joint has read its
share. Torques are about the world origin until they reach a joint.

Long because numba keeps what it compiled by the text of a function's own file alone: split, a changed file would leave
the compiled callers of another file with its old code, on every machine that has run them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grasp_pose_net.compiled import compiled

# "reassoc" and friends let the compiler vectorise; NaN and infinity keep their meaning.
FAST_MATH = {"reassoc", "contract", "arcp", "nsz"}

# What one unit of step means along the tangent: metres, radians of the palm, radians of a joint.
POSITION_SCALE = 0.1
ROTATION_SCALE = 0.7

# Columns of the report: worst depth [m] in the object, in itself, beyond the plane and in obstacles.
DEPTHS = ("object", "self", "plane", "obstacle")


class HandArrays(NamedTuple):
    """A hand as plain arrays (see `arrays.hand_arrays`); positions [m] in link frames."""

    parent: NDArray  # (L,)
    dof: NDArray  # (L,) index of the joint that moves the link, -1 = fixed
    ratio: NDArray  # (L,)
    rotation: NDArray  # (L, 3, 3)
    translation: NDArray  # (L, 3)
    axis: NDArray  # (L, 3)
    lower: NDArray  # (D,)
    upper: NDArray  # (D,)
    contact_link: NDArray  # (P,)
    contact_position: NDArray  # (P, 3)
    contact_normal: NDArray  # (P, 3) outward from the skin
    surface_link: NDArray  # (M,) points that lie close together all over the skin
    surface_position: NDArray  # (M, 3)
    sphere_link: NDArray  # (S,)
    sphere_position: NDArray  # (S, 3)
    sphere_radius: NDArray  # (S,)
    cluster_link: NDArray  # (C,) clusters of neighbouring spheres of one link, tested first
    cluster_start: NDArray  # (C + 1,) spheres of cluster i are start[i]:start[i+1]
    cluster_centre: NDArray  # (C, 3)
    cluster_radius: NDArray  # (C,)
    pair: NDArray  # (N, 2) sphere pairs that may collide, sorted by their clusters
    group: NDArray  # (G, 2) the clusters of a run of pairs
    group_start: NDArray  # (G + 1,)


class SceneArrays(NamedTuple):
    """What the hand meets, in the object frame (see `arrays.scene_arrays`)."""

    values: NDArray  # (R, R, R) float32 signed distances [m], positive outside
    origin: NDArray  # (3,) centre of cell 0
    spacing: float
    plane: NDArray  # (4,) normal and offset: keep normal . p >= offset
    boxes: NDArray  # (K, 15) centre, rotation (row-major), half extents of obstacle boxes


class Weights(NamedTuple):
    """Weights of the terms of the energy at one moment of a descent."""

    contact: float  # sum of w d^2 / (d^2 + reach^2)
    normal: float  # sum of w reach^2 / (d^2 + reach^2) (1 + n_hand . n_object)
    reach: float  # [m] distance over which a surface attracts
    penetration: float  # sum of depth^2 of the spheres in object, plane and obstacles
    self_penetration: float
    clearance: float  # [m] depth counts from this far outside a surface
    anchor: float  # squared distance from the start in units of the tangent's scale


class Work(NamedTuple):
    """Scratch arrays of one candidate."""

    rotation: NDArray  # (L, 3, 3)
    position: NDArray  # (L, 3)
    spheres: NDArray  # (S, 3)
    clusters: NDArray  # (C, 3)
    force: NDArray  # (L, 3)
    torque: NDArray  # (L, 3)


@compiled(nogil=True, fastmath=FAST_MATH)
def new_work(hand: HandArrays) -> Work:
    """Allocate scratch arrays for `hand`."""
    links, spheres = len(hand.parent), len(hand.sphere_radius)
    return Work(
        np.empty((links, 3, 3)),
        np.empty((links, 3)),
        np.empty((spheres, 3)),
        np.empty((len(hand.cluster_link), 3)),
        np.zeros((links, 3)),
        np.zeros((links, 3)),
    )


@compiled(nogil=True, fastmath=FAST_MATH)
def rotation_matrix(w, x, y, z, out):
    """Write the rotation of a unit quaternion into `out` (3, 3)."""
    out[0, 0], out[0, 1], out[0, 2] = 1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)
    out[1, 0], out[1, 1], out[1, 2] = 2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)
    out[2, 0], out[2, 1], out[2, 2] = 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)


@compiled(nogil=True, fastmath=FAST_MATH, inline="always")
def to_world(rotation, position, v):
    """Map the link-frame point `v` to the world."""
    return (
        rotation[0, 0] * v[0] + rotation[0, 1] * v[1] + rotation[0, 2] * v[2] + position[0],
        rotation[1, 0] * v[0] + rotation[1, 1] * v[1] + rotation[1, 2] * v[2] + position[1],
        rotation[2, 0] * v[0] + rotation[2, 1] * v[1] + rotation[2, 2] * v[2] + position[2],
    )


@compiled(nogil=True, fastmath=FAST_MATH, inline="always")
def turn(rotation, v):
    """Rotate the link-frame direction `v` into the world."""
    return (
        rotation[0, 0] * v[0] + rotation[0, 1] * v[1] + rotation[0, 2] * v[2],
        rotation[1, 0] * v[0] + rotation[1, 1] * v[1] + rotation[1, 2] * v[2],
        rotation[2, 0] * v[0] + rotation[2, 1] * v[1] + rotation[2, 2] * v[2],
    )


@compiled(nogil=True, fastmath=FAST_MATH)
def multiply(a, b, out):
    """Write the product of two (3, 3) matrices into `out`."""
    for i in range(3):
        for j in range(3):
            out[i, j] = a[i, 0] * b[0, j] + a[i, 1] * b[1, j] + a[i, 2] * b[2, j]


@compiled(nogil=True, fastmath=FAST_MATH)
def forward_kinematics(hand, x, work):
    """Write the pose of every link and the place of every sphere at the pose vector `x` into `work`."""
    rotation, position = work.rotation, work.position
    joint, fixed = np.empty((3, 3)), np.empty((3, 3))
    rotation_matrix(x[3], x[4], x[5], x[6], rotation[0])
    for k in range(3):
        position[0, k] = x[k]
    for link in range(1, len(hand.parent)):
        parent = hand.parent[link]
        a, b, c = to_world(rotation[parent], position[parent], hand.translation[link])
        position[link, 0], position[link, 1], position[link, 2] = a, b, c
        if hand.dof[link] < 0:
            multiply(rotation[parent], hand.rotation[link], rotation[link])
            continue
        multiply(rotation[parent], hand.rotation[link], fixed)
        half = 0.5 * hand.ratio[link] * x[7 + hand.dof[link]]
        s, axis = math.sin(half), hand.axis[link]
        rotation_matrix(math.cos(half), s * axis[0], s * axis[1], s * axis[2], joint)
        multiply(fixed, joint, rotation[link])
    for i in range(len(hand.sphere_radius)):
        link = hand.sphere_link[i]
        a, b, c = to_world(rotation[link], position[link], hand.sphere_position[i])
        work.spheres[i, 0], work.spheres[i, 1], work.spheres[i, 2] = a, b, c
    for i in range(len(hand.cluster_link)):
        link = hand.cluster_link[i]
        a, b, c = to_world(rotation[link], position[link], hand.cluster_centre[i])
        work.clusters[i, 0], work.clusters[i, 1], work.clusters[i, 2] = a, b, c


@compiled(nogil=True, fastmath=FAST_MATH)
def distance(scene, x, y, z):
    """Signed distance [m] of a point to the object, its gradient, and how far it is outside the cube [m].

    Trilinear inside the field's cube. Beyond it: the value at the nearest point of the cube plus the distance
    to that point, so that the gradient never vanishes.
    """
    n = scene.values.shape[0]
    top = n - 1.0
    scale = 1.0 / scene.spacing
    u, v, w = (x - scene.origin[0]) * scale, (y - scene.origin[1]) * scale, (z - scene.origin[2]) * scale
    cu, cv, cw = min(max(u, 0.0), top), min(max(v, 0.0), top), min(max(w, 0.0), top)
    i, j, k = min(int(cu), n - 2), min(int(cv), n - 2), min(int(cw), n - 2)
    a, b, c = cu - i, cv - j, cw - k
    f = scene.values
    v000, v001, v010, v011 = f[i, j, k], f[i, j, k + 1], f[i, j + 1, k], f[i, j + 1, k + 1]
    v100, v101, v110, v111 = f[i + 1, j, k], f[i + 1, j, k + 1], f[i + 1, j + 1, k], f[i + 1, j + 1, k + 1]
    w00, w01 = v000 + c * (v001 - v000), v010 + c * (v011 - v010)
    w10, w11 = v100 + c * (v101 - v100), v110 + c * (v111 - v110)
    low, high = w00 + b * (w01 - w00), w10 + b * (w11 - w10)
    value = low + a * (high - low)
    gx = (high - low) * scale
    gy = ((1 - a) * (w01 - w00) + a * (w11 - w10)) * scale
    gz = (
        (1 - a) * ((1 - b) * (v001 - v000) + b * (v011 - v010))
        + a * ((1 - b) * (v101 - v100) + b * (v111 - v110))
    ) * scale
    du, dv, dw = u - cu, v - cv, w - cw
    square = du * du + dv * dv + dw * dw
    if square == 0.0:
        return value, gx, gy, gz, 0.0
    outside = math.sqrt(square)
    gx = gx if du == 0.0 else du / outside
    gy = gy if dv == 0.0 else dv / outside
    gz = gz if dw == 0.0 else dw / outside
    # A coordinate inside the cube keeps the field's slope; its share of the outside distance is zero.
    return value + outside * scene.spacing, gx, gy, gz, outside * scene.spacing


@compiled(nogil=True, fastmath=FAST_MATH)
def box_distance(box, x, y, z):
    """Signed distance [m] of a point to a box (15,) and its gradient."""
    dx, dy, dz = x - box[0], y - box[1], z - box[2]
    local = (
        box[3] * dx + box[6] * dy + box[9] * dz,
        box[4] * dx + box[7] * dy + box[10] * dz,
        box[5] * dx + box[8] * dy + box[11] * dz,
    )
    qx, qy, qz = abs(local[0]) - box[12], abs(local[1]) - box[13], abs(local[2]) - box[14]
    ox, oy, oz = max(qx, 0.0), max(qy, 0.0), max(qz, 0.0)
    d = math.sqrt(ox * ox + oy * oy + oz * oz)
    if d > 0.0:
        gx, gy, gz = ox / d, oy / d, oz / d
    else:
        d = max(qx, qy, qz)
        gx = 1.0 if qx == d else 0.0
        gy = 1.0 if qy == d and gx == 0.0 else 0.0
        gz = 1.0 - gx - gy
    gx, gy, gz = math.copysign(gx, local[0]), math.copysign(gy, local[1]), math.copysign(gz, local[2])
    return (
        d,
        box[3] * gx + box[4] * gy + box[5] * gz,
        box[6] * gx + box[7] * gy + box[8] * gz,
        box[9] * gx + box[10] * gy + box[11] * gz,
    )


@compiled(nogil=True, fastmath=FAST_MATH, inline="always")
def push(work, link, px, py, pz, fx, fy, fz):
    """Add the force f at the world point p to `link`'s wrench."""
    work.force[link, 0] += fx
    work.force[link, 1] += fy
    work.force[link, 2] += fz
    work.torque[link, 0] += py * fz - pz * fy
    work.torque[link, 1] += pz * fx - px * fz
    work.torque[link, 2] += px * fy - py * fx


@compiled(nogil=True, fastmath=FAST_MATH)
def contact_energy(hand, scene, weights, point_weight, work):
    """Energy that draws contact points onto the surface with opposed normals.

    The object's normal counts as constant in the gradient (its curvature is noise on a sampled field).
    """
    energy, square = 0.0, weights.reach * weights.reach
    for i in range(len(hand.contact_link)):
        if point_weight[i] == 0.0:
            continue
        link = hand.contact_link[i]
        px, py, pz = to_world(work.rotation[link], work.position[link], hand.contact_position[i])
        d, gx, gy, gz, _ = distance(scene, px, py, pz)
        inverse = 1.0 / (d * d + square)
        slope = 2.0 * d * square * inverse * inverse
        norm = 1.0 / (math.sqrt(gx * gx + gy * gy + gz * gz) + 1e-9)
        nx, ny, nz = turn(work.rotation[link], hand.contact_normal[i])
        aligned = 1.0 + (nx * gx + ny * gy + nz * gz) * norm
        near = weights.normal * square * inverse * point_weight[i]
        energy += weights.contact * point_weight[i] * d * d * inverse + near * aligned
        f = point_weight[i] * slope * (weights.contact - weights.normal * aligned)
        push(work, link, px, py, pz, f * gx, f * gy, f * gz)
        near *= norm
        work.torque[link, 0] += near * (ny * gz - nz * gy)
        work.torque[link, 1] += near * (nz * gx - nx * gz)
        work.torque[link, 2] += near * (nx * gy - ny * gx)
    return energy


@compiled(nogil=True, fastmath=FAST_MATH)
def object_energy(hand, scene, weights, work, depths):
    """Energy of spheres in the object, beyond the plane and in obstacle boxes; writes the worst depths."""
    energy, plane = 0.0, scene.plane
    for c in range(len(hand.cluster_link)):
        link, bound = hand.cluster_link[c], hand.cluster_radius[c] + weights.clearance
        cx, cy, cz = work.clusters[c, 0], work.clusters[c, 1], work.clusters[c, 2]
        value, _, _, _, outside = distance(scene, cx, cy, cz)
        # Outside the cube the value overestimates; value - 2 * outside never does.
        near_object = max(outside, value - 2.0 * outside) < bound
        near_plane = plane[0] * cx + plane[1] * cy + plane[2] * cz - plane[3] < bound
        if not (near_object or near_plane or len(scene.boxes) > 0):
            continue
        for i in range(hand.cluster_start[c], hand.cluster_start[c + 1]):
            px, py, pz = work.spheres[i, 0], work.spheres[i, 1], work.spheres[i, 2]
            radius = hand.sphere_radius[i]
            if near_object:
                d, gx, gy, gz, _ = distance(scene, px, py, pz)
                energy += _press(work, link, px, py, pz, radius - d, gx, gy, gz, weights, depths, 0)
            if near_plane:
                d = plane[0] * px + plane[1] * py + plane[2] * pz - plane[3]
                energy += _press(
                    work, link, px, py, pz, radius - d, plane[0], plane[1], plane[2], weights, depths, 2
                )
            for k in range(len(scene.boxes)):
                d, gx, gy, gz = box_distance(scene.boxes[k], px, py, pz)
                energy += _press(work, link, px, py, pz, radius - d, gx, gy, gz, weights, depths, 3)
    return energy


@compiled(nogil=True, fastmath=FAST_MATH)
def _press(work, link, px, py, pz, depth, gx, gy, gz, weights, depths, kind):
    """Energy of one sphere that is `depth` [m] inside something whose outward direction is g."""
    depths[kind] = max(depths[kind], depth)
    depth += weights.clearance
    if depth <= 0.0:
        return 0.0
    f = -2.0 * weights.penetration * depth
    push(work, link, px, py, pz, f * gx, f * gy, f * gz)
    return weights.penetration * depth * depth


@compiled(nogil=True, fastmath=FAST_MATH)
def self_energy(hand, weights, work, depths):
    """Energy of sphere pairs that overlap; writes the worst depth."""
    energy = 0.0
    for g in range(len(hand.group)):
        a, b = hand.group[g, 0], hand.group[g, 1]
        dx = work.clusters[a, 0] - work.clusters[b, 0]
        dy = work.clusters[a, 1] - work.clusters[b, 1]
        dz = work.clusters[a, 2] - work.clusters[b, 2]
        reach = hand.cluster_radius[a] + hand.cluster_radius[b] + weights.clearance
        if dx * dx + dy * dy + dz * dz > reach * reach:
            continue
        for n in range(hand.group_start[g], hand.group_start[g + 1]):
            i, j = hand.pair[n, 0], hand.pair[n, 1]
            dx = work.spheres[i, 0] - work.spheres[j, 0]
            dy = work.spheres[i, 1] - work.spheres[j, 1]
            dz = work.spheres[i, 2] - work.spheres[j, 2]
            square = dx * dx + dy * dy + dz * dz
            touch = hand.sphere_radius[i] + hand.sphere_radius[j] + weights.clearance
            if square >= touch * touch:
                continue
            d = math.sqrt(square) + 1e-12
            depth = touch - d
            depths[1] = max(depths[1], depth - weights.clearance)
            energy += weights.self_penetration * depth * depth
            f = -2.0 * weights.self_penetration * depth / d
            px, py, pz = work.spheres[i, 0], work.spheres[i, 1], work.spheres[i, 2]
            push(work, hand.cluster_link[a], px, py, pz, f * dx, f * dy, f * dz)
            px, py, pz = work.spheres[j, 0], work.spheres[j, 1], work.spheres[j, 2]
            push(work, hand.cluster_link[b], px, py, pz, -f * dx, -f * dy, -f * dz)
    return energy


@compiled(nogil=True, fastmath=FAST_MATH)
def collect(hand, work, gradient):
    """Carry all wrenches up the tree: write the gradient (6 + D) and clear the wrenches."""
    gradient[:] = 0.0
    for link in range(len(hand.parent) - 1, 0, -1):
        p, f, t = work.position[link], work.force[link], work.torque[link]
        if hand.dof[link] >= 0:
            ax, ay, az = turn(work.rotation[link], hand.axis[link])
            gradient[6 + hand.dof[link]] += hand.ratio[link] * (
                ax * (t[0] - p[1] * f[2] + p[2] * f[1])
                + ay * (t[1] - p[2] * f[0] + p[0] * f[2])
                + az * (t[2] - p[0] * f[1] + p[1] * f[0])
            )
        parent = hand.parent[link]
        for k in range(3):
            work.force[parent, k] += f[k]
            work.torque[parent, k] += t[k]
            f[k], t[k] = 0.0, 0.0
    p, f, t, r = work.position[0], work.force[0], work.torque[0], work.rotation[0]
    tx = t[0] - p[1] * f[2] + p[2] * f[1]
    ty = t[1] - p[2] * f[0] + p[0] * f[2]
    tz = t[2] - p[0] * f[1] + p[1] * f[0]
    for k in range(3):
        gradient[k] = f[k]
        gradient[3 + k] = r[0, k] * tx + r[1, k] * ty + r[2, k] * tz
    f[:] = 0.0
    t[:] = 0.0


@compiled(nogil=True, fastmath=FAST_MATH)
def rotation_between(a, b, out):
    """Write the rotation vector from unit quaternion `a` to `b` (base frame of a) into `out` (3,)."""
    w = a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3]
    x = a[0] * b[1] - a[1] * b[0] - a[2] * b[3] + a[3] * b[2]
    y = a[0] * b[2] + a[1] * b[3] - a[2] * b[0] - a[3] * b[1]
    z = a[0] * b[3] - a[1] * b[2] + a[2] * b[1] - a[3] * b[0]
    if w < 0.0:
        w, x, y, z = -w, -x, -y, -z
    s = math.sqrt(x * x + y * y + z * z)
    scale = 2.0 * math.atan2(s, w) / s if s > 1e-12 else 2.0
    out[0], out[1], out[2] = scale * x, scale * y, scale * z


@compiled(nogil=True, fastmath=FAST_MATH)
def anchor_energy(x, start, weight, gradient):
    """Energy of the squared distance from `start` in units of the tangent's scale; adds its gradient."""
    turned = np.empty(3)
    rotation_between(start[3:7], x[3:7], turned)
    energy = 0.0
    for k in range(len(gradient)):
        if k < 3:
            scale, delta = POSITION_SCALE, x[k] - start[k]
        elif k < 6:
            scale, delta = ROTATION_SCALE, turned[k - 3]
        else:
            scale, delta = 1.0, x[k + 1] - start[k + 1]
        energy += weight * (delta / scale) ** 2
        gradient[k] += 2.0 * weight * delta / scale**2
    return energy


@compiled(nogil=True, fastmath=FAST_MATH)
def evaluate(hand, scene, weights, point_weight, x, start, work, gradient, depths):
    """Energy of `x`; writes the gradient (6 + D) and the worst depths (4,) [m], negative or 0 where free."""
    forward_kinematics(hand, x, work)
    depths[:] = -1.0
    energy = 0.0
    if weights.contact > 0.0 or weights.normal > 0.0:
        energy += contact_energy(hand, scene, weights, point_weight, work)
    energy += object_energy(hand, scene, weights, work, depths)
    energy += self_energy(hand, weights, work, depths)
    collect(hand, work, gradient)
    if weights.anchor > 0.0:
        energy += anchor_energy(x, start, weights.anchor, gradient)
    return energy


@compiled(nogil=True, fastmath=FAST_MATH)
def move(hand, x, delta):
    """Move `x` in place along the tangent `delta` (6 + D) and clamp the joints to their limits."""
    for k in range(3):
        x[k] += delta[k]
    ax, ay, az = delta[3], delta[4], delta[5]
    angle = math.sqrt(ax * ax + ay * ay + az * az)
    s = math.sin(0.5 * angle) / angle if angle > 1e-12 else 0.5
    c, ax, ay, az = math.cos(0.5 * angle), s * ax, s * ay, s * az
    w, i, j, k = x[3], x[4], x[5], x[6]
    x[3] = w * c - i * ax - j * ay - k * az
    x[4] = w * ax + i * c + j * az - k * ay
    x[5] = w * ay - i * az + j * c + k * ax
    x[6] = w * az + i * ay - j * ax + k * c
    norm = 1.0 / math.sqrt(x[3] ** 2 + x[4] ** 2 + x[5] ** 2 + x[6] ** 2)
    for n in range(3, 7):
        x[n] *= norm
    for n in range(len(hand.lower)):
        x[7 + n] = min(max(x[7 + n] + delta[6 + n], hand.lower[n]), hand.upper[n])


@compiled(nogil=True)
def uniform(state):
    """Advance a (1,) uint64 splitmix state; a number in [-1, 1)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) * (2.0 / 9007199254740992.0) - 1.0


@compiled(nogil=True, fastmath=FAST_MATH)
def blend(a, b, t):
    """Weights between `a` (t = 0) and `b` (t = 1)."""
    return Weights(
        a.contact + t * (b.contact - a.contact),
        a.normal + t * (b.normal - a.normal),
        a.reach + t * (b.reach - a.reach),
        a.penetration + t * (b.penetration - a.penetration),
        a.self_penetration + t * (b.self_penetration - a.self_penetration),
        a.clearance + t * (b.clearance - a.clearance),
        a.anchor + t * (b.anchor - a.anchor),
    )


@compiled(nogil=True, fastmath=FAST_MATH)
def descend_batch(
    hand, scene, first, last, schedule, point_weight, x, start, seeds, energy, gradient, depths, spent
):
    """Descend every row of `x` (B, 7 + D) in place by Adam, anchored at `start`; with 0 iterations only evaluate.

    schedule: (iterations, step, noise, tolerance [m]). Weights go linearly from `first` to `last` over the
    first 70 % of the iterations, the step falls along a cosine to 5 %, noise fades over the first half.
    With tolerance >= 0 a descent ends as soon as nothing is deeper.
    Writes at the final x: energy (B,), gradient (B, 6 + D), depths (B, 4) [m]; and iterations spent (B,).
    """
    iterations, step, noise, tolerance = int(schedule[0]), schedule[1], schedule[2], schedule[3]
    work, size = new_work(hand), 6 + len(hand.lower)
    for b in range(len(x)):
        delta, mean, square = np.empty(size), np.zeros(size), np.zeros(size)
        state = np.array([seeds[b]], dtype=np.uint64)
        for n in range(iterations + 1):
            weights = last if n == iterations else blend(first, last, min(1.0, n / (0.7 * iterations)))
            energy[b] = evaluate(
                hand, scene, weights, point_weight[b], x[b], start[b], work, gradient[b], depths[b]
            )
            spent[b] = n
            if n == iterations or (tolerance >= 0.0 and depths[b].max() <= tolerance):
                break
            rate = step * (0.05 + 0.475 * (1.0 + math.cos(math.pi * n / iterations)))
            fill, fill_square = 1.0 - 0.9 ** (n + 1), 1.0 - 0.99 ** (n + 1)
            shake = noise * max(0.0, 1.0 - 2.0 * n / iterations)
            for k in range(size):
                scale = POSITION_SCALE if k < 3 else (ROTATION_SCALE if k < 6 else 1.0)
                g = gradient[b, k] * scale
                mean[k] = 0.9 * mean[k] + 0.1 * g
                square[k] = 0.99 * square[k] + 0.01 * g * g
                up, down = mean[k] / fill, math.sqrt(square[k] / fill_square) + 1e-8
                delta[k] = -rate * scale * up / down
                if shake > 0.0:
                    delta[k] += shake * scale * uniform(state)
            move(hand, x[b], delta)


@compiled(nogil=True)
def surface_depth_batch(hand, scene, x, depth):
    """Depth (B,) [m] of the skin's deepest point in the object at each row of `x` (B, 7 + D), 0 where free."""
    work = new_work(hand)
    for b in range(len(x)):
        forward_kinematics(hand, x[b], work)
        depth[b] = 0.0
        for i in range(len(hand.surface_link)):
            link = hand.surface_link[i]
            px, py, pz = to_world(work.rotation[link], work.position[link], hand.surface_position[i])
            depth[b] = max(depth[b], -distance(scene, px, py, pz)[0])


@compiled(nogil=True)
def contact_batch(hand, scene, x, points, distances, normals, jacobian):
    """World contact points, their distances and object normals, and d point / d joints (B, P, 3, D)."""
    work = new_work(hand)
    jacobian[:] = 0.0
    for b in range(len(x)):
        forward_kinematics(hand, x[b], work)
        for i in range(len(hand.contact_link)):
            link = hand.contact_link[i]
            px, py, pz = to_world(work.rotation[link], work.position[link], hand.contact_position[i])
            d, gx, gy, gz, _ = distance(scene, px, py, pz)
            norm = 1.0 / (math.sqrt(gx * gx + gy * gy + gz * gz) + 1e-9)
            points[b, i, 0], points[b, i, 1], points[b, i, 2] = px, py, pz
            distances[b, i] = d
            normals[b, i, 0], normals[b, i, 1], normals[b, i, 2] = gx * norm, gy * norm, gz * norm
            while link > 0:
                dof = hand.dof[link]
                if dof >= 0:
                    ax, ay, az = turn(work.rotation[link], hand.axis[link])
                    q, ratio = work.position[link], hand.ratio[link]
                    rx, ry, rz = px - q[0], py - q[1], pz - q[2]
                    jacobian[b, i, 0, dof] += ratio * (ay * rz - az * ry)
                    jacobian[b, i, 1, dof] += ratio * (az * rx - ax * rz)
                    jacobian[b, i, 2, dof] += ratio * (ax * ry - ay * rx)
                link = hand.parent[link]
