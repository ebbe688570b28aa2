"""Scenes for planning from messages; a message is converted once, however many requests it serves."""

from __future__ import annotations

from collections.abc import Iterable

from moveit_msgs.msg import CollisionObject

from grasp_pose_net.nodes.messages.motion import scene_object
from grasp_pose_net.world import Scene, SceneObject


class MessageScenes:
    """Converts the objects of one request after another."""

    def __init__(self) -> None:
        """Know nothing yet."""
        # the message is kept with its object, so that no other message can come to have its id()
        self._known: dict[int, tuple[CollisionObject, SceneObject]] = {}

    def scene(self, messages: Iterable[CollisionObject], frame: str) -> Scene:
        """Scene of collision objects that are all given in one frame.

        Raises:
            ValueError: an object has another frame, an unsupported shape, or a broken pose; the text names it.
        """
        used: dict[int, tuple[CollisionObject, SceneObject]] = {}
        for message in messages:
            if message.header.frame_id != frame:
                raise ValueError(
                    f"object {message.id!r} is given in frame {message.header.frame_id!r}, the target in {frame!r}; "
                    "give both in one frame"
                )
            known = self._known.get(id(message))
            used[id(message)] = known or (message, scene_object(message))
        self._known = used
        return Scene(tuple(entry for _, entry in used.values()))
