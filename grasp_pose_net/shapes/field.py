"""Signed distance field o_s of an object: a cube of samples, positive outside, and how it is looked up.

The cube follows the paper: scale 0.95 / L around the centre of the bounding box (L its largest side), so its
side is L / 0.95. Cell (i, j, k) has its centre at ``origin + spacing * (i, j, k)``; between cell centres the
field is trilinear. Beyond the outermost cell centres it goes on as the distance to that box plus the value on
its border, so that a gradient always leads back to the object.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
import trimesh

from grasp_pose_net.shapes.field_kernels import band_points, fill_far, inside_cells, spread_points
from grasp_pose_net.shapes.mesh import check_mesh

FILL = 0.95  # share of the cube's side that the object's largest side takes (the paper's 0.95 / L)
EXACT_BAND = (
    2.5  # cells; sqrt(3) covers every corner of a cell that the surface cuts, more spreads more exactly
)
RUN_TIME_RESOLUTION = 64  # of planning and refinement: about 0.02 s, where 128 takes 0.05 to 0.07 s


@dataclass(frozen=True)
class SignedDistanceField:
    """Samples of the distance to an object's surface.

    Attributes:
        values: (R, R, R) float32 distances [m], positive outside; read-only.
        origin: (3,) centre of cell (0, 0, 0) [m], object frame.
        spacing: distance between neighbouring cell centres [m].
        radius: largest distance from the centre of mass to the surface [m].
    """

    values: np.ndarray
    origin: np.ndarray
    spacing: float
    radius: float
    _values: torch.Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Keep read-only copies, and the same samples as a tensor."""
        values, origin = np.array(self.values, np.float32), np.array(self.origin, np.float64)
        if values.ndim != 3 or len(set(values.shape)) != 1:
            raise ValueError(f"values: expected (R, R, R), got {values.shape}")
        object.__setattr__(self, "_values", torch.from_numpy(values.copy()))
        for name, array in (("values", values), ("origin", origin)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @classmethod
    def from_mesh(cls, mesh: trimesh.Trimesh, resolution: int = 128) -> SignedDistanceField:
        """Field of a mesh in the object frame.

        Args:
            mesh: watertight mesh with its centre of mass at the origin [m].
            resolution: cells per axis, R.

        Raises:
            MeshError: the mesh has no inside or an impossible size.
        """
        check_mesh(mesh, "mesh")
        vertices = np.ascontiguousarray(mesh.vertices, np.float64)
        faces = np.ascontiguousarray(mesh.faces, np.int64)
        low, high = vertices.min(0), vertices.max(0)
        spacing = float((high - low).max() / FILL / resolution)
        origin = (low + high) / 2 - spacing * (resolution - 1) / 2
        distance = _sample_mesh(vertices, faces, origin, spacing, resolution, spread=0)
        coarse_size = resolution // 2 + 1
        ratio = (coarse_size - 1) / (resolution - 1)
        coarse = _sample_mesh(vertices, faces, origin, spacing / ratio, coarse_size, spread=2)
        fill_far(distance, coarse, ratio)
        return cls(distance, origin, spacing, float(np.linalg.norm(vertices, axis=1).max()))

    @property
    def resolution(self) -> int:
        """Cells per axis, R."""
        return len(self.values)

    @cached_property
    def innermost(self) -> np.ndarray:
        """Point (3,) of the object that is farthest from its surface [m], object frame."""
        cell = np.unravel_index(int(self.values.argmin()), self.values.shape)
        return self.origin + self.spacing * np.array(cell)

    def distance(self, points: torch.Tensor) -> torch.Tensor:
        """Signed distance to the surface; differentiable.

        Args:
            points: (B, P, 3) [m], object frame.

        Returns:
            (B, P) [m], positive outside.
        """
        values = self._values.to(points.device)[None]
        origin = torch.as_tensor(self.origin.copy()).to(points)
        index = torch.zeros(len(points), dtype=torch.int64, device=points.device)
        return sample_fields(values, origin[None], points.new_tensor([self.spacing]), index, points)

    def normal(self, points: torch.Tensor) -> torch.Tensor:
        """Outward direction of the field at points, from central differences over one cell.

        Args:
            points: (B, P, 3) [m], object frame.

        Returns:
            (B, P, 3) unit vectors; zero where the field has no slope.
        """
        steps = torch.eye(3).to(points) * self.spacing / 2
        around = torch.cat(
            [points[..., None, :] + steps, points[..., None, :] - steps], dim=-2
        )  # (B, P, 6, 3)
        distance = self.distance(around.flatten(1, 2)).unflatten(1, (-1, 6))
        return torch.nn.functional.normalize(distance[..., :3] - distance[..., 3:], dim=-1)


def _sample_mesh(
    vertices: np.ndarray, faces: np.ndarray, origin: np.ndarray, spacing: float, size: int, *, spread: int
) -> np.ndarray:
    """Signed distances (size, size, size), infinite beyond the exact band unless spread (twice is right)."""
    closest, square = band_points(vertices[faces], origin, spacing, size, EXACT_BAND)
    for _ in range(spread):
        spread_points(closest, square, origin, spacing)
    distance = np.sqrt(square)
    distance[inside_cells(vertices, faces, origin, spacing, size)] *= -1
    return distance


def sample_fields(
    values: torch.Tensor,
    origin: torch.Tensor,
    spacing: torch.Tensor,
    index: torch.Tensor,
    points: torch.Tensor,
) -> torch.Tensor:
    """Signed distances of points to one of several objects each; differentiable in the points.

    Args:
        values: (O, R, R, R) samples of O fields [m]; half precision is enough for storage.
        origin: (O, 3) centre of cell (0, 0, 0) of each [m].
        spacing: (O,) distance between cell centres of each [m].
        index: (B,) which object each row of points belongs to.
        points: (B, P, 3) [m], frame of that object.

    Returns:
        (B, P) distances [m], positive outside.

    Raises:
        ValueError: points are not (B, P, 3).
    """
    if points.ndim != 3 or points.shape[-1] != 3:
        raise ValueError(f"points: expected (B, P, 3), got {tuple(points.shape)}")
    size = values.shape[-1]
    cells = (points - origin[index][:, None]) / spacing[index][:, None, None]
    held = cells.clamp(0, size - 1)
    corner = (
        held.detach().floor().clamp(max=size - 2).long()
    )  # (B, P, 3) lowest corner of the cell around the point
    fraction = held - corner
    flat = values.reshape(-1)
    base = ((index[:, None] * size + corner[..., 0]) * size + corner[..., 1]) * size + corner[..., 2]
    distance = torch.zeros_like(fraction[..., 0])
    for dx, dy, dz in np.ndindex(2, 2, 2):
        side = torch.tensor([dx, dy, dz], device=points.device)
        weight = torch.where(side.bool(), fraction, 1 - fraction).prod(-1)
        distance = distance + weight * flat[base + (dx * size + dy) * size + dz].to(points.dtype)
    outside = (cells - held) * spacing[index][:, None, None]
    beyond = (outside != 0).any(-1)
    # the length is taken of a harmless vector inside the cube, where its gradient would be not a number
    length = torch.where(beyond[..., None], outside, torch.ones_like(outside)).norm(dim=-1)
    return distance + torch.where(beyond, length, torch.zeros_like(length))
