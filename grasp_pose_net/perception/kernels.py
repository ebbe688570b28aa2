"""Compiled loops behind perception. Plain arrays in and out, metres; they run side by side in threads."""

from __future__ import annotations

import numpy as np

from grasp_pose_net.compiled import compiled

HASH = np.uint64(0x9E3779B97F4A7C15)  # 2 ** 64 over the golden ratio: neighbouring keys end up far apart
SQUARINGS = 3  # leave of another eigenvector at most the ratio of the eigenvalues to the power of eight


@compiled(nogil=True)
def within(points, transform, low, high):
    """Those of points (N, 3), moved by a transform (4, 4), that lie between two corners (3,): (M, 3) float64."""
    kept = np.empty((len(points), 3))
    count = 0
    for i in range(len(points)):
        p = points[i]
        x = transform[0, 0] * p[0] + transform[0, 1] * p[1] + transform[0, 2] * p[2] + transform[0, 3]
        y = transform[1, 0] * p[0] + transform[1, 1] * p[1] + transform[1, 2] * p[2] + transform[1, 3]
        z = transform[2, 0] * p[0] + transform[2, 1] * p[1] + transform[2, 2] * p[2] + transform[2, 3]
        # a comparison with NaN, a missing measurement, is false
        if low[0] < x < high[0] and low[1] < y < high[1] and low[2] < z < high[2]:
            kept[count] = x, y, z
            count += 1
    return kept[:count].copy()


@compiled(nogil=True)
def apart(points, T_shape_world, core, radius, is_round, low, high, margin):
    """Which of points (N, 3) are further than ``margin`` from each of some shapes, see `robot.Body`: (N,) bool."""
    far = np.ones(len(points), np.bool_)
    lowest, highest = np.full(3, np.inf), np.full(3, -np.inf)
    for i in range(len(points)):
        for k in range(3):
            lowest[k], highest[k] = min(lowest[k], points[i, k]), max(highest[k], points[i, k])
    for s in range(len(core)):
        if (low[s] - margin > highest).any() or (high[s] + margin < lowest).any():
            continue
        T, least = T_shape_world[s], (radius[s] + margin) ** 2
        for i in range(len(points)):
            x, y, z = points[i]
            if not (
                low[s, 0] - margin <= x <= high[s, 0] + margin
                and low[s, 1] - margin <= y <= high[s, 1] + margin
                and low[s, 2] - margin <= z <= high[s, 2] + margin
            ):
                continue
            a = abs(T[0, 0] * x + T[0, 1] * y + T[0, 2] * z + T[0, 3])
            b = abs(T[1, 0] * x + T[1, 1] * y + T[1, 2] * z + T[1, 3])
            c = abs(T[2, 0] * x + T[2, 1] * y + T[2, 2] * z + T[2, 3])
            if is_round[s]:
                a, b = np.sqrt(a * a + b * b), 0.0
            a, b, c = max(a - core[s, 0], 0.0), max(b - core[s, 1], 0.0), max(c - core[s, 2], 0.0)
            if a * a + b * b + c * c <= least:
                far[i] = False
    return far


@compiled(nogil=True)
def cell_index(points, side, group, groups):
    """Number of each point's cell (N,), from 0 without gaps; points of different ``group`` (N,) share no cell."""
    low = np.array([points[:, 0].min(), points[:, 1].min(), points[:, 2].min()])
    cells_y = int((points[:, 1].max() - low[1]) / side) + 1
    cells_z = int((points[:, 2].max() - low[2]) / side) + 1
    bits = 1
    while 1 << bits < 2 * len(points):
        bits += 1
    # a table of hashes: the key in a slot, and the number of its cell
    slots = np.full(1 << bits, -1, np.int64)
    number = np.empty(1 << bits, np.int64)
    index = np.empty(len(points), np.int64)
    count = 0
    for i in range(len(points)):
        x, y = int((points[i, 0] - low[0]) / side), int((points[i, 1] - low[1]) / side)
        z = int((points[i, 2] - low[2]) / side)
        key = ((x * cells_y + y) * cells_z + z) * groups + group[i]
        slot = np.int64((np.uint64(key) * HASH) >> np.uint64(64 - bits))
        while slots[slot] != key and slots[slot] != -1:
            slot = (slot + 1) & ((1 << bits) - 1)
        if slots[slot] == -1:
            slots[slot], number[slot] = key, count
            count += 1
        index[i] = number[slot]
    return index


