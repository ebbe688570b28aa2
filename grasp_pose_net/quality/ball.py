"""Radius of the largest ball around the origin inside a convex hull in six dimensions, exact.

The hull of wrenches w holds the ball of radius ε when w · u reaches ε for some w along every unit u. Building
the whole hull to find its nearest facet takes tens of milliseconds; only the facets near the origin matter
(Zheng, 2013, grows the hull there only). Here
the same is done on the polar side, P = {v : w · v <= 1 for all w}: a facet of the hull at distance d with
normal u is the vertex v = u / d of P, so ε is one over the norm of the furthest vertex of P. P is cut out of a
simplex, always by the wrench that reaches furthest along the furthest vertex, until no wrench cuts that vertex
off. Every cut gives bounds, 1 / |v| <= ε <= max w · v / |v|, that meet at the end.

Each vertex lies on six walls (planes w · v = 1) and has six neighbours; the k-th is where the edge leads that
leaves wall k. New vertices are points between two old ones, so rounding errors do not grow, and wrenches that
are repeated, coplanar or symmetric need no special case: a vertex on a new plane is not cut off.
"""

from __future__ import annotations

import itertools
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

import numba
import numpy as np

from grasp_pose_net.compiled import compiled

# A hull that reaches no further than this in some direction counts as flat: seven wrenches of this length, a
# simplex around the origin, are added to every hull, which changes no larger ε.
FLAT = 1e-6
TOLERANCE = 1e-9  # of w · v <= 1, and so of ε, relative
ROOM = 2048  # vertices that fit at first; doubled when they do not
SETS_A_THREAD = 16  # fewer are not worth a thread

_DEAD, _UNSEEN, _OUTSIDE, _INSIDE, _NEW = -1.0, 0, 1, 2, 3

_Space = namedtuple("_Space", "place norm2 height walls beside free outside seen born parent slot mark")


