"""Grasps between ``moveit_msgs/Grasp`` and the world; pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from builtin_interfaces.msg import Time as TimeMessage
from geometry_msgs.msg import Vector3Stamped
from moveit_msgs.msg import Grasp as GraspMessage
from moveit_msgs.msg import GripperTranslation
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from grasp_pose_net.hand import Hand
from grasp_pose_net.nodes.messages.basics import (
    duration_message,
    pose_stamped,
    transform_from_pose,
    vector_message,
)
from grasp_pose_net.world import Array, Grasp, Scene, inverse_transform, moved_poses
from grasp_pose_net.world.transforms import SHORTEST_QUATERNION

CLOSE_S, SQUEEZE_S = 0.8, 1.2
UNNAMED = "unnamed"  # id of a grasp that has none


def grasp_message(grasp: Grasp, frame: str, stamp: TimeMessage) -> GraspMessage:
    """Message of a grasp whose scene is given in ``frame``.

    ``grasp_pose`` is the pose of the hand's root link (the end effector's parent link). ``grasp_posture`` has two points: the
    grasp, and the squeeze with its efforts. ``grasp_quality`` is what grasps are ranked by.
    """
    header = Header(frame_id=frame, stamp=stamp)
    message = GraspMessage(id=grasp.id, grasp_quality=grasp.quality)
    message.grasp_pose = pose_stamped(frame, grasp.T_world_tip, stamp)
    names = list(grasp.joint_names)
    message.pre_grasp_posture = _posture(names, header, [(grasp.pre_grasp, None, 0.0)])
    points = [(grasp.grasp, None, CLOSE_S), (grasp.squeeze, grasp.efforts, SQUEEZE_S)]
    message.grasp_posture = _posture(names, header, points)
    message.pre_grasp_approach = _translation(header, grasp.approach, grasp.approach_m)
    message.post_grasp_retreat = _translation(header, grasp.retreat, grasp.retreat_m)
    message.post_place_retreat = _translation(header, -grasp.approach, grasp.approach_m)
    return message


def candidate_messages(
    hand: Hand, x: Array, ids: Sequence[str], T_frame_object: Array, frame: str, stamp: TimeMessage
) -> list[GraspMessage]:
    """Messages of bare pose vectors x (B, D) in the object frame: pose and grasp posture only.

    Args:
        hand: the hand.
        x: pose vectors.
        ids: of each grasp.
        T_frame_object: (4, 4) pose of the object in ``frame``.
        frame: the object's header frame.
        stamp: time of the object's pose.
    """
    header, names = Header(frame_id=frame, stamp=stamp), list(hand.joint_names)
    roots = moved_poses(T_frame_object, x[:, :7], hand.T_base_root).tolist()
    messages = []
    for (px, py, pz, qw, qx, qy, qz), posture, name in zip(
        roots, hand.all_joints(x[:, 7:]), ids, strict=True
    ):
        message = GraspMessage(id=name)
        message.grasp_pose.header = header
        pose = message.grasp_pose.pose
        pose.position.x, pose.position.y, pose.position.z = px, py, pz
        pose.orientation.w, pose.orientation.x, pose.orientation.y, pose.orientation.z = qw, qx, qy, qz
        message.grasp_posture = _posture(names, header, [(posture, None, 0.0)])
        messages.append(message)
    return messages


def pose_vectors(hand: Hand, messages: Sequence[GraspMessage], T_frame_object: Array) -> Array:
    """Pose vectors x (B, D) in the object frame of grasps whose poses are given in the object's header frame.

    Raises:
        ValueError: a grasp has no posture, lacks a joint of the hand, or its pose is broken; the text names the grasp.
    """
    roots, postures = np.empty((len(messages), 7)), np.empty((len(messages), len(hand.joint_names)))
    for root, posture, message in zip(roots, postures, messages, strict=True):
        where = f"grasp {message.id!r}"
        posture[:] = _positions(message.grasp_posture, 0, hand.joint_names, f"{where}: grasp_posture")
        p, q = message.grasp_pose.pose.position, message.grasp_pose.pose.orientation
        root[:] = p.x, p.y, p.z, q.w, q.x, q.y, q.z
        length = np.linalg.norm(root[3:])
        if not np.isfinite(root).all() or length < SHORTEST_QUATERNION:
            _pose(message, where)  # says what is wrong
        root[3:] /= length
    palms = moved_poses(inverse_transform(T_frame_object), roots, inverse_transform(hand.T_base_root))
    return np.concatenate([palms, hand.independent_joints(postures)], axis=1)


def grasp_from_message(message: GraspMessage, scene: Scene, tip: str, hand_joints: Sequence[str]) -> Grasp:
    """Grasp of a message, in the scene's frame.

    Args:
        message: its ``grasp_pose`` is the pose of the tip link in the scene's frame or in an object of the scene.
        scene: the objects whose ids are frames.
        tip: end effector's parent link; directions may be given in it, too.
        hand_joints: all joints of the hand, in the order of the result.

    Raises:
        ValueError: an unknown frame, a missing joint or direction, or a number that is none; the text names the grasp.
    """
    frames = {scene.frame: np.eye(4), **{entry.id: entry.T_world_object for entry in scene.objects}}
    where = f"grasp {message.id!r}"
    T_world_tip = _frame(message.grasp_pose.header.frame_id, frames, f"{where}: grasp_pose") @ _pose(
        message, where
    )
    frames[tip] = T_world_tip
    approach, approach_m = _direction(message.pre_grasp_approach, frames, f"{where}: pre_grasp_approach")
    retreat, retreat_m = _direction(message.post_grasp_retreat, frames, f"{where}: post_grasp_retreat")
    touch = _positions(message.grasp_posture, 0, hand_joints, f"{where}: grasp_posture")
    squeeze = touch
    if len(message.grasp_posture.points) > 1:
        squeeze = _positions(message.grasp_posture, 1, hand_joints, f"{where}: grasp_posture")
    return Grasp(
        id=message.id or UNNAMED,
        joint_names=tuple(hand_joints),
        T_world_tip=T_world_tip,
        approach=approach,
        approach_m=approach_m,
        retreat=retreat,
        retreat_m=retreat_m,
        pre_grasp=_positions(message.pre_grasp_posture, 0, hand_joints, f"{where}: pre_grasp_posture"),
        grasp=touch,
        squeeze=squeeze,
        efforts=_efforts(message.grasp_posture, hand_joints),
        quality=message.grasp_quality,
    )


def _posture(
    names: list[str], header: Header, points: Sequence[tuple[Array, Array | None, float]]
) -> JointTrajectory:
    """Trajectory of named joints: (positions (J,) [rad], efforts (J,) [N m] or None, seconds from start) each."""
    message = JointTrajectory(header=header, joint_names=names)
    for positions, effort, seconds in points:
        point = JointTrajectoryPoint(positions=positions.tolist(), time_from_start=duration_message(seconds))
        if effort is not None:
            point.effort = effort.tolist()
        message.points.append(point)
    return message


def _translation(header: Header, direction: Array, lengths_m: tuple[float, float]) -> GripperTranslation:
    """Straight motion of the hand along a direction (3,) in the header's frame."""
    wanted, least = lengths_m
    return GripperTranslation(
        direction=Vector3Stamped(header=header, vector=vector_message(direction)),
        desired_distance=float(wanted),
        min_distance=float(least),
    )