@compiled(nogil=True)
def _columns(points, radius):
    """Points in upright columns of half a radius: their order, and of each column the first and where it is."""
    side = radius / 2
    low_x, low_y = points[:, 0].min(), points[:, 1].min()
    columns_x = int((points[:, 0].max() - low_x) / side) + 1
    columns_y = int((points[:, 1].max() - low_y) / side) + 1
    column = np.empty(len(points), np.int64)
    first = np.zeros((columns_x, columns_y + 1), np.int64)
    for i in range(len(points)):
        u, v = int((points[i, 0] - low_x) / side), int((points[i, 1] - low_y) / side)
        column[i] = u * (columns_y + 1) + v
        first[u, v + 1] += 1
    # the first of the row that follows is the end of the last column of a row
    total = 0
    for u in range(columns_x):
        for v in range(columns_y + 1):
            total += first[u, v]
            first[u, v] = total
    following = first.copy().reshape(-1)
    order = np.empty(len(points), np.int64)
    for i in range(len(points)):
        order[following[column[i]]] = i
        following[column[i]] += 1
    return order, first


@compiled(nogil=True)
def normals(points, radius, dense_radius):
    """Normals (N, 3), either way round, of planes through neighbours within ``radius``.

    And how many of the neighbours of each point (N,) are within ``dense_radius``. The normal is the eigenvector of the
    neighbours' covariance with the smallest eigenvalue, which is the one with the largest of the matrix of cofactors;
    squaring that matrix leaves nothing but it.

    Long because ten running sums of a compiled loop would have to be handed on one by one.
    """
    order, first = _columns(points, radius)
    row, side = points[order], radius / 2
    low_x, low_y = points[:, 0].min(), points[:, 1].min()
    result, near = np.empty((len(points), 3)), np.empty(len(points), np.int64)
    for i in order:
        px, py, pz = points[i]
        u, v = int((px - low_x) / side), int((py - low_y) / side)
        low, high = max(v - 2, 0), min(v + 3, first.shape[1] - 1)
        close = -1  # the point itself
        count = x = y = z = xx = xy = xz = yy = yz = zz = 0.0
        for w in range(max(u - 2, 0), min(u + 3, first.shape[0])):
            for k in range(first[w, low], first[w, high]):
                c = row[k, 2] - pz
                if abs(c) > radius:
                    continue
                a, b = row[k, 0] - px, row[k, 1] - py
                square = a * a + b * b + c * c
                if square > radius * radius:
                    continue
                close += square <= dense_radius * dense_radius
                count += 1.0
                x, y, z = x + a, y + b, z + c
                xx, xy, xz = xx + a * a, xy + a * b, xz + a * c
                yy, yz, zz = yy + b * b, yz + b * c, zz + c * c
        near[i] = close
        x, y, z = x / count, y / count, z / count
        xx, xy, xz = xx / count - x * x, xy / count - x * y, xz / count - x * z
        yy, yz, zz = yy / count - y * y, yz / count - y * z, zz / count - z * z
        a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
        d, e, f = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
        for _ in range(SQUARINGS):
            size = a + d + f
            if size <= 0.0:
                break
            a, b, c, d, e, f = a / size, b / size, c / size, d / size, e / size, f / size
            a, b, c, d, e, f = (
                a * a + b * b + c * c,
                a * b + b * d + c * e,
                a * c + b * e + c * f,
                b * b + d * d + e * e,
                b * c + d * e + e * f,
                c * c + e * e + f * f,
            )
        if a >= d and a >= f:
            x, y, z = a, b, c
        elif d >= f:
            x, y, z = b, d, e
        else:
            x, y, z = c, e, f
        length = np.sqrt(x * x + y * y + z * z)
        if length > 0.0:
            result[i, 0], result[i, 1], result[i, 2] = x / length, y / length, z / length
        else:  # all neighbours on one line
            result[i, 0], result[i, 1], result[i, 2] = 0.0, 0.0, 1.0
    return result, near


