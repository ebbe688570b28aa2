"""Occupancy grids: where the cells are, and that a rotation of the grid is a rotation of the object."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from grasp_pose_net.shapes import (
    CELL_M,
    GRID_CELLS,
    SignedDistanceField,
    centred,
    occupancy_grid,
    paper_rotations,
    random_rotations,
)

CENTRES = (np.stack(np.mgrid[:GRID_CELLS, :GRID_CELLS, :GRID_CELLS], -1) - (GRID_CELLS - 1) / 2) * CELL_M


@pytest.fixture(scope="module")
def field() -> SignedDistanceField:
    return SignedDistanceField.from_mesh(trimesh.creation.box((0.062, 0.102, 0.202)), 64)


def test_axis_aligned_box_fills_its_cells(field: SignedDistanceField) -> None:
    grid = occupancy_grid(field, np.eye(3)[None])[0].numpy()
    np.testing.assert_array_equal(grid, (np.abs(CENTRES) <= [0.031, 0.051, 0.101]).all(-1))


def test_grid_is_the_field_at_turned_back_cell_centres(field: SignedDistanceField) -> None:
    rotations = random_rotations(3, rng=np.random.default_rng(5))
    grids = occupancy_grid(field, rotations)
    for grid, rotation in zip(grids, rotations, strict=True):
        points = torch.from_numpy((CENTRES @ rotation).reshape(1, -1, 3))  # rows times R are R^T c
        distance = field.distance(points)[0].reshape(grid.shape)
        disagree = grid.bool() != (distance <= 0)
        assert not disagree[distance.abs() > 1e-7].any()


def test_rotated_look_ups_are_the_voxels_of_the_rotated_mesh() -> None:
    """All 27 rotations of the paper, of an object without symmetry, against the faces of the rotated mesh."""
    pieces = [trimesh.creation.box((0.05, 0.09, 0.14)), trimesh.creation.box((0.03, 0.04, 0.05))]
    pieces[1].apply_transform(trimesh.transformations.rotation_matrix(0.5, [1, 2, 3], [0, 0, 0]))
    pieces[1].apply_translation([0.03, 0.03, 0.06])
    mesh, centre = centred(trimesh.boolean.union(pieces))
    rotations = paper_rotations()
    grids = occupancy_grid(SignedDistanceField.from_mesh(mesh), rotations)
    for grid, rotation in zip(grids, rotations, strict=True):
        depth = np.min([outside(piece, centre, rotation) for piece in pieces], axis=0)
        assert (depth <= 0).sum() > 4000
        wrong = grid.numpy() != (depth <= 0)
        assert wrong.sum() < 0.02 * (depth <= 0).sum() and np.abs(depth[wrong]).max(initial=0) < CELL_M / 5


def outside(piece: trimesh.Trimesh, centre: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """How far (64, 64, 64) cell centres are beyond the farthest plane of a convex mesh, moved and turned [m]."""
    turned = trimesh.Trimesh((piece.vertices - centre) @ rotation.T, piece.faces, process=False)
    offset = (turned.face_normals * turned.triangles[:, 0]).sum(1)
    return (CENTRES @ turned.face_normals.T - offset).max(-1)


def test_quarter_turn_about_z(field: SignedDistanceField) -> None:
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    plain, turned = occupancy_grid(field, np.stack([np.eye(3), turn]))
    # a cell at (x, y) comes to (-y, x): array axis 0 of the turned grid is the old axis 1, reversed
    torch.testing.assert_close(turned, plain.permute(1, 0, 2).flip(0))


def test_large_object_is_cut_at_the_grid() -> None:
    field = SignedDistanceField.from_mesh(trimesh.creation.box((0.6, 0.5, 0.4)), 32)
    assert occupancy_grid(field, np.eye(3)[None]).all()


def test_wrong_shape(field: SignedDistanceField) -> None:
    with pytest.raises(ValueError, match=r"expected \(R, 3, 3\), got \(3, 3\)"):
        occupancy_grid(field, np.eye(3))
