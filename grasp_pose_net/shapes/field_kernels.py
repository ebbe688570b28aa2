"""Compiled loops behind the signed distance field. Plain arrays in and out; units are those of the vertices.

Close to the surface the distance is exact: every triangle visits the cells around it. On a grid of half the
resolution the closest surface points are then handed on from cell to cell along the axes, which is fast and
hardly less exact, and the cells far from the surface are interpolated from there.

The sign is the winding number along the cell's z column, so that shells that overlap or lie inside each
other count once; edges and vertices that a column hits count as if it were moved by next to nothing.
"""

from __future__ import annotations

import numba
import numpy as np

from grasp_pose_net.compiled import compiled

SLABS = 8  # parts along x that threads work on independently


@compiled(inline="always")
def _closest_on_triangle(px, py, pz, a, ab, ac, d_ab, d_abac, d_ac):
    """Closest point of a triangle to p, by the region of the triangle's plane that p projects into."""
    ax, ay, az = px - a[0], py - a[1], pz - a[2]
    d1 = ab[0] * ax + ab[1] * ay + ab[2] * az
    d2 = ac[0] * ax + ac[1] * ay + ac[2] * az
    area = d_ab * d_ac - d_abac * d_abac
    v = d_ac * d1 - d_abac * d2
    w = d_ab * d2 - d_abac * d1
    if v >= 0.0 and w >= 0.0 and v + w <= area and area > 0.0:
        v /= area
        w /= area
    else:  # the closest of the three edges
        t = min(1.0, max(0.0, d1 / d_ab)) if d_ab > 0.0 else 0.0
        best = d_ab * t * t - 2.0 * t * d1
        v, w = t, 0.0
        t = min(1.0, max(0.0, d2 / d_ac)) if d_ac > 0.0 else 0.0
        square = d_ac * t * t - 2.0 * t * d2
        if square < best:
            best = square
            v, w = 0.0, t
        d_bc = d_ab - 2.0 * d_abac + d_ac
        t = min(1.0, max(0.0, (d_ab - d_abac - d1 + d2) / d_bc)) if d_bc > 0.0 else 0.0
        s = 1.0 - t
        square = s * s * d_ab + 2.0 * s * t * d_abac + t * t * d_ac - 2.0 * (s * d1 + t * d2)
        if square < best:
            v, w = s, t
    return v, w


@compiled(parallel=True)
def band_points(triangles, origin, spacing, size, band):
    """Closest surface point of every cell that is within about `band` cells of a triangle.

    Args:
        triangles: (F, 3, 3) corners.
        origin: (3,) centre of cell (0, 0, 0).
        spacing: distance between cell centres.
        size: cells per axis, R.
        band: half width of the exact band, in cells.

    Returns:
        closest (R, R, R, 3) float32, and its squared distance (R, R, R) float32, inf where nothing is near.

    Long because each loop goes on with what the one around it has worked out of the triangle.
    """
    closest = np.zeros((size, size, size, 3), np.float32)
    square = np.full((size, size, size), np.inf, np.float32)
    reach = band * spacing
    for slab in numba.prange(SLABS):
        x_first, x_last = slab * size // SLABS, (slab + 1) * size // SLABS - 1
        for f in range(len(triangles)):
            a = triangles[f, 0]
            ab, ac = triangles[f, 1] - a, triangles[f, 2] - a
            low, high = np.empty(3, np.int64), np.empty(3, np.int64)
            for k in range(3):
                lowest = min(a[k], triangles[f, 1, k], triangles[f, 2, k]) - reach
                highest = max(a[k], triangles[f, 1, k], triangles[f, 2, k]) + reach
                low[k] = max(0, int(np.ceil((lowest - origin[k]) / spacing)))
                high[k] = min(size - 1, int(np.floor((highest - origin[k]) / spacing)))
            low[0], high[0] = max(low[0], x_first), min(high[0], x_last)
            if low[0] > high[0]:
                continue
            d_ab, d_abac, d_ac = (ab * ab).sum(), (ab * ac).sum(), (ac * ac).sum()
            normal = np.cross(ab, ac)
            length = np.sqrt((normal * normal).sum())
            limit = reach * length
            for i in range(low[0], high[0] + 1):
                px = origin[0] + i * spacing
                for j in range(low[1], high[1] + 1):
                    py = origin[1] + j * spacing
                    part = normal[0] * (px - a[0]) + normal[1] * (py - a[1])
                    for k in range(low[2], high[2] + 1):
                        pz = origin[2] + k * spacing
                        height = abs(part + normal[2] * (pz - a[2]))
                        if height > limit or height * height > square[i, j, k] * length * length:
                            continue
                        v, w = _closest_on_triangle(px, py, pz, a, ab, ac, d_ab, d_abac, d_ac)
                        qx = a[0] + v * ab[0] + w * ac[0]
                        qy = a[1] + v * ab[1] + w * ac[1]
                        qz = a[2] + v * ab[2] + w * ac[2]
                        distance = (px - qx) ** 2 + (py - qy) ** 2 + (pz - qz) ** 2
                        if distance < square[i, j, k] and distance <= reach * reach:
                            square[i, j, k] = distance
                            closest[i, j, k, 0], closest[i, j, k, 1], closest[i, j, k, 2] = qx, qy, qz
    return closest, square