def _pose(message: GraspMessage, where: str) -> Array:
    """(4, 4) of the grasp's pose."""
    try:
        return transform_from_pose(message.grasp_pose.pose)
    except ValueError as error:
        raise ValueError(f"{where}: grasp_pose: {error}") from error


def _frame(name: str, frames: Mapping[str, Array], where: str) -> Array:
    if name not in frames:
        raise ValueError(f"{where} is in frame {name!r}; accepted: {', '.join(frames)}")
    return frames[name]


def _direction(
    message: GripperTranslation, frames: Mapping[str, Array], where: str
) -> tuple[Array, tuple[float, float]]:
    """Unit direction (3,) in the world, and the wanted and least distance [m]."""
    vector = message.direction.vector
    given = np.array([vector.x, vector.y, vector.z])
    direction = _frame(message.direction.header.frame_id, frames, where)[:3, :3] @ given
    length, wanted, least = np.linalg.norm(direction), message.desired_distance, message.min_distance
    if not 0.0 <= least <= wanted + 1e-6:
        raise ValueError(f"{where}: min_distance {least} must be from 0 to desired_distance {wanted}")
    if wanted > 0.0 and not 1e-6 < length < np.inf:
        raise ValueError(f"{where}: {wanted} m are wanted, but the direction is {tuple(given.tolist())}")
    return direction / length if wanted > 0.0 else np.zeros(3), (float(wanted), float(least))


def _positions(message: JointTrajectory, index: int, joints: Sequence[str], where: str) -> Array:
    """Positions (J,) [rad] of one point, in the order of ``joints``."""
    if len(message.points) <= index:
        raise ValueError(f"{where} has no points; give the positions of all {len(joints)} hand joints")
    positions = message.points[index].positions
    if len(positions) != len(message.joint_names):
        raise ValueError(f"{where} has {len(positions)} positions for {len(message.joint_names)} joint names")
    named = dict(zip(message.joint_names, positions, strict=True))
    if missing := [name for name in joints if name not in named]:
        raise ValueError(f"{where} lacks {', '.join(missing)}")
    posture = np.array([named[name] for name in joints])
    if not np.isfinite(posture).all():
        raise ValueError(f"{where} has a position that is not finite")
    return posture


def _efforts(message: JointTrajectory, joints: Sequence[str]) -> Array | None:
    efforts = message.points[-1].effort
    if len(efforts) != len(message.joint_names):
        return None
    named = dict(zip(message.joint_names, efforts, strict=True))
    return np.array([named[name] for name in joints])
