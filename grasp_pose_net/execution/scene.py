"""What stands around the robot, and what may touch what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import trimesh

from grasp_pose_net.exceptions import PlanningError
from grasp_pose_net.geometry import Array, inverse_transform


@dataclass(frozen=True)
class SceneObject:
    """Boxes and meshes that move as one.

    Attributes:
        name: its id.
        T_world_object: (4, 4) pose.
        boxes: side lengths (3,) [m] and T_object_box (4, 4) of each box.
        meshes: each mesh with its vertices in the object frame [m].
    """

    name: str
    T_world_object: Array
    boxes: tuple[tuple[Array, Array], ...] = ()
    meshes: tuple[trimesh.Trimesh, ...] = ()


@dataclass(frozen=True)
class AllowedContact:
    """Links, or an attached object, may reach into an object by ``depth_m``; infinite: they are not tested.

    Between the hand and a mesh any depth means "not tested": depth in a surface is not defined.
    """

    links: frozenset[str]
    name: str
    depth_m: float = np.inf


@dataclass(frozen=True)
class Attachment:
    """An object that moves with a link.

    Attributes:
        name: the object's id in the scene.
        link: the link that carries it.
        T_link_object: (4, 4) its pose in the link.
        touch_links: links that it may touch.
    """

    name: str
    link: str
    T_link_object: Array
    touch_links: frozenset[str]


@dataclass(frozen=True)
class Scene:
    """Objects around the robot.

    Attributes:
        objects: everything that may be hit.
        allowed: contacts that are no collision.
        attached: what the robot holds.
    """

    objects: tuple[SceneObject, ...] = ()
    allowed: tuple[AllowedContact, ...] = ()
    attached: Attachment | None = None

    def __getitem__(self, name: str) -> SceneObject:
        """Object by its id.

        Raises:
            PlanningError: there is none; the text lists those that there are.
        """
        for entry in self.objects:
            if entry.name == name:
                return entry
        names = ", ".join(entry.name for entry in self.objects) or "none"
        raise PlanningError(f"no object {name!r} in the scene; objects: {names}")

    def allow(self, links: Iterable[str], name: str, depth_m: float = np.inf) -> Scene:
        """Scene in which links may reach into an object."""
        return replace(
            self, allowed=(*self.allowed, AllowedContact(frozenset(links), self[name].name, depth_m))
        )

    def attach(self, name: str, link: str, T_world_link: Array, touch_links: Iterable[str]) -> Scene:
        """Scene in which an object moves with a link that is now at ``T_world_link`` (4, 4)."""
        T_link_object = inverse_transform(T_world_link) @ self[name].T_world_object
        return replace(self, attached=Attachment(name, link, T_link_object, frozenset(touch_links)))

    def allowed_depth(self, link: str, name: str) -> float:
        """How far ``link`` may reach into object ``name`` [m]; 0 where nothing was allowed."""
        return max((a.depth_m for a in self.allowed if a.name == name and link in a.links), default=0.0)
