"""Solid shapes, each in its own frame: what planning, collision checking and MoveIt need of them.

Planning asks for ``corners`` and ``top``. Collision geometry is made of them in `robot.collision`, messages in
`nodes.messages.scene`; each has one entry a class, and a new shape is one class here and one entry there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import product

import numpy as np
import trimesh

from grasp_pose_net.exceptions import WorldError
from grasp_pose_net.world.checks import FARTHEST_M, SHORTEST_M, finite, positive
from grasp_pose_net.world.transforms import Array

CUBE = np.array(list(product((-1.0, 1.0), repeat=3)))
TURNED = 0.7071  # a face or axis that leans less than 45° from up


class Shape(ABC):
    """A solid in its own frame [m]."""

    @property
    @abstractmethod
    def corners(self) -> Array:
        """Points (N, 3) whose convex hull holds the shape; none where it is without end."""

    @property
    def content(self) -> Hashable:
        """Equal for shapes of equal content, whoever made them."""
        values = (getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]
        return (type(self), *(v.tobytes() if isinstance(v, np.ndarray) else hash(v) for v in values))

    @property
    def bounds(self) -> Array:
        """Lowest and highest coordinates (2, 3) of the corners.

        Raises:
            WorldError: the shape is without end.
        """
        if not len(self.corners):
            raise WorldError(f"a {type(self).__name__} is without end and has no bounds")
        return np.stack([self.corners.min(0), self.corners.max(0)])

    def top(self, up: Array) -> HalfSpace:
        """What is below the shape's upper side, as seen along a unit vector ``up`` (3,): things stand on its border."""
        return HalfSpace(up, float((self.corners @ up).max()))


@dataclass(frozen=True, eq=False)
class HalfSpace(Shape):
    """Everything with ``normal · p <= offset``: a table without end, a floor, a wall.

    Attributes:
        normal: (3,) unit vector out of the solid.
        offset: of its border along the normal [m].
    """

    normal: Array
    offset: float

    def __post_init__(self) -> None:
        """Check, and make the normal's length one."""
        normal = finite(self.normal, "normal of a half-space", (3,))
        length = positive(float(np.linalg.norm(normal)), "length of the normal of a half-space")
        object.__setattr__(self, "normal", finite(normal / length, "normal", (3,)))
        offset = float(finite(self.offset, "offset of a half-space", ())) / length
        object.__setattr__(self, "offset", float(finite(offset, "offset of a half-space", (), FARTHEST_M)))

    @property
    def corners(self) -> Array:
        """None: it is without end."""
        return np.empty((0, 3))

    def top(self, up: Array) -> HalfSpace:
        """Itself."""
        return self

    def moved(self, T_a_b: Array) -> HalfSpace:
        """The same half-space in frame a, given in frame b."""
        normal = T_a_b[:3, :3] @ self.normal
        return HalfSpace(normal, self.offset + float(normal @ T_a_b[:3, 3]))


@dataclass(frozen=True, eq=False)
class Box(Shape):
    """A box around the origin; ``size`` (3,) are its full side lengths [m]."""

    size: Array

    def __post_init__(self) -> None:
        """Check."""
        size = finite(self.size, "size of a box", (3,), FARTHEST_M)
        if size.min() < SHORTEST_M:
            least = "above 0" if size.min() <= 0.0 else f"of at least {SHORTEST_M:g}"
            raise WorldError(f"size of a box: expected three sides {least}, got {size.tolist()}")
        object.__setattr__(self, "size", size)

    @property
    def corners(self) -> Array:
        """Its eight corners."""
        return CUBE * self.size / 2

    def top(self, up: Array) -> HalfSpace:
        """Below the face that looks up most."""
        axis = int(np.abs(up).argmax())
        normal = np.eye(3)[axis] * (np.sign(up[axis]) or 1.0)
        return HalfSpace(normal, float(self.size[axis]) / 2)


