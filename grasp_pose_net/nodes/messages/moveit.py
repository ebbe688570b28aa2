"""MoveIt's messages of scenes and trajectories, as :class:`execution.moveit_session.MoveItMessages`; pure functions."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from moveit_msgs.msg import (
    AttachedCollisionObject,
    CollisionObject,
    LinkPadding,
    PlanningScene,
    RobotState,
    RobotTrajectory,
)
from std_msgs.msg import Header

from grasp_pose_net.exceptions import WorldError
from grasp_pose_net.nodes.messages.basics import duration_seconds, pose_message
from grasp_pose_net.nodes.messages.motion import trajectory_message
from grasp_pose_net.nodes.messages.scene import object_message
from grasp_pose_net.robot import PlanningFailed, Problem
from grasp_pose_net.world import WORLD, Scene, SceneObject, Trajectory


def collision_object(entry: SceneObject, shrink_m: float) -> CollisionObject:
    """Message that adds an object to the world, or replaces it; boxes smaller by ``shrink_m`` on each side."""
    return object_message(entry, WORLD, shrink_m)


def removed_object(name: str) -> CollisionObject:
    """Message that removes an object from the world."""
    return CollisionObject(header=Header(frame_id=WORLD), id=name, operation=CollisionObject.REMOVE)


def attached_object(scene: Scene) -> AttachedCollisionObject:
    """Message that gives a link the object that the scene says is attached.

    Raises:
        ValueError: nothing is attached.
    """
    attached = scene.attached
    if attached is None:
        raise ValueError("the scene has no attached object")
    held = collision_object(scene[attached.id], 0.0)
    held.header.frame_id = attached.link
    held.pose = pose_message(attached.T_link_object)
    return AttachedCollisionObject(
        link_name=attached.link, object=held, touch_links=sorted(attached.touch_links)
    )


def detached_objects() -> AttachedCollisionObject:
    """Message that puts everything that is attached back into the world."""
    return AttachedCollisionObject(object=CollisionObject(operation=CollisionObject.REMOVE))


def link_padding(links: Iterable[str], padding_m: float) -> PlanningScene:
    """Message that changes nothing but the padding of links."""
    return PlanningScene(
        is_diff=True,
        robot_state=RobotState(is_diff=True),
        link_padding=[LinkPadding(link_name=link, padding=padding_m) for link in links],
    )


def robot_trajectory(trajectory: Trajectory) -> RobotTrajectory:
    """Message of a trajectory."""
    return RobotTrajectory(joint_trajectory=trajectory_message(trajectory))


def trajectory(message: RobotTrajectory, joint_names: tuple[str, ...]) -> Trajectory:
    """Trajectory of a message, with its joints in the order given, at rest at both ends.

    Raises:
        PlanningFailed: a joint, speeds or accelerations are missing, or a number is none.
    """
    motion = message.joint_trajectory
    count = len(motion.joint_names)
    if missing := set(joint_names) - set(motion.joint_names):
        raise PlanningFailed(Problem.NO_PATH, f"the motion lacks {', '.join(sorted(missing))}")
    if not motion.points or any(
        len(values) != count
        for point in motion.points
        for values in (point.positions, point.velocities, point.accelerations)
    ):
        raise PlanningFailed(
            Problem.NO_PATH,
            "the motion lacks points, speeds or accelerations; the pipeline's response_adapters must have "
            "AddTimeOptimalParameterization",
        )
    columns = [list(motion.joint_names).index(name) for name in joint_names]
    velocities = np.array([point.velocities for point in motion.points])[:, columns]
    velocities[[0, -1]] = 0.0
    try:
        return Trajectory(
            joint_names=joint_names,
            times=np.array([duration_seconds(point.time_from_start) for point in motion.points]),
            positions=np.array([point.positions for point in motion.points])[:, columns],
            velocities=velocities,
            accelerations=np.array([point.accelerations for point in motion.points])[:, columns],
        )
    except WorldError as error:
        raise PlanningFailed(Problem.NO_PATH, f"MoveIt's motion is none: {error}") from error
