"""What a camera saw through: a place in front of what it measured is empty.

Each view becomes a coarse depth image of its own points, so that organised and unorganised clouds are alike.
A cell keeps the nearest measurement of itself and its neighbours; a cell without measurement says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from grasp_pose_net.perception import kernels
from grasp_pose_net.world import Array

PIXELS_PER_CELL = 2.0  # cells of two pixels a side have no holes where single measurements are missing
MIN_CELL_RATIO = 0.003  # 2 mm at 0.7 m
MAX_RATIO = 1.5  # what is seen more than 56 degrees off the viewing direction is not used
MAX_CELLS = 1024


@dataclass(frozen=True)
class DepthImage:
    """Nearest depth per direction.

    Attributes:
        T_image_table: (4, 4) table frame to a frame at the camera with z towards the table.
        depth: (U, V) [m] along z; 0 where nothing was measured.
        low: (2,) x/z and y/z at the corner of cell (0, 0).
        cell: side of a cell in x/z and y/z.
    """

    T_image_table: Array
    depth: Array
    low: Array
    cell: float

    @classmethod
    def from_points(cls, points_camera: np.ndarray, T_table_camera: Array) -> DepthImage:
        """Image of a view's measurements (N, 3) [m]; rows that are not finite are left out."""
        T_image_table = looking_at(T_table_camera[:3, 3])
        T = (T_image_table @ T_table_camera).astype(np.float32)
        with np.errstate(all="ignore"):  # missing measurements are NaN or infinite
            x, y, z = T[:3, :3] @ np.asarray(points_camera, np.float32).T + T[:3, 3:]
            u, v = x / z, y / z
            ahead = (z > 0.02) & (np.abs(u) < MAX_RATIO) & (np.abs(v) < MAX_RATIO) & (z < 100.0)
        u, v, z = u[ahead], v[ahead], z[ahead]
        if len(z) == 0:
            return cls(T_image_table, np.zeros((1, 1)), np.zeros(2), 1.0)
        low, high = np.array([u.min(), v.min()]), np.array([u.max(), v.max()])
        some = np.stack([u, v])[:, :: max(1, len(z) // 5000)]
        pitch = float(np.sqrt(np.prod(np.percentile(some, 95, 1) - np.percentile(some, 5, 1)) / len(z)))
        cell = max(PIXELS_PER_CELL * pitch, MIN_CELL_RATIO, float((high - low).max()) / MAX_CELLS)
        shape = tuple(((high - low) / cell).astype(int) + 1)
        nearest = np.full(shape, np.inf, np.float32)
        flat = ((u - low[0]) / cell).astype(int) * shape[1] + ((v - low[1]) / cell).astype(int)
        np.minimum.at(nearest.reshape(-1), flat, z)
        depth = np.where(np.isfinite(nearest), ndimage.minimum_filter(nearest, 3), 0.0)
        return cls(T_image_table, depth, low, cell)


def looking_at(eye: Array) -> Array:
    """Transform (4, 4) from the table frame to a frame at ``eye`` (3,) with z towards the table's middle."""
    z = -eye / np.linalg.norm(eye)
    x = np.cross(z, [0.0, 0.0, 1.0] if abs(z[2]) < 0.9 else [0.0, 1.0, 0.0])
    x /= np.linalg.norm(x)
    T_image_table = np.eye(4)
    T_image_table[:3, :3] = [x, np.cross(z, x), z]
    T_image_table[:3, 3] = -T_image_table[:3, :3] @ eye
    return T_image_table


def most_free(images: Sequence[DepthImage], points: Array) -> Array:
    """By how much points (N, 3) of the table frame lie in front of what a view measured there: (N,) [m].

    Of all views that which saw farthest past the point; negative behind it, minus infinity where none measured.
    """
    room = np.full(len(points), -np.inf)
    for image in images:
        kernels.raise_to_free(room, points, image.T_image_table, image.depth, image.low, image.cell)
    return room
