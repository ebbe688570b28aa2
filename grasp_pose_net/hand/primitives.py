"""The four solids a hand is made of: distance to them, points on them, meshes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import trimesh

from grasp_pose_net.world import Array, inverse_transform, transform_points

Kind = Literal["box", "cylinder", "sphere", "capsule"]


@dataclass(frozen=True, eq=False)
class Solid:
    """A solid fixed to a link.

    Attributes:
        link: name of the link.
        kind: what it is; cylinder and capsule lie along z, all are centred on their own frame.
        size: [m] box: the three edges; sphere: radius; cylinder: radius, length; capsule: radius, distance
            between the centres of its two end spheres.
        T_link_shape: (4, 4) pose of the shape in the link.
    """

    link: str
    kind: Kind
    size: tuple[float, ...]
    T_link_shape: Array

    @property
    def half_extents(self) -> Array:
        """Half edges (3,) [m] of the bounding box in the shape's own frame."""
        if self.kind == "box":
            return np.array(self.size) / 2
        radius, length = (*self.size, 0.0)[:2]
        return np.array([radius, radius, length / 2 + (radius if self.kind != "cylinder" else 0.0)])


def signed_distance(shape: Solid, points_link: Array) -> Array:
    """Distance (N,) [m] of points (N, 3) in the link's frame to the shape, negative inside."""
    points = transform_points(inverse_transform(shape.T_link_shape), points_link)
    if shape.kind == "box":
        return _box_distance(np.abs(points) - shape.half_extents)
    if shape.kind == "cylinder":
        radial = np.linalg.norm(points[:, :2], axis=1) - shape.size[0]
        return _box_distance(np.stack([radial, np.abs(points[:, 2]) - shape.size[1] / 2], axis=1))
    half_length = shape.size[1] / 2 if shape.kind == "capsule" else 0.0
    points[:, 2] -= np.clip(points[:, 2], -half_length, half_length)
    return np.linalg.norm(points, axis=1) - shape.size[0]


def surface_points(shape: Solid, spacing: float) -> Array:
    """Points (N, 3) in the link's frame that cover the shape's surface about every ``spacing`` metres."""
    if shape.kind == "box":
        points = _box_surface(shape, spacing)
    elif shape.kind == "cylinder":
        points = _cylinder_surface(shape, spacing)
    else:
        points = _capsule_surface(shape, spacing)
    return transform_points(shape.T_link_shape, points)


def exposed_points(shapes: tuple[Solid, ...], spacing: float) -> Array:
    """Points (N, 3) on the surface of the union of shapes that share a link, in its frame."""
    return np.concatenate([bare_points(shape, shapes, spacing) for shape in shapes])


def bare_points(shape: Solid, shapes: tuple[Solid, ...], spacing: float) -> Array:
    """Points (N, 3) on the surface of one of some shapes that none of the others hides."""
    points = surface_points(shape, spacing)
    others = [signed_distance(other, points) for other in shapes if other is not shape]
    return points[np.min(others, axis=0) > -1e-6] if others else points


def inner_points(shape: Solid, spacing: float) -> Array:
    """Lattice (N, 3) inside the shape, in the link's frame, symmetric and with points on its mid-planes."""
    axes = []
    for half in shape.half_extents:
        cells = 2 * int(half / spacing) + 1
        axes.append((np.arange(cells) - cells // 2) * (2 * half / cells))
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    points = transform_points(shape.T_link_shape, lattice)
    return points[signed_distance(shape, points) < 0]


def shape_mesh(shape: Solid) -> trimesh.Trimesh:
    """Triangles of the shape in the link's frame."""
    if shape.kind == "box":
        mesh = trimesh.creation.box(extents=shape.size)
    elif shape.kind == "cylinder":
        mesh = trimesh.creation.cylinder(radius=shape.size[0], height=shape.size[1])
    elif shape.kind == "sphere":
        mesh = trimesh.creation.icosphere(subdivisions=3, radius=shape.size[0])
    else:
        mesh = trimesh.creation.capsule(radius=shape.size[0], height=shape.size[1])
        mesh.apply_translation(-mesh.bounds.mean(axis=0))
    mesh.apply_transform(shape.T_link_shape)
    return mesh


def _box_distance(excess: Array) -> Array:
    """Distance (N,) from how far points lie beyond each pair of faces (N, D), negative inside."""
    return np.linalg.norm(np.maximum(excess, 0), axis=1) + np.minimum(excess.max(axis=1), 0)


def _box_surface(shape: Solid, spacing: float) -> Array:
    axes = [np.linspace(-h, h, int(np.ceil(2 * h / spacing)) + 1) for h in shape.half_extents]
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    return lattice[(np.abs(lattice) >= shape.half_extents - 1e-9).any(axis=1)]


def _cylinder_surface(shape: Solid, spacing: float) -> Array:
    radius, length = shape.size
    heights = np.linspace(-length / 2, length / 2, int(np.ceil(length / spacing)) + 1)
    sides = [_ring(radius, height, spacing) for height in heights]
    radii = np.linspace(0, radius, int(np.ceil(radius / spacing)) + 1)[:-1]
    caps = [_ring(r, z, spacing) for r in radii for z in (-length / 2, length / 2)]
    return np.concatenate(sides + caps)


def _capsule_surface(shape: Solid, spacing: float) -> Array:
    """Fibonacci points on the end spheres, rings between them; a sphere is a capsule without length."""
    radius, length = (*shape.size, 0.0)[:2]
    count = int(np.ceil(4 * np.pi * radius**2 / spacing**2))
    z = 1 - (2 * np.arange(count) + 1) / count
    angle = np.pi * (3 - np.sqrt(5)) * np.arange(count)
    across = np.sqrt(1 - z * z)
    ball = radius * np.stack([across * np.cos(angle), across * np.sin(angle), z], axis=1)
    ball[:, 2] += np.where(z > 0, length / 2, -length / 2)
    rings = int(np.ceil(length / spacing))
    heights = (np.arange(rings) + 0.5) * (length / max(rings, 1)) - length / 2
    return np.concatenate([ball, *(_ring(radius, height, spacing) for height in heights)])


def _ring(radius: float, z: float, spacing: float) -> Array:
    angle = np.linspace(0, 2 * np.pi, max(1, int(np.ceil(2 * np.pi * radius / spacing))), endpoint=False)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full_like(angle, z)], axis=1)
