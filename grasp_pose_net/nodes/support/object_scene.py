"""The newest scene of a topic, converted once, and the targets among it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from moveit_msgs.msg import CollisionObject, PlanningSceneWorld
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.serialization import deserialize_message

from grasp_pose_net.exceptions import GraspPoseNetError, MessageError
from grasp_pose_net.nodes.messages.scene import scene_from_message, shape_count
from grasp_pose_net.nodes.messages.targets import scene_around
from grasp_pose_net.nodes.support.qos import LATCHED
from grasp_pose_net.nodes.support.shared import SceneParameters
from grasp_pose_net.world import Scene, SceneObject


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
                raise MessageError(
                    f"it has {1e-6 * len(data):.1f} MB, allowed are {self._bounds.most_megabytes:g} (most_megabytes)"
                )
            message = deserialize_message(data, PlanningSceneWorld)
            check_size(message.collision_objects, self._bounds)
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
        """A request's scene and its targets, see :func:`nodes.messages.targets.scene_around`."""
        check_size([target, *obstacles], self._bounds)
        return scene_around(self.scene, target, obstacles, self._topic)


def check_size(objects: Sequence[CollisionObject], bounds: SceneParameters) -> None:
    """Refuse what could not be planned with in bounded time.

    Raises:
        MessageError: too many shapes, or too large a mesh; the text names it.
    """
    shapes = shape_count(objects)
    if shapes > bounds.most_shapes:
        raise MessageError(
            f"{len(objects)} objects with {shapes} shapes, allowed are {bounds.most_shapes}; leave out what the arm cannot "
            "reach, or raise most_shapes"
        )
    for one in objects:
        triangles = max((len(mesh.triangles) for mesh in one.meshes), default=0)
        if triangles > bounds.most_triangles:
            raise MessageError(
                f"object {one.id!r} has a mesh of {triangles} triangles, allowed are {bounds.most_triangles}; simplify it, or "
                "raise most_triangles"
            )
