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

from grasp_pose_net.exceptions import MessageError, WorldError
from grasp_pose_net.hand import Hand
from grasp_pose_net.nodes.messages.basics import (
    duration_message,
    pose_stamped,
    transform_from_pose,
    vector_message,
)
from grasp_pose_net.world import (
    Array,
    Grasp,
    Scene,
    finite,
    inverse_transform,
    moved_poses,
    rigid_transform,
)
from grasp_pose_net.world.checks import FARTHEST_M, LARGEST
from grasp_pose_net.world.transforms import SHORTEST_QUATERNION

CLOSE_S, SQUEEZE_S = 0.8, 1.2
UNNAMED = "unnamed"  # id of a grasp that has none
MOST_GRASPS = 10_000
SHORTEST_DIRECTION = 1e-6


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
        MessageError: there are too many, or a grasp has no posture or lacks a joint of the hand.
        WorldError: a pose or posture is broken. Every text names the grasp.
    """
    if len(messages) > MOST_GRASPS:
        raise MessageError(
            f"{len(messages)} grasps were sent, at most {MOST_GRASPS} are taken; send the best"
        )
    roots, postures = np.empty((len(messages), 7)), np.empty((len(messages), len(hand.joint_names)))
    for root, posture, message in zip(roots, postures, messages, strict=True):
        posture[:] = _postures(message, "grasp_posture", 2, hand.joint_names)[0]
        p, q = message.grasp_pose.pose.position, message.grasp_pose.pose.orientation
        root[:] = p.x, p.y, p.z, q.w, q.x, q.y, q.z
        length = np.linalg.norm(root[3:]) if np.abs(root[3:]).max() <= LARGEST else np.inf
        # false for what is no number, too
        if not (SHORTEST_QUATERNION <= length < np.inf and np.abs(root[:3]).max() <= FARTHEST_M):
            rigid_transform(_pose(message), _where(message, "grasp_pose"))  # says what is wrong
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
        MessageError: an unknown frame, a missing joint or direction, or a wish that is not supported.
        WorldError: a number that is none. Every text names the grasp.
    """
    if message.allowed_touch_objects:
        raise MessageError(
            f"{_where(message, 'allowed_touch_objects')} {message.allowed_touch_objects} are not supported; leave them "
            "empty: the hand may touch the target, and come close to what it stands on"
        )
    if not message.max_contact_force <= 0.0:
        raise MessageError(
            f"{_where(message, 'max_contact_force')} {message.max_contact_force} is not supported; leave it at 0, and "
            "give efforts in the last point of grasp_posture"
        )
    frames = {scene.frame: np.eye(4), **{entry.id: entry.T_world_object for entry in scene.objects}}
    T_frame_tip = _pose(message)
    T_world_tip = (
        _frame(message.grasp_pose.header.frame_id, frames, _where(message, "grasp_pose")) @ T_frame_tip
    )
    frames[tip] = T_world_tip
    approach, approach_m = _direction(message, "pre_grasp_approach", frames)
    retreat, retreat_m = _direction(message, "post_grasp_retreat", frames)
    (pre_grasp,) = _postures(message, "pre_grasp_posture", 1, hand_joints)
    touch, *squeeze = _postures(message, "grasp_posture", 2, hand_joints)
    return Grasp(
        id=message.id or UNNAMED,
        joint_names=tuple(hand_joints),
        T_world_tip=T_world_tip,
        approach=approach,
        approach_m=approach_m,
        retreat=retreat,
        retreat_m=retreat_m,
        pre_grasp=pre_grasp,
        grasp=touch,
        squeeze=squeeze[0] if squeeze else touch,
        efforts=_efforts(message.grasp_posture, hand_joints, _where(message, "grasp_posture")),
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


def _where(message: GraspMessage, field: str) -> str:
    """What errors call a field of a grasp."""
    return f"grasp {message.id!r}: {field}"


def _pose(message: GraspMessage) -> Array:
    """(4, 4) of the grasp's pose."""
    try:
        return transform_from_pose(message.grasp_pose.pose)
    except WorldError as error:
        raise WorldError(f"{_where(message, 'grasp_pose')}: {error}") from error


def _frame(name: str, frames: Mapping[str, Array], where: str) -> Array:
    if name not in frames:
        raise MessageError(f"{where} is in frame {name!r}; accepted: {', '.join(frames)}")
    return frames[name]


def _direction(
    message: GraspMessage, field: str, frames: Mapping[str, Array]
) -> tuple[Array, tuple[float, float]]:
    """Unit direction (3,) in the world, and the wanted and least distance [m]; `Grasp` checks these."""
    move, where = getattr(message, field), _where(message, field)
    wanted, least = float(move.desired_distance), float(move.min_distance)
    vector = move.direction.vector
    given = (vector.x, vector.y, vector.z)
    R_world_frame = _frame(move.direction.header.frame_id, frames, where)[:3, :3]
    if wanted == 0.0:
        return np.zeros(3), (wanted, least)
    length = np.linalg.norm(finite(given, f"{where}: direction", (3,)))
    if length < SHORTEST_DIRECTION:
        raise MessageError(f"{where}: {wanted} m are wanted, but the direction is {given}")
    return R_world_frame @ given / length, (wanted, least)


def _postures(message: GraspMessage, field: str, most: int, joints: Sequence[str]) -> list[Array]:
    """Positions (J,) [rad] of each point of a posture, in the order of ``joints``."""
    posture, where = getattr(message, field), _where(message, field)
    if not posture.points:
        raise MessageError(f"{where} has no points; give the positions of all {len(joints)} hand joints")
    if len(posture.points) > most:
        used = "the grasp, and the squeeze" if most > 1 else "the hand on its way in"
        raise MessageError(f"{where} has {len(posture.points)} points, at most {most} are used: {used}")
    found = []
    for point in posture.points:
        named = _by_joint(posture, point.positions, "positions", where)
        if missing := [name for name in joints if name not in named]:
            raise MessageError(f"{where} lacks {', '.join(missing)}")
        found.append(finite([named[name] for name in joints], where, (len(joints),)))
    return found


def _efforts(message: JointTrajectory, joints: Sequence[str], where: str) -> Array | None:
    """Efforts (J,) [N m] of the last point, None where it has none; `Grasp` checks the numbers."""
    if not len(message.points[-1].effort):
        return None
    named = _by_joint(message, message.points[-1].effort, "efforts", where)
    return np.array([named[name] for name in joints])


def _by_joint(message: JointTrajectory, values: Sequence[float], what: str, where: str) -> dict[str, float]:
    """Values by joint.

    Raises:
        MessageError: there is not one for each joint, or a joint is named twice.
    """
    names = message.joint_names
    if len(values) != len(names):
        raise MessageError(f"{where} has {len(values)} {what} for {len(names)} joint names")
    named = dict(zip(names, values, strict=True))
    if len(named) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise MessageError(f"{where} names joint {twice!r} twice")
    return named
