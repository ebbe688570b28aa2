"""Poisson surface reconstruction on a regular grid, solved by Fourier transform.

Oriented samples are spread over a grid as a vector field N. The indicator χ (1 inside, 0 outside) is the
function whose gradient is -N smoothed with a Gaussian: Δχ = -∇·N (Kazhdan, Bolitho and Hoppe, 2006; in
Fourier space as Kazhdan, 2005). The surface is where χ has its mean value over the samples. An object needs some 10^5
cells and 20 ms.

The result is a volume, so that what else is known of an object (it does not reach below the table) is a
minimum of two volumes, and every mesh made from it is closed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import open3d as o3d
from scipy import fft, ndimage

from grasp_pose_net.perception import kernels
from grasp_pose_net.world import Array

PAD_CELLS = 6
# of the largest body; a smaller one is noise, a larger one hangs on by what is too thin to be seen
MIN_BODY_RATIO = 0.05
MAX_CELLS = 128  # per axis; a larger object gets larger cells


@dataclass(frozen=True)
class Volume:
    """Samples of a function that is positive inside an object.

    Attributes:
        values: (X, Y, Z).
        origin: (3,) place of sample (0, 0, 0) [m].
        spacing: distance of neighbouring samples [m].
    """

    values: Array
    origin: Array
    spacing: float

    def axis(self, axis: int) -> Array:
        """Coordinates of the samples along one axis [m]."""
        return self.origin[axis] + self.spacing * np.arange(self.values.shape[axis])


def poisson(points: Array, normals: Array, areas: Array, spacing_m: float, smooth_m: float) -> Volume:
    """Indicator of the solid with the given surface samples, in units of metres of depth near the surface.

    Args:
        points: (N, 3) samples [m].
        normals: (N, 3) unit, outward.
        areas: (N,) surface that each sample stands for [m²].
        spacing_m: side of a cell; larger where the object would need more than MAX_CELLS [m].
        smooth_m: standard deviation of the smoothing [m].
    """
    low, extent = points.min(0), np.ptp(points, axis=0)
    spacing = max(spacing_m, float(extent.max()) / (MAX_CELLS - 2 * PAD_CELLS))
    shape = tuple(fft.next_fast_len(int(np.ceil(e / spacing)) + 2 * PAD_CELLS + 1, real=True) for e in extent)
    cell = (points - low) / spacing + PAD_CELLS
    field = np.zeros((3, *shape), np.float32)
    kernels.spread(field, cell, normals * areas[:, None] / spacing**3)
    indicator = _solve(field, spacing, max(smooth_m, spacing))
    level = ndimage.map_coordinates(indicator, cell.T, order=1)
    # across the surface the smoothed indicator falls by 1 / (sqrt(2 pi) smooth) per metre
    depth = (indicator - np.average(level, weights=areas)) * np.sqrt(2 * np.pi) * max(smooth_m, spacing)
    return Volume(depth, low - PAD_CELLS * spacing, spacing)


def _solve(field: Array, spacing: float, smooth: float) -> Array:
    """Indicator χ (X, Y, Z) with Δχ = -∇·(G * field) for a vector field (3, X, Y, Z) [1/m]."""
    shape = field.shape[1:]
    axes = [fft.fftfreq(n, spacing) for n in shape[:2]] + [fft.rfftfreq(shape[2], spacing)]
    waves = np.meshgrid(*(2 * np.pi * a for a in axes), indexing="ij", sparse=True)
    square = sum(wave**2 for wave in waves)
    divergence = sum(1j * wave * fft.rfftn(part, workers=-1) for wave, part in zip(waves, field, strict=True))
    square[0, 0, 0] = 1.0
    spectrum = divergence * np.exp(-0.5 * smooth**2 * square) / square
    spectrum[0, 0, 0] = 0.0
    return fft.irfftn(spectrum, s=shape, workers=-1)


def solid(volume: Volume) -> Volume:
    """A volume's bodies of some size, without cavities inside and without anything at the border."""
    values = volume.values.copy()
    for axis in range(3):
        edge = np.moveaxis(values, axis, 0)
        edge[[0, -1]] = np.minimum(edge[[0, -1]], -volume.spacing)
    part, _ = ndimage.label(values > 0)
    size = np.bincount(part.ravel())
    size[0] = 0
    kept = (size > MIN_BODY_RATIO * size.max())[part]
    around, _ = ndimage.label(~kept)
    kept |= around != around[0, 0, 0]  # what the outside does not reach is a cavity; where kept, around is 0
    values = np.where(
        kept, np.maximum(values, 1e-3 * volume.spacing), np.minimum(values, -1e-3 * volume.spacing)
    )
    return Volume(values, volume.origin, volume.spacing)


def isosurface(volume: Volume) -> tuple[Array, np.ndarray]:
    """Vertices (V, 3) [m] and faces (F, 3), outward, of the surface where a volume is zero."""
    grid = np.ascontiguousarray(volume.values.transpose(2, 1, 0), np.float32)
    mesh = o3d.t.geometry.TriangleMesh.create_isosurfaces(o3d.core.Tensor.from_numpy(grid), [0.0])
    if mesh.is_empty() or "indices" not in mesh.triangle:
        return np.empty((0, 3)), np.empty((0, 3), np.int64)
    vertices = mesh.vertex.positions.numpy().astype(float) * volume.spacing + volume.origin
    return vertices, mesh.triangle.indices.numpy()
