"""The largest ball in a hull: closed forms, degenerate hulls, and qhull on random and symmetric grasps."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from grasp_pose_net.quality import ball, cone_wrenches
from grasp_pose_net.quality.ball import FLAT, largest_balls

OBJECTS = Path(__file__).parents[2] / "models" / "objects"
OBJECT_NAMES = ("banana", "bowl", "can", "carton", "mug", "spray_bottle")
AGREEMENT = 1e-8  # with qhull, relative

CUBE = np.array(list(product((-1.0, 1.0), repeat=6)))
SIDES = np.array([0.5, 1.0, 2.0, 3.0, 4.0, 5.0])
CROSS = np.concatenate([np.diag(SIDES), -np.diag(SIDES)])


def radius(points: np.ndarray) -> float:
    return float(largest_balls(points, np.array([0, len(points)]))[0])


def qhull_radius(points: np.ndarray) -> float:
    """The same from the whole hull, whose facets are normal · w + offset = 0."""
    spread = np.linalg.svd(points - points.mean(0), compute_uv=False)
    if len(points) < 7 or spread[-1] <= FLAT * spread[0]:
        return 0.0
    return max(0.0, float(-ConvexHull(points).equations[:, -1].max()))


def surface_grasp(name: str, count: int, rng: np.random.Generator) -> np.ndarray:
    """Wrenches of random contacts on an object."""
    mesh = trimesh.load(OBJECTS / f"{name}.ply", force="mesh")
    points, faces = trimesh.sample.sample_surface(mesh, count, seed=rng)
    size = np.linalg.norm(mesh.vertices - mesh.center_mass, axis=1).max()
    return cone_wrenches(points - mesh.center_mass, -mesh.face_normals[faces], size)


def turned(points: np.ndarray) -> np.ndarray:
    return points @ np.linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))[0]


@pytest.mark.parametrize("turn", [lambda p: p, turned])
def test_cube_and_cross(turn) -> None:
    """A cube holds the ball to the middle of its sides; a cross, to the plane sum of w_i / s_i = 1."""
    assert radius(turn(CUBE)) == pytest.approx(1.0, rel=AGREEMENT)
    assert radius(turn(CROSS)) == pytest.approx(1 / np.sqrt((1 / SIDES**2).sum()), rel=AGREEMENT)


def test_ball_touches_the_moved_cube_on_its_near_side() -> None:
    assert radius(CUBE + 0.75 * np.eye(6)[2]) == pytest.approx(0.25, rel=AGREEMENT)
    assert radius(CUBE + 1.25 * np.eye(6)[2]) == 0.0


@pytest.mark.parametrize("count", range(7))
def test_fewer_than_seven_points_hold_no_ball(count: int) -> None:
    assert radius(CUBE[[0, 63, 21, 42, 7, 56][:count]]) == 0.0


@pytest.mark.parametrize("thickness", [0.0, 1e-12, 1e-7])
def test_flat_hulls_hold_no_ball(thickness: float) -> None:
    assert radius(turned(CUBE * [1, 1, 1, 1, 1, thickness])) == 0.0


def test_thin_hull_that_is_not_flat() -> None:
    assert radius(turned(CUBE * [1, 1, 1, 1, 1, 1e-5])) == pytest.approx(1e-5, rel=1e-4)


@pytest.mark.parametrize("count", [4, 5, 7, 10, 14])
def test_random_contacts_agree_with_qhull(count: int) -> None:
    rng = np.random.default_rng(count)
    sets = [surface_grasp(name, count, rng) for name in OBJECT_NAMES for _ in range(4)]
    expected = np.array([qhull_radius(points) for points in sets])
    np.testing.assert_allclose([radius(points) for points in sets], expected, rtol=AGREEMENT, atol=FLAT)
    if count >= 7:
        assert (expected > 0.01).sum() >= 8


SPHERE = {
    "triangle": np.array([[1, 0, 0], [-0.5, np.sqrt(0.75), 0], [-0.5, -np.sqrt(0.75), 0]]),
    "tetrahedron": np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3),
    "octahedron": np.concatenate([np.eye(3), -np.eye(3)]),
    "cube": np.array(list(product((-1, 1), repeat=3))) / np.sqrt(3),
}


@pytest.mark.parametrize("mu", [0.1, 1.0])
@pytest.mark.parametrize("name", SPHERE)
def test_symmetric_contacts_with_all_normals_through_the_centre(name: str, mu: float) -> None:
    points = SPHERE[name]
    wrenches = cone_wrenches(points, -points, 1.0, mu)
    expected = qhull_radius(wrenches)
    assert expected > 0.01
    assert radius(wrenches) == pytest.approx(expected, rel=AGREEMENT)


def test_contacts_in_rows_on_the_faces_of_a_box() -> None:
    """Many wrenches in one plane: contacts of a grid share normals, and lie on lines."""
    rng, half = np.random.default_rng(0), np.array([1.0, 0.7, 0.5])
    for _ in range(15):
        axis, side = rng.integers(3, size=10), rng.choice([-1.0, 1.0], 10)
        points = rng.integers(-2, 3, (10, 3)) / 2 * half
        points[np.arange(10), axis] = side * half[axis]
        wrenches = cone_wrenches(points, -side[:, None] * np.eye(3)[axis], np.linalg.norm(half))
        assert radius(wrenches) == pytest.approx(qhull_radius(wrenches), rel=AGREEMENT, abs=FLAT)


def test_rings_of_contacts_around_a_can() -> None:
    angle = 2 * np.pi * np.arange(6) / 6
    out = np.stack([np.cos(angle), np.sin(angle), np.zeros(6)], axis=1)
    points = np.concatenate([0.4 * out + [0, 0, z] for z in (-1.0, 0.0, 1.0)])
    wrenches = cone_wrenches(points, -np.tile(out, (3, 1)), 1.1)
    assert radius(wrenches) == pytest.approx(qhull_radius(wrenches), rel=AGREEMENT)


@pytest.mark.parametrize("apart", [0.0, 1e-15, 1e-12, 1e-9])
def test_repeated_and_nearly_repeated_contacts(apart: float) -> None:
    """The radius moves by no more than the points do; qhull fails on some of these."""
    rng = np.random.default_rng(1)
    for _ in range(10):
        wrenches = surface_grasp("mug", 8, rng)
        near = wrenches + apart * rng.normal(size=(4, *wrenches.shape))
        assert radius(near.reshape(-1, 6)) == pytest.approx(radius(wrenches), rel=1e-8, abs=10 * apart)


def test_same_whatever_the_batch_the_threads_and_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    sets = [surface_grasp("can", int(count), rng) for count in rng.integers(0, 20, 60)]
    points, first = np.concatenate(sets), np.cumsum([0, *map(len, sets)])
    alone = np.array([radius(one) for one in sets])
    assert (alone > 0.01).sum() > 20
    for threads, room in ((1, ball.ROOM), (3, ball.ROOM), (2, 8)):
        monkeypatch.setattr(ball, "ROOM", room)
        monkeypatch.setattr(ball.numba, "get_num_threads", lambda threads=threads: threads)
        np.testing.assert_array_equal(largest_balls(points, first), alone)


def test_no_sets() -> None:
    assert largest_balls(np.empty((0, 6)), np.array([0])).shape == (0,)


def test_unchanged_by_the_order_of_the_points_and_by_a_turn() -> None:
    rng = np.random.default_rng(6)
    wrenches = surface_grasp("banana", 12, rng)
    expected = radius(wrenches)
    assert expected > 0.01
    assert radius(rng.permutation(wrenches)) == pytest.approx(expected, rel=AGREEMENT)
    assert radius(turned(wrenches)) == pytest.approx(expected, rel=AGREEMENT)
    block = np.kron(np.eye(2), Rotation.random(rng=rng).as_matrix())
    assert radius(wrenches @ block) == pytest.approx(expected, rel=AGREEMENT)


def test_smallest_of_a_group_is_that_of_its_sets() -> None:
    rng = np.random.default_rng(3)
    points = rng.normal(size=(60, 30, 6)) + rng.normal(size=(60, 1, 6)) * 0.3
    first = np.arange(61) * 30
    alone = largest_balls(points.reshape(-1, 6), first)
    assert 0.0 < np.count_nonzero(alone) < 60  # some do not hold the origin
    np.testing.assert_allclose(
        largest_balls(points.reshape(-1, 6), first, 6), alone.reshape(10, 6).min(1), rtol=1e-9
    )
