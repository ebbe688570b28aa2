"""Noise of a structured-light depth camera, after Nguyen, Izadi and Lovell (2012)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from grasp_pose_net.simulation.cameras import DepthImage

AXIAL_SIGMA_M = 0.0012  # at 0.4 m; grows with the square of the distance from there
AXIAL_GROWTH = 0.0019  # per metre
AXIAL_BEST_M = 0.4
QUANTUM_M = 0.001
LARGEST_INCIDENCE_RAD = np.deg2rad(75.0)
DROPOUT_RATIO = 0.01
STEP_M = 0.02  # a neighbour farther off than this in depth makes a pixel an edge pixel
FLYING_RATIO = 0.3  # of the edge pixels lie between the near and the far surface


def axial_sigma(depth: NDArray[np.floating]) -> NDArray[np.floating]:
    """Standard deviation [m] of a measured depth [m]."""
    return AXIAL_SIGMA_M + AXIAL_GROWTH * (depth - AXIAL_BEST_M) ** 2


def add_depth_noise(depth: DepthImage, focal_px: float, rng: np.random.Generator) -> DepthImage:
    """What a real camera would measure.

    Args:
        depth: (H, W) true depth [m], NaN where there is nothing; not modified.
        focal_px: focal length, the principal point in the image centre.
        rng: source of the noise.

    Returns:
        (H, W) depth [m], NaN where the camera gives none.
    """
    far = np.where(np.isfinite(depth), depth, np.float32(1e3))
    low, high = (
        minimum_filter(far, 3),
        np.where(np.isfinite(depth), maximum_filter(np.nan_to_num(depth, nan=0.0), 3), 0),
    )
    rows, columns = np.nonzero(high - low > STEP_M)
    noisy = depth.copy()
    noisy[rows, columns] = _edge_pixels(depth, low, high, rows, columns, rng)
    noisy += axial_sigma(noisy).astype(np.float32) * rng.standard_normal(depth.shape, np.float32)
    noisy = np.round(noisy / QUANTUM_M) * np.float32(QUANTUM_M)
    noisy[_cos_incidence(depth, focal_px) < np.cos(LARGEST_INCIDENCE_RAD)] = np.nan
    noisy[rng.random(depth.shape, np.float32) < DROPOUT_RATIO] = np.nan
    return noisy


def _edge_pixels(
    depth: DepthImage,
    low: DepthImage,
    high: DepthImage,
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    rng: np.random.Generator,
) -> DepthImage:
    """Depths (E,) at depth steps: of a pixel beside (lateral noise), or in between (flying pixels)."""
    beside = rng.integers(-1, 2, (2, len(rows)))
    row = np.clip(rows + beside[0], 0, depth.shape[0] - 1)
    column = np.clip(columns + beside[1], 0, depth.shape[1] - 1)
    near, far = low[rows, columns], high[rows, columns]
    between = near + rng.random(len(rows), np.float32) * (far - near)
    return np.where(rng.random(len(rows)) < FLYING_RATIO, between, depth[row, column])


def _cos_incidence(depth: DepthImage, focal_px: float) -> NDArray[np.float32]:
    """Cosine (H, W) of the angle between surface normal and ray; steps in depth do not count as slope.

    With Z(u, v) the normal is n = (-f Z_u, -f Z_v, Z + u Z_u + v Z_v) and the ray r = (u / f, v / f, 1), so n
    · r = Z.
    """
    slope_v, slope_u = (_flatter_difference(depth, axis) for axis in (0, 1))
    height, width = depth.shape
    u = (np.arange(width, dtype=np.float32) + 0.5 - width / 2)[None, :]
    v = (np.arange(height, dtype=np.float32) + 0.5 - height / 2)[:, None]
    normal = np.sqrt(
        (focal_px * slope_u) ** 2 + (focal_px * slope_v) ** 2 + (depth + u * slope_u + v * slope_v) ** 2
    )
    ray = np.sqrt((u / focal_px) ** 2 + (v / focal_px) ** 2 + 1)
    return depth / (normal * ray)


def _flatter_difference(depth: DepthImage, axis: int) -> DepthImage:
    """Forward or backward difference [m/px], the smaller in magnitude; 0 without a valid neighbour."""
    difference = np.nan_to_num(np.diff(depth, axis=axis), nan=1e3)
    pad = [(0, 0), (0, 0)]
    pad[axis] = (1, 1)
    difference = np.pad(difference, pad, constant_values=1e3)
    n = depth.shape[axis]
    backward, forward = difference.take(range(n), axis), difference.take(range(1, n + 1), axis)
    flatter = np.where(np.abs(backward) < np.abs(forward), backward, forward)
    return np.where(np.abs(flatter) < 1e2, flatter, np.float32(0))