@compiled(nogil=True)
def wall_sides(points, normals, radius, own_side, other_side, least):
    """What each oriented sample's neighbours within ``radius`` tell of the wall that it is on.

    Returns:
        For each sample how many, itself included, lie on its side (cosine between normals above ``own_side``); how
        many face the other way (below ``-own_side``); and what the wall lacks in thickness to ``least``, on average over
        those that clearly face the other way (below ``-other_side``).
    """
    order, first = _columns(points, radius)
    row, facing, side = points[order], normals[order], radius / 2
    low_x, low_y = points[:, 0].min(), points[:, 1].min()
    own, other = np.zeros(len(points), np.int64), np.zeros(len(points), np.int64)
    missing = np.zeros(len(points))
    for i in order:
        p, n = points[i], normals[i]
        u, v = int((p[0] - low_x) / side), int((p[1] - low_y) / side)
        low, high = max(v - 2, 0), min(v + 3, first.shape[1] - 1)
        opposite = 0
        for w in range(max(u - 2, 0), min(u + 3, first.shape[0])):
            for k in range(first[w, low], first[w, high]):
                c = p[2] - row[k, 2]
                if abs(c) > radius:
                    continue
                a, b = p[0] - row[k, 0], p[1] - row[k, 1]
                if a * a + b * b + c * c > radius * radius:
                    continue
                cosine = n[0] * facing[k, 0] + n[1] * facing[k, 1] + n[2] * facing[k, 2]
                own[i] += cosine > own_side
                other[i] += cosine < -own_side
                if cosine < -other_side:
                    opposite += 1
                    thickness = a * n[0] + b * n[1] + c * n[2]
                    missing[i] += min(max(least - thickness, 0.0), 2 * least)
        missing[i] /= max(opposite, 1)
    return own, other, missing


@compiled(nogil=True)
def raise_to_free(room, points, transform, depth, low, cell):
    """Set ``room`` (N,) to by how much points (N, 3) lie in front of a depth image (U, V), where that is more."""
    for i in range(len(points)):
        x, y, z = points[i]
        ahead = transform[2, 0] * x + transform[2, 1] * y + transform[2, 2] * z + transform[2, 3]
        if ahead <= 0.0:
            continue
        right = transform[0, 0] * x + transform[0, 1] * y + transform[0, 2] * z + transform[0, 3]
        down = transform[1, 0] * x + transform[1, 1] * y + transform[1, 2] * z + transform[1, 3]
        u, v = (right / ahead - low[0]) / cell, (down / ahead - low[1]) / cell
        if u < 0.0 or v < 0.0 or u >= depth.shape[0] or v >= depth.shape[1]:
            continue
        seen = depth[int(u), int(v)]
        if seen > 0.0:
            room[i] = max(room[i], seen - ahead)


@compiled(nogil=True)
def spread(total, cell, values):
    """Add values (N, D) at fractional cells (N, 3) to the eight samples around each in ``total`` (D, X, Y, Z)."""
    for i in range(len(cell)):
        x, y, z = int(cell[i, 0]), int(cell[i, 1]), int(cell[i, 2])
        for a in range(2):
            weight_x = cell[i, 0] - x if a else 1.0 - cell[i, 0] + x
            for b in range(2):
                weight_xy = weight_x * (cell[i, 1] - y if b else 1.0 - cell[i, 1] + y)
                for c in range(2):
                    weight = weight_xy * (cell[i, 2] - z if c else 1.0 - cell[i, 2] + z)
                    for d in range(values.shape[1]):
                        total[d, x + a, y + b, z + c] += weight * values[i, d]