@compiled(inline="always")
def _offer(closest, square, i, j, k, m, n, o, x, y, z):
    """Take the closest point of cell (m, n, o) for cell (i, j, k) at (x, y, z) if it is closer."""
    dx = x - closest[m, n, o, 0]
    dy = y - closest[m, n, o, 1]
    dz = z - closest[m, n, o, 2]
    distance = dx * dx + dy * dy + dz * dz
    if distance < square[i, j, k]:
        square[i, j, k] = distance
        closest[i, j, k] = closest[m, n, o]


@compiled(parallel=True)
def spread_points(closest, square, origin, spacing):
    """Hand closest points on to cells beyond the band, in place, forth and back along z, y and x."""
    size = len(square)
    for i in numba.prange(size):
        x = origin[0] + i * spacing
        for j in range(size):
            y = origin[1] + j * spacing
            for step in range(1, size):
                if square[i, j, step - 1] < np.inf:
                    _offer(closest, square, i, j, step, i, j, step - 1, x, y, origin[2] + step * spacing)
            for step in range(size - 2, -1, -1):
                if square[i, j, step + 1] < np.inf:
                    _offer(closest, square, i, j, step, i, j, step + 1, x, y, origin[2] + step * spacing)
        for turn in range(2):
            for step in range(1, size):
                j = step if turn == 0 else size - 1 - step
                before = j - 1 if turn == 0 else j + 1
                y = origin[1] + j * spacing
                for k in range(size):
                    if square[i, before, k] < np.inf:
                        _offer(closest, square, i, j, k, i, before, k, x, y, origin[2] + k * spacing)
    for j in numba.prange(size):
        y = origin[1] + j * spacing
        for turn in range(2):
            for step in range(1, size):
                i = step if turn == 0 else size - 1 - step
                before = i - 1 if turn == 0 else i + 1
                x = origin[0] + i * spacing
                for k in range(size):
                    if square[before, j, k] < np.inf:
                        _offer(closest, square, i, j, k, before, j, k, x, y, origin[2] + k * spacing)


@compiled(parallel=True)
def fill_far(distance, coarse, ratio):
    """Distances of cells beyond the exact band, in place, trilinear from a coarser grid over the same box.

    Args:
        distance: (R, R, R) float32 signed distances, infinite in magnitude beyond the band.
        coarse: (C, C, C) float32 signed distances, whose first and last cells are those of `distance`.
        ratio: cells of `coarse` per cell of `distance`.
    """
    size, last = len(distance), len(coarse) - 2
    for i in numba.prange(size):
        a = min(last, int(i * ratio))
        u = i * ratio - a
        for j in range(size):
            b = min(last, int(j * ratio))
            v = j * ratio - b
            for k in range(size):
                if abs(distance[i, j, k]) < np.inf:
                    continue
                c = min(last, int(k * ratio))
                w = k * ratio - c
                near = (coarse[a, b, c] * (1 - w) + coarse[a, b, c + 1] * w) * (1 - v)
                near += (coarse[a, b + 1, c] * (1 - w) + coarse[a, b + 1, c + 1] * w) * v
                far = (coarse[a + 1, b, c] * (1 - w) + coarse[a + 1, b, c + 1] * w) * (1 - v)
                far += (coarse[a + 1, b + 1, c] * (1 - w) + coarse[a + 1, b + 1, c + 1] * w) * v
                distance[i, j, k] = near * (1 - u) + far * u


