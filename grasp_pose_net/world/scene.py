"""What stands around the robot, what may touch what, and what the robot holds: one scene for all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property

import numpy as np
import trimesh

from grasp_pose_net.exceptions import PlanningError, WorldError
from grasp_pose_net.world.checks import named
from grasp_pose_net.world.shape import Box, Mesh, Shape
from grasp_pose_net.world.transforms import Array, inverse_transform, rigid_transform, transform_points

WORLD = "world"


class Role(Enum):
    """What an object is for."""

    TARGET = "target"
    SUPPORT = "support"
    OBSTACLE = "obstacle"


@dataclass(frozen=True, eq=False)
class Part:
    """A shape of an object, and where it is in it.

    Attributes:
        shape: the shape.
        T_object_shape: (4, 4) its pose.
    """

    shape: Shape
    T_object_shape: Array = field(default_factory=lambda: np.eye(4))

    def __post_init__(self) -> None:
        """Check the pose."""
        object.__setattr__(self, "T_object_shape", rigid_transform(self.T_object_shape, "pose of a shape"))


@dataclass(frozen=True, eq=False)
class SceneObject:
    """Shapes that move as one.

    Attributes:
        id: its name in the scene.
        T_world_object: (4, 4) pose, in the scene's frame.
        parts: its shapes.
        role: what it is for.
        stamp_ns: when it was seen [ns], 0 where nobody says.
        reason: why it is not to be grasped, empty where nothing speaks against it.
        several: it may be several objects that touch.
    """

    id: str
    T_world_object: Array
    parts: tuple[Part, ...]
    role: Role = Role.OBSTACLE
    stamp_ns: int = 0
    reason: str = ""
    several: bool = False

    def __post_init__(self) -> None:
        """Check name, pose and shapes."""
        named(self.id, "an object of the scene")
        if not self.parts:
            raise WorldError(f"object {self.id!r} has no shape")
        pose = rigid_transform(self.T_world_object, f"pose of object {self.id!r}")
        object.__setattr__(self, "T_world_object", pose)

    @classmethod
    def box(
        cls, id: str, T_world_object: Array, size: Iterable[float], role: Role = Role.OBSTACLE
    ) -> SceneObject:
        """Object that is one box with side lengths ``size`` (3,) [m]."""
        return cls(id, T_world_object, (Part(Box(np.array([*size]))),), role)

    @classmethod
    def target(cls, id: str, T_world_object: Array, mesh: trimesh.Trimesh, stamp_ns: int = 0) -> SceneObject:
        """Object to grasp: one mesh, in the object frame [m] with its centre of mass at the origin."""
        return cls(id, T_world_object, (Part(Mesh(mesh)),), Role.TARGET, stamp_ns)

    @property
    def mesh(self) -> trimesh.Trimesh:
        """The one mesh of an object to grasp, in the object frame [m].

        Raises:
            PlanningError: it has other shapes.
        """
        shapes = [part.shape for part in self.parts]
        if (
            len(shapes) == 1
            and isinstance(shapes[0], Mesh)
            and np.array_equal(self.parts[0].T_object_shape, np.eye(4))
        ):
            return shapes[0].mesh
        kinds = ", ".join(type(shape).__name__.lower() for shape in shapes)
        raise PlanningError(f"object {self.id!r} is no single mesh and cannot be grasped (it has: {kinds})")

    @property
    def sides(self) -> Array:
        """Sides (3,) of the box around its shapes [m], along the axes of its own frame."""
        corners = [transform_points(part.T_object_shape, part.shape.corners) for part in self.parts]
        return np.ptp(np.vstack(corners), axis=0)

    def placed(self) -> Iterator[tuple[Shape, Array]]:
        """Its shapes, and the pose (4, 4) of each in the scene's frame."""
        for part in self.parts:
            yield part.shape, self.T_world_object @ part.T_object_shape


@dataclass(frozen=True)
class AllowedContact:
    """Links, or an attached object, may reach into an object by ``depth_m``; infinite: they are not tested.

    Between the hand and a mesh any depth means "not tested": depth in a surface is not defined.
    """

    links: frozenset[str]
    id: str
    depth_m: float = np.inf


@dataclass(frozen=True, eq=False)
class Attachment:
    """An object that moves with a link.

    Attributes:
        id: the object's id in the scene.
        link: the link that carries it.
        T_link_object: (4, 4) its pose in the link.
        touch_links: links that it may touch.
    """

    id: str
    link: str
    T_link_object: Array
    touch_links: frozenset[str]


@dataclass(frozen=True, eq=False)
class Scene:
    """Objects around the robot; made alike by perception, messages, simulation and files.

    Attributes:
        objects: everything that may be hit, each id once.
        frame: in which all poses are.
        stamp_ns: when it was seen [ns], 0 where nobody says.
        allowed: contacts that are no collision.
        attached: what the robot holds.
    """

    objects: tuple[SceneObject, ...] = ()
    frame: str = WORLD
    stamp_ns: int = 0
    allowed: tuple[AllowedContact, ...] = ()
    attached: Attachment | None = None

    def __post_init__(self) -> None:
        """Check that ids are unique.

        Raises:
            WorldError: two objects have one id.
        """
        ids = [entry.id for entry in self.objects]
        if twice := sorted(one for one, times in Counter(ids).items() if times > 1):
            raise WorldError(f"the scene has two objects {twice[0]!r}; give each an id of its own")

    def __getitem__(self, id: str) -> SceneObject:
        """Object by its id.

        Raises:
            PlanningError: there is none; the text lists those that there are.
        """
        for entry in self.objects:
            if entry.id == id:
                return entry
        names = ", ".join(entry.id for entry in self.objects) or "none"
        raise PlanningError(f"no object {id!r} in the scene; objects: {names}")

    def __contains__(self, id: str) -> bool:
        """Whether there is an object of an id."""
        return any(entry.id == id for entry in self.objects)

    @property
    def targets(self) -> tuple[SceneObject, ...]:
        """What may be grasped."""
        return tuple(entry for entry in self.objects if entry.role is Role.TARGET)

    @property
    def obstacles(self) -> tuple[SceneObject, ...]:
        """What is not to be grasped and carries nothing."""
        return tuple(entry for entry in self.objects if entry.role is Role.OBSTACLE)

    def with_object(self, entry: SceneObject) -> Scene:
        """Scene with an object, in place of the one of its id where there is one."""
        others = tuple(other for other in self.objects if other.id != entry.id)
        return replace(self, objects=(*others, entry))

    def allow(self, links: Iterable[str], id: str, depth_m: float = np.inf) -> Scene:
        """Scene in which links may reach into an object."""
        return replace(self, allowed=(*self.allowed, AllowedContact(frozenset(links), self[id].id, depth_m)))

    def attach(self, id: str, link: str, T_world_link: Array, touch_links: Iterable[str]) -> Scene:
        """Scene in which an object moves with a link that is now at ``T_world_link`` (4, 4)."""
        T_link_object = inverse_transform(T_world_link) @ self[id].T_world_object
        return replace(self, attached=Attachment(id, link, T_link_object, frozenset(touch_links)))

    def allowed_depth(self, link: str, id: str) -> float:
        """How far ``link`` may reach into object ``id`` [m]; 0 where nothing was allowed."""
        return max((a.depth_m for a in self._allowed_in.get(id, ()) if link in a.links), default=0.0)

    @cached_property
    def _allowed_in(self) -> Mapping[str, list[AllowedContact]]:
        """Allowed contacts by object."""
        contacts: dict[str, list[AllowedContact]] = {}
        for contact in self.allowed:
            contacts.setdefault(contact.id, []).append(contact)
        return contacts
