"""The newest scene of a topic, converted once, and the targets among it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from moveit_msgs.msg import CollisionObject, PlanningSceneWorld
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.serialization import deserialize_message

from grasp_pose_net.exceptions import GraspPoseNetError, MeshError, PlanningError
from grasp_pose_net.nodes.messages.scene import object_from_message, scene_from_message
from grasp_pose_net.nodes.support.qos import LATCHED
from grasp_pose_net.nodes.support.shared import SceneParameters
from grasp_pose_net.world import Role, Scene, SceneObject


class ObjectScene:
    """The last ``PlanningSceneWorld`` of a topic."""

    def __init__(
        self, node: Node, parameters: SceneParameters, prepare: Callable[[Scene], None] = lambda scene: None
    ) -> None:
        """Subscribe to the latched topic.

        Args:
            node: takes the messages.
            parameters: topic and frame.
            prepare: computes ahead what requests would wait for, once for each scene.
        """
        self._topic, self._frame = parameters.objects_topic, parameters.world_frame
        self._bounds = parameters
        self._log, self._prepare = node.get_logger(), prepare
        self._scene, self._problem = Scene(frame=self._frame), ""
        # a thread of its own: preparing takes a while, and nothing else shall wait for it
        group = MutuallyExclusiveCallbackGroup()
        # as bytes: making a message of a hundred megabytes would keep everything else waiting for seconds
        node.create_subscription(
            PlanningSceneWorld, self._topic, self._take, LATCHED, callback_group=group, raw=True
        )

    def _take(self, data: bytes) -> None:
        try:
            if len(data) > 1e6 * self._bounds.most_megabytes:
                raise ValueError(
                    f"it has {1e-6 * len(data):.1f} MB, allowed are {self._bounds.most_megabytes:g} (most_megabytes)"
                )
            message = deserialize_message(data, PlanningSceneWorld)
            check_size(message.collision_objects, self._bounds)
            self._scene, self._problem = scene_from_message(message, self._frame), ""
        except ValueError as error:
            self._scene, self._problem = Scene(frame=self._frame), str(error)
            self._log.warning(f"the scene on {self._topic} is refused: {error}")
            return
        try:
            self._prepare(self._scene)
        except GraspPoseNetError as error:
            self._log.warning(
                f"not prepared for the scene on {self._topic}: {error}"
            )  # a request will say it again

    @property
    def scene(self) -> Scene:
        """Everything in the scene.

        Raises:
            ValueError: the last message was refused; the text says why.
        """
        if self._problem:
            raise ValueError(f"the scene on {self._topic} is refused: {self._problem}")
        return self._scene

    def around(
        self, target: CollisionObject, obstacles: Sequence[CollisionObject]
    ) -> tuple[Scene, list[SceneObject]]:
        """A request's scene, and its targets: the one asked for by its own mesh or id, or all where neither is given.

        Args:
            target: what is asked for.
            obstacles: further objects of the request.

        Raises:
            PlanningError: there is no such target; the text names those that there are.
            MeshError: the target is no single closed mesh; the text says why.
            ValueError: a message is broken, or not all is given in one frame.
        """
        scene = self.scene
        check_size([target, *obstacles], self._bounds)
        own = target.meshes or target.primitives or target.planes
        frame = target.header.frame_id if own else scene.frame
        if frame != scene.frame and scene.objects:
            raise ValueError(
                f"object {scene.objects[0].id!r} is given in frame {scene.frame!r}, the target in {frame!r}; "
                "give both in one frame"
            )
        asked = [_graspable(object_from_message(target, frame))] if own else self._known(target.id)
        more = [object_from_message(one, frame) for one in obstacles]
        return replace(scene, frame=frame, objects=(*scene.objects, *more)), asked

    def _known(self, name: str) -> list[SceneObject]:
        names = ", ".join(sorted(entry.id for entry in self.scene.targets))
        names = names or "none (call the perception node's capture first)"
        if name and name in self.scene and self.scene[name].reason:
            return [_graspable(self.scene[name])]
        if name and name not in [entry.id for entry in self.scene.targets]:
            raise PlanningError(f"no object {name!r} with a mesh; objects on {self._topic}: {names}")
        if not self.scene.targets:
            raise PlanningError(f"nothing to grasp; objects on {self._topic}: {names}")
        return [self.scene[name]] if name else list(self.scene.targets)


def check_size(objects: Sequence[CollisionObject], bounds: SceneParameters) -> None:
    """Refuse what could not be planned with in bounded time.

    Raises:
        ValueError: too many shapes, or too large a mesh; the text names it.
    """
    shapes = sum(len(one.primitives) + len(one.meshes) + len(one.planes) for one in objects)
    if shapes > bounds.most_shapes:
        raise ValueError(
            f"{len(objects)} objects with {shapes} shapes, allowed are {bounds.most_shapes}; leave out what the arm cannot "
            "reach, or raise most_shapes"
        )
    for one in objects:
        triangles = max((len(mesh.triangles) for mesh in one.meshes), default=0)
        if triangles > bounds.most_triangles:
            raise ValueError(
                f"object {one.id!r} has a mesh of {triangles} triangles, allowed are {bounds.most_triangles}; simplify it, or "
                "raise most_triangles"
            )


def _graspable(entry: SceneObject) -> SceneObject:
    if entry.role is Role.TARGET:
        return entry
    if entry.reason:
        raise MeshError(f"object {entry.id!r} is not to be grasped: {entry.reason}")
    raise MeshError(f"object {entry.id!r}: expected one mesh, got {len(entry.parts)} shapes")
