"""The newest scene of a topic, converted once, and the targets among it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from moveit_msgs.msg import CollisionObject, PlanningSceneWorld
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node

from grasp_pose_net.exceptions import GraspPoseNetError, MeshError, MessageError, PlanningError
from grasp_pose_net.nodes.messages.scene import (
    object_from_message,
    objects_from_messages,
    scene_from_message,
)
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
        self._log, self._prepare = node.get_logger(), prepare
        self._scene, self._problem = Scene(frame=self._frame), ""
        # a thread of its own: preparing takes a while, and nothing else shall wait for it
        group = MutuallyExclusiveCallbackGroup()
        node.create_subscription(PlanningSceneWorld, self._topic, self._take, LATCHED, callback_group=group)

    def _take(self, message: PlanningSceneWorld) -> None:
        try:
            self._scene, self._problem = scene_from_message(message, self._frame), ""
        except Exception as error:
            # whatever is wrong with what is there now: nobody shall plan on what was there before
            self._scene, self._problem = Scene(frame=self._frame), str(error) or repr(error)
            if not isinstance(error, GraspPoseNetError):
                raise
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
            MessageError: the last message was refused; the text says why.
        """
        if self._problem:
            raise MessageError(f"the scene on {self._topic} is refused: {self._problem}")
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
            MessageError: a message asks for what is not supported, or not all is given in one frame.
            WorldError: an object is broken, or two have one id.
        """
        scene = self.scene
        if target.meshes or target.primitives or target.planes:
            asked = [self._own(target, scene)]
            scene = replace(scene, frame=target.header.frame_id).with_object(asked[0])
        else:
            _check_bare(target)
            asked = self._known(target.id, scene)
        more = objects_from_messages(obstacles, scene.frame)
        return replace(scene, objects=(*scene.objects, *more)), asked

    def _own(self, target: CollisionObject, scene: Scene) -> SceneObject:
        """A target that comes with its mesh; one of its id in the scene is the same object, seen better."""
        frame = target.header.frame_id
        if frame != scene.frame and scene.objects:
            raise MessageError(
                f"object {scene.objects[0].id!r} is given in frame {scene.frame!r}, the target in {frame!r}; "
                "give both in one frame"
            )
        if target.id in scene and scene[target.id].role is Role.SUPPORT:
            raise MessageError(
                f"target {target.id!r} is what things stand on; give the target an id of its own"
            )
        name = "target"
        while name in scene:
            name += "_"
        return _graspable(object_from_message(target, frame, unnamed=name))

    def _known(self, name: str, scene: Scene) -> list[SceneObject]:
        names = ", ".join(sorted(entry.id for entry in scene.targets))
        names = names or "none (call the perception node's capture first)"
        if name and name in scene and scene[name].reason:
            return [_graspable(scene[name])]
        if name and name not in [entry.id for entry in scene.targets]:
            raise PlanningError(f"no object {name!r} with a mesh; objects on {self._topic}: {names}")
        if not scene.targets:
            raise PlanningError(f"nothing to grasp; objects on {self._topic}: {names}")
        return [scene[name]] if name else list(scene.targets)


def _check_bare(target: CollisionObject) -> None:
    """Refuse a target without shapes that says more than an id: whoever gives a pose means the object there.

    Raises:
        MessageError: it does.
    """
    if target != CollisionObject(id=target.id, header=target.header):
        what = f"target {target.id!r}" if target.id else "the target"
        raise MessageError(
            f"{what} has a pose, a type, subframes or an operation, but no mesh; send its mesh, or the id of an object of the "
            "scene alone, or nothing for the best grasp of all"
        )


def _graspable(entry: SceneObject) -> SceneObject:
    if entry.role is Role.TARGET:
        return entry
    if entry.reason:
        raise MeshError(f"object {entry.id!r} is not to be grasped: {entry.reason}")
    raise MeshError(f"object {entry.id!r}: expected one mesh, got {len(entry.parts)} shapes")