@dataclass(frozen=True, eq=False)
class Sphere(Shape):
    """A ball around the origin of a radius [m]."""

    radius: float

    def __post_init__(self) -> None:
        """Check."""
        object.__setattr__(self, "radius", positive(self.radius, "radius of a sphere"))

    @property
    def corners(self) -> Array:
        """Those of the box around it."""
        return CUBE * self.radius

    def top(self, up: Array) -> HalfSpace:
        """Below its highest point."""
        return HalfSpace(up, self.radius)


@dataclass(frozen=True, eq=False)
class Cylinder(Shape):
    """A cylinder along z, its middle at the origin; radius and length [m]."""

    radius: float
    length: float

    def __post_init__(self) -> None:
        """Check."""
        for name in ("radius", "length"):
            value = positive(getattr(self, name), f"{name} of a {type(self).__name__.lower()}")
            object.__setattr__(self, name, value)

    @property
    def corners(self) -> Array:
        """Those of the box around it."""
        return CUBE * (self.radius, self.radius, self.length / 2)

    def top(self, up: Array) -> HalfSpace:
        """Below the end that looks up, or below the line along it where none does."""
        if abs(up[2]) > TURNED:
            return HalfSpace(np.array([0.0, 0.0, np.sign(up[2])]), self.length / 2)
        aside = np.array([up[0], up[1], 0.0]) / np.hypot(up[0], up[1])
        return HalfSpace(aside, self.radius)


@dataclass(frozen=True, eq=False)
class Cone(Cylinder):
    """A cone along z, its tip up, the origin halfway between tip and base; radius of the base and length [m]."""

    def top(self, up: Array) -> HalfSpace:
        """Below its base where that looks up, else below its highest point: the tip, or the rim."""
        if up[2] < -TURNED:
            return super().top(up)
        rim = float(self.radius * np.hypot(up[0], up[1]) - up[2] * self.length / 2)
        return HalfSpace(up, max(float(up[2]) * self.length / 2, rim))


@dataclass(frozen=True, eq=False)
class Mesh(Shape):
    """Triangles; solid where they are closed, else what is within their convex hull is left to who uses it."""

    mesh: trimesh.Trimesh

    def __post_init__(self) -> None:
        """Check: triangles whose corners are there and finite."""
        vertices, faces = self.mesh.vertices, self.mesh.faces
        if not len(faces):
            raise WorldError(f"mesh with {len(vertices)} vertices has no triangles")
        if faces.min() < 0 or faces.max() >= len(vertices):
            raise WorldError(f"mesh has a vertex index beyond its {len(vertices)} vertices")
        finite(vertices, "vertices of a mesh", (None, 3), FARTHEST_M)
        if self.mesh.area < SHORTEST_M**2:
            raise WorldError(f"mesh of {len(faces)} triangles has no area: all of them are points or lines")

    @property
    def corners(self) -> Array:
        """Its vertices."""
        return np.asarray(self.mesh.vertices, np.float64)


@dataclass(frozen=True, eq=False)
class Voxels(Shape):
    """Full cells of a grid, as of an octree.

    Attributes:
        centres: (N, 3) of the cells [m].
        sizes: (N,) side of each [m].
    """

    centres: Array
    sizes: Array

    def __post_init__(self) -> None:
        """Check."""
        centres = finite(self.centres, "centres of voxels", (None, 3), FARTHEST_M)
        sizes = finite(self.sizes, "sizes of voxels", (len(centres),), FARTHEST_M)
        if not len(centres) or sizes.min() < SHORTEST_M:
            raise WorldError(f"voxels: expected at least one cell, all of them above 0 m, got {len(centres)}")
        object.__setattr__(self, "centres", centres)
        object.__setattr__(self, "sizes", sizes)

    @cached_property
    def corners(self) -> Array:
        """Eight of each cell."""
        return (self.centres[:, None] + self.sizes[:, None, None] * CUBE / 2).reshape(-1, 3)
