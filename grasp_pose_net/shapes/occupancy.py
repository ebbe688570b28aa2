"""Occupancy grids o, what the network sees: 64³ cells of 5 mm around the centre of mass, in true size."""

from __future__ import annotations

import numba
import numpy as np
import torch

from grasp_pose_net.compiled import compiled
from grasp_pose_net.shapes.field import SignedDistanceField

GRID_CELLS = 64
CELL_M = 0.005


def occupancy_grid(field: SignedDistanceField, rotations: np.ndarray) -> torch.Tensor:
    """Grids of the object under several rotations about its centre of mass.

    Args:
        field: the object's signed distance field.
        rotations: (R, 3, 3); in grid r a point p of the object is at ``rotations[r] @ p``.

    Returns:
        (R, 64, 64, 64) uint8, 1 where the centre of the cell is not outside. Cell (i, j, k) has its centre at
        ``((i, j, k) - 31.5) * 5 mm``, in the rotated object's frame.
    """
    rotations = np.ascontiguousarray(rotations, np.float64)
    if rotations.ndim != 3 or rotations.shape[1:] != (3, 3):
        raise ValueError(f"rotations: expected (R, 3, 3), got {rotations.shape}")
    grids = np.zeros((len(rotations), GRID_CELLS, GRID_CELLS, GRID_CELLS), np.uint8)
    _fill(field.values, field.origin, field.spacing, field.radius, rotations, grids, CELL_M)
    return torch.from_numpy(grids)


@compiled(parallel=True)
def _fill(values, origin, spacing, radius, rotations, grids, cell):
    """Mark the cells within the bounding ball whose centre, turned back into the field, is not outside."""
    cells, size = grids.shape[1], len(values)
    half = (cells - 1) / 2
    for task in numba.prange(len(rotations) * cells):
        r, i = task // cells, task % cells
        rotation = rotations[r] / spacing
        x = (i - half) * cell
        for j in range(cells):
            y = (j - half) * cell
            room = radius * radius - x * x - y * y
            if room < 0.0:
                continue
            first = max(0, int(np.ceil(half - np.sqrt(room) / cell)))
            for k in range(first, cells - first):
                z = (k - half) * cell
                u = x * rotation[0, 0] + y * rotation[1, 0] + z * rotation[2, 0] - origin[0] / spacing
                v = x * rotation[0, 1] + y * rotation[1, 1] + z * rotation[2, 1] - origin[1] / spacing
                w = x * rotation[0, 2] + y * rotation[1, 2] + z * rotation[2, 2] - origin[2] / spacing
                if u < 0.0 or v < 0.0 or w < 0.0 or u > size - 1 or v > size - 1 or w > size - 1:
                    continue
                a, b, c = min(int(u), size - 2), min(int(v), size - 2), min(int(w), size - 2)
                u, v, w = u - a, v - b, w - c
                near = (values[a, b, c] * (1 - w) + values[a, b, c + 1] * w) * (1 - v)
                near += (values[a, b + 1, c] * (1 - w) + values[a, b + 1, c + 1] * w) * v
                far = (values[a + 1, b, c] * (1 - w) + values[a + 1, b, c + 1] * w) * (1 - v)
                far += (values[a + 1, b + 1, c] * (1 - w) + values[a + 1, b + 1, c + 1] * w) * v
                if near * (1 - u) + far * u <= 0.0:
                    grids[r, i, j, k] = 1
