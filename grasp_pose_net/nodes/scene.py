"""What perception says stands on the table, as the planning nodes need it: target, support plane, obstacles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import trimesh
from builtin_interfaces.msg import Time as TimeMessage
from moveit_msgs.msg import CollisionObject, PlanningSceneWorld
from rclpy.node import Node

from grasp_pose_net.exceptions import MeshError, PlanningError
from grasp_pose_net.geometry import Array, inverse_transform, transform_points
from grasp_pose_net.nodes.messages import boxes_and_meshes
from grasp_pose_net.nodes.qos import LATCHED
from grasp_pose_net.refinement import Plane
from grasp_pose_net.shapes import centred


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

    def support_plane(self, names: Sequence[str], target: Target) -> Plane | None:
        """Top of the highest named box below the target's centre, object frame; of any box where no name is given.

        Raises:
            PlanningError: a named surface is not in the scene, is no box, or has another header frame.
        """
        for name in names:
            if name not in self._objects or not self._objects[name].primitives:
                boxes = sorted(n for n, entry in self._objects.items() if entry.primitives)
                raise PlanningError(
                    f"support surface {name!r} is no box of the scene; boxes: {', '.join(boxes) or 'none'}"
                )
        planes = []
        for name, entry in self._objects.items():
            if entry.primitives and (not names or name in names):
                if entry.header.frame_id != target.frame:
                    raise PlanningError(
                        f"support surface {name!r} is given in frame {entry.header.frame_id!r}, "
                        f"the target in {target.frame!r}; give both in one frame"
                    )
                planes += [
                    _top_plane(size, T, target.T_frame_object) for size, T in boxes_and_meshes(entry)[0]
                ]
        below = [plane for plane in planes if plane.offset <= 0.0]
        return max(below, key=lambda plane: plane.offset, default=None)


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


def _top_plane(size: Array, T_frame_box: Array, T_frame_object: Array) -> Plane:
    """Plane of the box's face that looks up most, in object coordinates, keep-out below it."""
    axis = int(np.abs(T_frame_box[2, :3]).argmax())
    up = T_frame_box[:3, axis] * np.sign(T_frame_box[2, axis])
    top_point = T_frame_box[:3, 3] + up * size[axis] / 2
    normal = T_frame_object[:3, :3].T @ up
    point = transform_points(inverse_transform(T_frame_object), top_point)
    return Plane(normal=tuple(normal.tolist()), offset=float(normal @ point))
