"""What a request asks grasps for; pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from moveit_msgs.msg import CollisionObject

from grasp_pose_net.exceptions import MeshError, MessageError, PlanningError
from grasp_pose_net.nodes.messages.scene import object_from_message, objects_from_messages
from grasp_pose_net.world import Role, Scene, SceneObject


def scene_around(
    scene: Scene, target: CollisionObject, obstacles: Sequence[CollisionObject], topic: str
) -> tuple[Scene, list[SceneObject]]:
    """A request's scene, and its targets: the one asked for by its own mesh or id, or all where neither is given.

    Args:
        scene: what is there.
        target: what is asked for.
        obstacles: further objects of the request.
        topic: where the scene comes from, for errors.

    Raises:
        PlanningError: there is no such target; the text names those that there are.
        MeshError: the target is no single closed mesh; the text says why.
        MessageError: a message asks for what is not supported, or not all is given in one frame.
        WorldError: an object is broken, or two have one id.
    """
    if target.meshes or target.primitives or target.planes:
        asked = [_own(target, scene)]
        scene = replace(scene, frame=target.header.frame_id).with_object(asked[0])
    else:
        _check_bare(target)
        asked = _known(target.id, scene, topic)
    more = objects_from_messages(obstacles, scene.frame)
    return replace(scene, objects=(*scene.objects, *more)), asked


def _own(target: CollisionObject, scene: Scene) -> SceneObject:
    """A target that comes with its mesh; one of its id in the scene is the same object, seen better."""
    frame = target.header.frame_id
    if frame != scene.frame and scene.objects:
        raise MessageError(
            f"object {scene.objects[0].id!r} is given in frame {scene.frame!r}, the target in {frame!r}; "
            "give both in one frame"
        )
    known = scene[target.id] if target.id in scene else None
    if known and known.role is not Role.TARGET and not known.reason:
        raise MessageError(
            f"target {target.id!r} has a mesh, and the scene has a {known.role.value} of this id; give each its own"
        )
    name = "target"
    while name in scene:
        name += "_"
    return _graspable(object_from_message(target, frame, unnamed=name))


def _known(name: str, scene: Scene, topic: str) -> list[SceneObject]:
    names = ", ".join(sorted(entry.id for entry in scene.targets))
    names = names or "none (call the perception node's capture first)"
    if name and name in scene and scene[name].reason:
        return [_graspable(scene[name])]
    if name and name not in [entry.id for entry in scene.targets]:
        raise PlanningError(f"no object {name!r} with a mesh; objects on {topic}: {names}")
    if not scene.targets:
        raise PlanningError(f"nothing to grasp; objects on {topic}: {names}")
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