def largest_balls(points: np.ndarray, first: np.ndarray, group: int = 1) -> np.ndarray:
    """Radius of the largest ball around the origin inside the convex hull of each set of points.

    Sets are shared out among as many threads as numba may use.

    Args:
        points: (N, 6) float64, of all sets one after the other; finite.
        first: (B + 1,) where each set begins in `points`, and N at the end.
        group: so many sets, one after the other, belong together, and only the smallest radius of each group is
            wanted: a set is left as soon as its ball is known to be larger than that of another of its group.

    Returns:
        (B / group,) radii; 0 where a hull does not hold the origin or reaches less than `FLAT` in some direction.
    """
    groups = (len(first) - 1) // group
    threads = max(1, min(numba.get_num_threads(), groups * group // SETS_A_THREAD))
    bounds = group * np.linspace(0, groups, threads + 1).astype(np.int64)
    parts = [first[begin : end + 1] for begin, end in itertools.pairwise(bounds)]
    if threads == 1:
        return _balls(points, group, parts[0])
    # the kernel does not hold Python's lock
    return np.concatenate(list(_pool(threads).map(partial(_balls, points, group), parts)))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Kept, because a plan asks some ten times, and each for little more than it takes to start a thread."""
    return ThreadPoolExecutor(threads)


def _balls(points: np.ndarray, group: int, first: np.ndarray) -> np.ndarray:
    """Least radius (B / group,) of the sets of each group that begin at first (B + 1,), in one thread."""
    radii = np.full((len(first) - 1) // group, np.inf)
    done, room = 0, ROOM
    while done < len(first) - 1:
        done = _fill(points, first, radii, group, done, _START, _space(room))
        room *= 2
    return radii


def _start() -> np.ndarray:
    """Vertices (7, 6) of the polar of a small simplex, turned so that its planes are along no axis."""
    corners = np.linalg.svd(np.eye(7) - 1 / 7)[0][:, :6] * np.sqrt(7 / 6)  # unit, -1/6 between two
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0]
    return -6 / FLAT * corners @ turn


_START = _start()


def _space(room: int) -> _Space:
    """Room for so many vertices."""
    ids = np.zeros((7, room), np.int64)
    planes, vertices = np.zeros((2, room, 6), np.int64), np.zeros((room, 6))
    return _Space(vertices, np.zeros(room), np.zeros(room), *planes, *ids)


@compiled(nogil=True)
def _fill(points, first, radii, group, done, start, space):
    """Lower radii (B / group,) by the sets from `done` on; returns the first set that the space is too small for."""
    while done < len(first) - 1:
        radius = _radius(points, first[done], first[done + 1], radii[done // group], start, space)
        if radius < 0:
            break
        radii[done // group] = min(radii[done // group], radius)
        done += 1
    return done


@compiled()
def _dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3] + a[4] * b[4] + a[5] * b[5]


@compiled()
def _find(row, value):
    """Where a row of six holds a value."""
    k = 0
    while k < 5 and row[k] != value:
        k += 1
    return k


@compiled()
def _radius(points, begin, end, enough, start, space):
    """Largest ball in the hull of points[begin:end] and the simplex; negative where the space is too small.

    Of a ball that is known to be larger than `enough`, only that is said.
    """
    _begin(start, space)
    top = alive = len(start)  # places in use, vertices in them
    least = np.inf
    for _ in range(begin, end + 1):  # every wrench cuts once
        far = np.argmax(space.norm2[:top])
        wall, reach = _support(points, begin, end, space.place[far])
        least = min(least, reach / np.sqrt(space.norm2[far]))
        if least <= FLAT:
            return 0.0
        if reach <= 1 + TOLERANCE or enough * np.sqrt(space.norm2[far]) <= 1:
            break
        outside, seen, cut_edges = _cut_off(points[wall], far, space)
        if top + cut_edges > len(space.norm2):
            return -1.0
        top = _add_vertices(wall, outside, top, top - alive, space)
        alive += cut_edges
        _join(cut_edges, space)
        _clean_up(outside, seen, cut_edges, top - alive, space)
        alive -= outside
    return least


@compiled()
def _begin(start, space):
    """Put the simplex in; its walls have negative numbers."""
    for j in range(7):
        for k in range(6):
            other = k if k < j else k + 1
            space.place[j, k], space.walls[j, k], space.beside[j, k] = start[j, k], -1 - other, other
        space.norm2[j] = _dot(start[j], start[j])


@compiled()
def _support(points, begin, end, direction):
    """Index of the point in points[begin:end] that reaches furthest along a direction, and how far."""
    best, reach = -1, -np.inf
    for i in range(begin, end):
        height = _dot(points[i], direction)
        if height > reach:
            best, reach = i, height
    return best, reach


@compiled()
def _cut_off(normal, far, space):
    """Find the vertices beyond the plane normal · v = 1, from one of them outwards.

    Returns:
        How many there are (listed in space.outside), how many on this side are next to them (space.seen),
        and how many edges the plane cuts.
    """
    space.outside[0], space.mark[far] = far, _OUTSIDE
    space.height[far] = _dot(normal, space.place[far])
    outside, seen, cut_edges, i = 1, 0, 0, 0
    while i < outside:
        vertex = space.outside[i]
        i += 1
        for k in range(6):
            beside = space.beside[vertex, k]
            if space.mark[beside] == _UNSEEN:
                height = _dot(normal, space.place[beside])
                space.height[beside] = height
                if height > 1 + TOLERANCE:
                    space.mark[beside] = _OUTSIDE
                    space.outside[outside] = beside
                    outside += 1
                else:
                    space.mark[beside] = _INSIDE
                    space.seen[seen] = beside
                    seen += 1
            cut_edges += space.mark[beside] == _INSIDE
    return outside, seen, cut_edges


@compiled()
def _add_vertices(wall, outside, top, spare, space):
    """Add a vertex where the plane of a wall cuts an edge, and join it to its neighbour on this side.

    Vertices beyond the plane keep their links among each other, and lead to the new ones on the edges cut.

    Returns:
        How many places are in use.
    """
    born = 0
    for i in range(outside):
        beyond = space.outside[i]
        for k in range(6):
            inside = space.beside[beyond, k]
            if space.mark[inside] != _INSIDE:
                continue
            if spare > 0:
                spare -= 1
                new = space.free[spare]
            else:
                new = top
                top += 1
            share = (1 - space.height[inside]) / (space.height[beyond] - space.height[inside])
            share = max(0.0, share)  # inside by the tolerance only
            for d in range(6):
                step = space.place[beyond, d] - space.place[inside, d]
                space.place[new, d] = space.place[inside, d] + share * step
                space.walls[new, d] = space.walls[beyond, d]
                space.beside[new, d] = -1
            space.norm2[new] = _dot(space.place[new], space.place[new])
            space.walls[new, k], space.beside[new, k] = wall, inside
            space.beside[inside, _find(space.beside[inside], beyond)] = new
            space.beside[beyond, k] = new
            space.mark[new] = _NEW
            space.born[born], space.parent[born], space.slot[born] = new, beyond, k
            born += 1
    return top


@compiled()
def _join(born, space):
    """Join the new vertices to each other along the two-dimensional faces that the plane cuts.

    Such a face is a polygon; its vertices beyond the plane lie between two new ones. From the parent of a new
    vertex the walk goes around the polygon over them: each leaves the polygon by two edges, the way that the
    walk came, `back`, and the other one, `on`.
    """
    for i in range(born):
        new = space.born[i]
        for k in range(6):
            at, on, back = space.parent[i], k, space.slot[i]
            while space.beside[new, k] < 0:
                ahead = space.beside[at, on]
                if space.mark[ahead] == _NEW:
                    space.beside[new, k], space.beside[ahead, back] = ahead, new
                else:
                    on = _find(space.walls[ahead], space.walls[at, back])
                    back = _find(space.beside[ahead], at)
                    at = ahead


@compiled()
def _clean_up(outside, seen, born, spare, space):
    """Unmark all vertices, and add the places of those cut off to the spare ones."""
    for i in range(seen):
        space.mark[space.seen[i]] = _UNSEEN
    for i in range(born):
        space.mark[space.born[i]] = _UNSEEN
    for i in range(outside):
        gone = space.outside[i]
        space.mark[gone], space.norm2[gone], space.free[spare + i] = _UNSEEN, _DEAD, gone
