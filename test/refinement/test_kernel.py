"""The kernel against independent answers: torch kinematics and fields, and central differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from grasp_pose_net.hand import Kinematics
from grasp_pose_net.refinement import Energy, contact_jacobian, evaluate, kernel
from grasp_pose_net.refinement.arrays import hand_arrays, scene_arrays
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.world import Box, HalfSpace, Part

SILENT = {"contact": 0.0, "normal": 0.0, "penetration": (0.0, 0.0), "self_penetration": (0.0, 0.0)}


@pytest.fixture(scope="module")
def poses(hand):
    """Pose vectors (12, 25) in and around the object, two of them with joints at their limits."""
    rng = np.random.default_rng(0)
    position = rng.normal(0, 0.05, (12, 3))
    joints = rng.uniform(hand.lower, hand.upper, (12, len(hand.lower)))
    joints[:2] = hand.lower, hand.upper
    return np.concatenate([position, Rotation.random(12, rng=rng).as_quat(), joints], axis=1)


def moved(hand, x, delta):
    copy = x.copy()
    unlimited = hand_arrays(hand)._replace(lower=hand.lower - 1.0, upper=hand.upper + 1.0)
    for row in copy:
        kernel.move(unlimited, row, delta)
    return copy


def energies(hand, field, x, weights, plane, boxes, start):
    """Energy (B,) and gradient (B, 24) without clamping of joints, so that a difference may cross a limit."""
    out = (
        np.empty(len(x)),
        np.empty((len(x), x.shape[1] - 1)),
        np.empty((len(x), 4)),
        np.empty(len(x), np.int64),
    )
    points = np.linspace(0.5, 1.5, len(hand.contacts.link))[None].repeat(len(x), 0)
    still, seeds = (0.0, 0.0, 0.0, -1.0), np.zeros(len(x), np.uint64)
    data = hand_arrays(hand), scene_arrays(field, plane, boxes)
    kernel.descend_batch(*data, weights, weights, still, points, x, start, seeds, *out)
    return out[0], out[1]


@pytest.mark.parametrize(
    "terms",
    [
        {"contact": 1.0},
        {"penetration": 1e3, "clearance": 0.002},
        {"self_penetration": 1e3, "clearance": 0.002},
        {"anchor": 0.7},
    ],
    ids=lambda terms: next(iter(terms)),
)
def test_gradient_matches_central_differences(hand, field, poses, terms):
    zero = dict.fromkeys(kernel.Weights._fields, 0.0) | {"reach": 0.02}
    weights = kernel.Weights(**(zero | terms))
    plane, boxes = HalfSpace((0.0, 0.6, 0.8), -0.05), (Part(Box((0.2, 0.03, 0.2)), np.eye(4)),)
    start = moved(hand, poses, np.full(24, 0.1))
    _, gradient = energies(hand, field, poses, weights, plane, boxes, start)
    numeric, step = np.empty_like(gradient), 1e-8
    for k in range(24):
        delta = np.zeros(24)
        delta[k] = step
        above = energies(hand, field, moved(hand, poses, delta), weights, plane, boxes, start)[0]
        below = energies(hand, field, moved(hand, poses, -delta), weights, plane, boxes, start)[0]
        numeric[:, k] = (above - below) / (2 * step)
    assert np.abs(gradient).max() > 0.1
    np.testing.assert_allclose(gradient, numeric, atol=5e-6 * np.abs(gradient).max())


def test_gradient_of_normals_on_a_flat_surface(hand, poses):
    # The kernel takes the object's normal as constant, which is exact where the surface is flat.
    cells = np.indices((16, 16, 16)) * 0.04 - 0.3
    flat = SignedDistanceField(0.6 * cells[1] + 0.8 * cells[2], np.full(3, -0.3), 0.04, radius=0.1)
    weights = kernel.Weights(0.5, 1.0, 0.03, 0.0, 0.0, 0.0, 0.0)
    _, gradient = energies(hand, flat, poses, weights, None, (), poses)
    numeric = np.empty_like(gradient)
    for k in range(24):
        delta = np.zeros(24)
        delta[k] = 1e-6
        above = energies(hand, flat, moved(hand, poses, delta), weights, None, (), poses)[0]
        below = energies(hand, flat, moved(hand, poses, -delta), weights, None, (), poses)[0]
        numeric[:, k] = (above - below) / 2e-6
    assert np.abs(gradient).max() > 1.0
    np.testing.assert_allclose(gradient, numeric, atol=1e-5 * np.abs(gradient).max())


def test_contact_points_match_torch_kinematics(hand, field, poses):
    points, _ = Kinematics(hand, torch.float64).contacts(torch.tensor(poses))
    np.testing.assert_allclose(contact_jacobian(hand, field, poses)[0], points.numpy(), atol=1e-12)


def test_contact_jacobian_matches_central_differences(hand, field, poses):
    jacobian = contact_jacobian(hand, field, poses)[3]
    for k in range(len(hand.lower)):
        delta = np.zeros(24)
        delta[6 + k] = 1e-6
        above = contact_jacobian(hand, field, moved(hand, poses, delta))[0]
        below = contact_jacobian(hand, field, moved(hand, poses, -delta))[0]
        np.testing.assert_allclose(jacobian[..., k], (above - below) / 2e-6, atol=1e-9)


def test_distance_matches_torch_field_inside_and_outside_the_cube(hand, field):
    rng = np.random.default_rng(1)
    points = rng.uniform(-0.2, 0.2, (500, 3))
    data = scene_arrays(field)
    ours = [kernel.distance(data, *point)[0] for point in points]
    theirs = field.distance(torch.tensor(points)[None])[0]
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-9)
    assert sum(kernel.distance(data, *point)[4] > 0 for point in points) > 100


def test_depths_match_spheres_tested_one_by_one(hand, field, poses):
    depths = evaluate(hand, field, poses, Energy(**SILENT), plane=HalfSpace((0.0, 0.0, 1.0), -0.06)).depths
    centres = Kinematics(hand, torch.float64).points(torch.tensor(poses), hand.spheres)
    radius = hand.spheres.radius
    inside = (radius - field.distance(centres).numpy()).max(1)
    below = (radius - 0.06 - centres.numpy()[..., 2]).max(1)
    i, j = np.asarray(hand.self_pairs).T
    apart = np.linalg.norm(centres.numpy()[:, i] - centres.numpy()[:, j], axis=2)
    itself = (radius[i] + radius[j] - apart).max(1)
    # Where nothing is near, clusters are skipped and only the sign is promised.
    for column, expected in ((0, inside), (1, itself), (2, below)):
        np.testing.assert_allclose(np.maximum(depths[:, column], 0), np.maximum(expected, 0), atol=1e-9)
    assert (inside > 0).any() and (itself > 0).any() and (below > 0).any()


def test_box_distance_has_known_values():
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("z", 90, degrees=True).as_matrix()
    turned[:3, 3] = 1.0, 0.0, 0.0
    data = scene_arrays(
        SignedDistanceField(np.ones((4, 4, 4)), np.zeros(3), 1.0, 1.0),
        None,
        (Part(Box((2.0, 4.0, 6.0)), turned),),
    )
    box = data.boxes[0]  # spans x from -1 to 3, y from -1 to 1, z from -3 to 3
    np.testing.assert_allclose(kernel.box_distance(box, 4.0, 0.5, 0.0), (1.0, 1.0, 0.0, 0.0), atol=1e-12)
    np.testing.assert_allclose(kernel.box_distance(box, 1.0, -0.75, 0.0), (-0.25, 0.0, -1.0, 0.0), atol=1e-12)
    far = kernel.box_distance(box, 6.0, 5.0, 0.0)
    np.testing.assert_allclose(far, (5.0, 0.6, 0.8, 0.0), atol=1e-12)


def test_shake_is_uniform_in_minus_one_to_one():
    state = np.array([1], np.uint64)
    drawn = np.array([kernel.uniform(state) for _ in range(4000)])
    assert -1.0 <= drawn.min() < -0.99 and 0.99 < drawn.max() < 1.0
    assert abs(drawn.mean()) < 0.03