@compiled(inline="always")
def _side(px, py, vertices, first, second):
    """On which side of edge (first, second), seen along z, a column lies: +1 left, -1 right, never 0.

    Both triangles of an edge get exactly opposite answers: it is computed from the lower vertex number.
    A column exactly on the edge is taken as moved by next to nothing in x, and by far less in y.
    """
    a, b = min(first, second), max(first, second)
    ex, ey = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1]
    value = ex * (py - vertices[a, 1]) - ey * (px - vertices[a, 0])
    if value == 0.0:
        value = -ey if ey != 0.0 else ex
    side = 1 if value > 0.0 else -1
    return side if first < second else -side


@compiled()
def inside_cells(vertices, faces, origin, spacing, size):
    """Which cell centres lie inside a closed surface, by the winding number along their z column.

    Args:
        vertices: (V, 3) corners.
        faces: (F, 3) vertex numbers, anticlockwise from outside.
        origin: (3,) centre of cell (0, 0, 0).
        spacing: distance between cell centres.
        size: cells per axis, R.

    Returns:
        (R, R, R) bool.
    """
    change = np.zeros((size, size, size + 1), np.int16)
    for f in range(len(faces)):
        ia, ib, ic = faces[f]
        a, b, c = vertices[ia], vertices[ib], vertices[ic]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if area == 0.0:
            continue
        i_low = max(0, int(np.ceil((min(a[0], b[0], c[0]) - origin[0]) / spacing)))
        i_high = min(size - 1, int(np.floor((max(a[0], b[0], c[0]) - origin[0]) / spacing)))
        j_low = max(0, int(np.ceil((min(a[1], b[1], c[1]) - origin[1]) / spacing)))
        j_high = min(size - 1, int(np.floor((max(a[1], b[1], c[1]) - origin[1]) / spacing)))
        for i in range(i_low, i_high + 1):
            px = origin[0] + i * spacing
            for j in range(j_low, j_high + 1):
                py = origin[1] + j * spacing
                side = _side(px, py, vertices, ia, ib)
                if side != _side(px, py, vertices, ib, ic) or side != _side(px, py, vertices, ic, ia):
                    continue
                v = ((px - a[0]) * (c[1] - a[1]) - (py - a[1]) * (c[0] - a[0])) / area
                w = ((b[0] - a[0]) * (py - a[1]) - (b[1] - a[1]) * (px - a[0])) / area
                height = a[2] + v * (b[2] - a[2]) + w * (c[2] - a[2])
                k = int(np.ceil((height - origin[2]) / spacing))
                change[i, j, min(size, max(0, k))] -= side
    inside = np.empty((size, size, size), np.bool_)
    for i in range(size):
        for j in range(size):
            winding = 0
            for k in range(size):
                winding += change[i, j, k]
                inside[i, j, k] = winding > 0
    return inside


@compiled(nogil=True)
def look_up(values, origin, spacing, x, y, z):
    """Signed distance at one point, as `field.sample_fields` has it."""
    last = len(values) - 1
    u, v, w = (x - origin[0]) / spacing, (y - origin[1]) / spacing, (z - origin[2]) / spacing
    hu, hv, hw = min(max(u, 0.0), last), min(max(v, 0.0), last), min(max(w, 0.0), last)
    a, b, c = min(int(hu), last - 1), min(int(hv), last - 1), min(int(hw), last - 1)
    beyond = spacing * np.sqrt((u - hu) ** 2 + (v - hv) ** 2 + (w - hw) ** 2)
    hu, hv, hw = hu - a, hv - b, hw - c
    near = (values[a, b, c] * (1 - hw) + values[a, b, c + 1] * hw) * (1 - hv)
    near += (values[a, b + 1, c] * (1 - hw) + values[a, b + 1, c + 1] * hw) * hv
    far = (values[a + 1, b, c] * (1 - hw) + values[a + 1, b, c + 1] * hw) * (1 - hv)
    far += (values[a + 1, b + 1, c] * (1 - hw) + values[a + 1, b + 1, c + 1] * hw) * hv
    return near * (1 - hu) + far * hu + beyond


@compiled(nogil=True)
def slope(values, origin, spacing, x, y, z):
    """Outward direction at one point, from central differences over one cell, as `SignedDistanceField.normal` has it."""
    h = spacing / 2
    gx = look_up(values, origin, spacing, x + h, y, z) - look_up(values, origin, spacing, x - h, y, z)
    gy = look_up(values, origin, spacing, x, y + h, z) - look_up(values, origin, spacing, x, y - h, z)
    gz = look_up(values, origin, spacing, x, y, z + h) - look_up(values, origin, spacing, x, y, z - h)
    length = max(np.sqrt(gx * gx + gy * gy + gz * gz), 1e-12)
    return gx / length, gy / length, gz / length
