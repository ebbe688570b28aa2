"""What perception says stands on the table, as the planning nodes need it: the targets among it."""

from __future__ import annotations

from dataclasses import dataclass

import trimesh
from builtin_interfaces.msg import Time as TimeMessage
from moveit_msgs.msg import CollisionObject, PlanningSceneWorld
from rclpy.node import Node

from grasp_pose_net import planning
from grasp_pose_net.exceptions import MeshError, PlanningError
from grasp_pose_net.nodes.messages.basics import boxes_and_meshes
from grasp_pose_net.nodes.support.qos import LATCHED
from grasp_pose_net.shapes import centred
from grasp_pose_net.world import Array, transform_points


@dataclass(frozen=True, kw_only=True)
class Target:
    """An object to grasp.

    Attributes:
        name: its id.
        mesh: in the object frame (origin at its centre of mass) [m].
        T_frame_object: (4, 4) pose in ``frame``.
        frame: the header's frame.
        stamp: the header's stamp.
    """

    name: str
    mesh: trimesh.Trimesh
    T_frame_object: Array
    frame: str
    stamp: TimeMessage

    @property
    def placed(self) -> planning.Target:
        """The same without what only messages have."""
        return planning.Target(name=self.name, mesh=self.mesh, T_world_object=self.T_frame_object)


class ObjectScene:
    """The last ``PlanningSceneWorld`` of a topic."""

    def __init__(self, node: Node, topic: str) -> None:
        """Subscribe to the latched topic."""
        self._topic = topic
        self._objects: dict[str, CollisionObject] = {}
        node.create_subscription(PlanningSceneWorld, topic, self._take, LATCHED)

    def _take(self, message: PlanningSceneWorld) -> None:
        self._objects = {entry.id: entry for entry in message.collision_objects}

    @property
    def objects(self) -> dict[str, CollisionObject]:
        """Everything in the scene by id."""
        return dict(self._objects)

    def targets(self, asked: CollisionObject) -> list[Target]:
        """The object asked for by its own mesh or by its id; every object with a mesh where neither is given.

        Raises:
            PlanningError: there is no such object; the text names those that there are.
            ValueError: the object's message is broken.
        """
        if asked.meshes:
            return [target_from_message(asked)]
        graspable = {name: entry for name, entry in self._objects.items() if entry.meshes}
        names = ", ".join(sorted(graspable)) or "none (call the perception node's capture first)"
        if asked.id and asked.id not in graspable:
            raise PlanningError(f"no object {asked.id!r} with a mesh; objects on {self._topic}: {names}")
        if not graspable:
            raise PlanningError(f"nothing to grasp; objects on {self._topic}: {names}")
        chosen = [graspable[asked.id]] if asked.id else list(graspable.values())
        return [target_from_message(entry) for entry in chosen]


def target_from_message(message: CollisionObject) -> Target:
    """Target from a collision object with one mesh; its frame's origin is moved to the mesh's centre of mass.

    Raises:
        MeshError: the mesh is not a closed body; the text says why.
        ValueError: the message is broken.
    """
    _, meshes = boxes_and_meshes(message)
    if len(meshes) != 1:
        raise MeshError(f"object {message.id!r}: expected one mesh, got {len(meshes)}")
    mesh_part, T_frame_object = meshes[0]
    mesh, centre = centred(mesh_part)
    T_frame_object = T_frame_object.copy()
    T_frame_object[:3, 3] = transform_points(T_frame_object, centre)
    return Target(
        name=message.id or "target",
        mesh=mesh,
        T_frame_object=T_frame_object,
        frame=message.header.frame_id,
        stamp=message.header.stamp,
    )
