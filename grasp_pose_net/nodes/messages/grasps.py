"""Grasps as ``moveit_msgs/Grasp`` and back; pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Time as TimeMessage
from geometry_msgs.msg import Vector3Stamped
from moveit_msgs.msg import Grasp, GripperTranslation
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from grasp_pose_net.hand import Hand
from grasp_pose_net.nodes.messages.basics import (
    duration_message,
    pose_stamped,
    transform_from_pose,
    vector_message,
)
from grasp_pose_net.planning import SQUEEZE_NM_RAD, PlannedGrasp, PlannerConfig
from grasp_pose_net.world import Array, inverse_transform, make_transform, split_transform

CLOSE_S, SQUEEZE_S = 0.8, 1.2


def grasp_message(
    hand: Hand,
    grasp: PlannedGrasp,
    config: PlannerConfig,
    *,
    name: str,
    T_frame_object: Array,
    frame: str,
    stamp: TimeMessage,
) -> Grasp:
    """Message of a planned grasp.

    ``grasp_pose`` is the pose of the hand's root link (the end effector's parent link) in ``frame``. ``grasp_posture`` has
    two points: the grasp, and the squeeze with its efforts.

    Args:
        hand: the hand.
        grasp: the grasp, object frame.
        config: lengths of approach and lift.
        name: the grasp's id.
        T_frame_object: (4, 4) pose of the object in ``frame``.
        frame: the object's header frame.
        stamp: time of the object's pose.
    """
    T_object_root = make_transform(grasp.x[:3], grasp.x[3:7]) @ hand.T_base_root
    header = Header(frame_id=frame, stamp=stamp)
    touch, squeeze = hand.all_joints(grasp.x[7:]), hand.all_joints(grasp.squeeze_joints)
    effort = SQUEEZE_NM_RAD * (squeeze - touch)
    message = Grasp(id=name, grasp_quality=float(grasp.worst_epsilon))
    message.grasp_pose = pose_stamped(frame, T_frame_object @ T_object_root, stamp)
    message.pre_grasp_posture = posture(hand, header, [(hand.all_joints(grasp.approach_joints), None, 0.0)])
    message.grasp_posture = posture(hand, header, [(touch, None, CLOSE_S), (squeeze, effort, SQUEEZE_S)])
    travel = T_frame_object[:3, :3] @ grasp.approach_direction
    message.pre_grasp_approach = translation(header, travel, config.approach_m)
    message.post_grasp_retreat = translation(header, np.array([0.0, 0.0, 1.0]), config.lift_m)
    message.post_place_retreat = translation(header, -travel, config.approach_m)
    return message


def candidate_message(
    hand: Hand, x: Array, *, name: str, T_frame_object: Array, frame: str, stamp: TimeMessage
) -> Grasp:
    """Message of a bare pose vector x (D,) in the object frame: pose and grasp posture only."""
    header = Header(frame_id=frame, stamp=stamp)
    T_object_root = make_transform(x[:3], x[3:7]) @ hand.T_base_root
    return Grasp(
        id=name,
        grasp_pose=pose_stamped(frame, T_frame_object @ T_object_root, stamp),
        grasp_posture=posture(hand, header, [(hand.all_joints(x[7:]), None, 0.0)]),
    )


def posture(
    hand: Hand, header: Header, points: Sequence[tuple[Array, Array | None, float]]
) -> JointTrajectory:
    """Trajectory of all hand joints: (positions (J,) [rad], efforts (J,) [N m] or None, seconds from start) each."""
    message = JointTrajectory(header=header, joint_names=list(hand.joint_names))
    for positions, effort, seconds in points:
        message.points.append(
            JointTrajectoryPoint(
                positions=np.asarray(positions, float).tolist(),
                effort=[] if effort is None else np.asarray(effort, float).tolist(),
                time_from_start=duration_message(seconds),
            )
        )
    return message


def translation(header: Header, direction: Array, distance_m: float) -> GripperTranslation:
    """Straight motion of the hand along a direction (3,) in the header's frame; all of it is needed."""
    return GripperTranslation(
        direction=Vector3Stamped(header=header, vector=vector_message(direction)),
        desired_distance=float(distance_m),
        min_distance=float(distance_m),
    )


def pose_vector(hand: Hand, message: Grasp, T_frame_object: Array) -> Array:
    """Pose vector x (D,) in the object frame of a grasp message whose pose is given in the object's header frame.

    Raises:
        ValueError: the grasp has no posture, lacks a joint of the hand, or its pose is broken; the text names the grasp.
    """
    if not message.grasp_posture.points:
        raise ValueError(f"grasp {message.id!r}: grasp_posture has no points")
    named = dict(
        zip(message.grasp_posture.joint_names, message.grasp_posture.points[0].positions, strict=False)
    )
    if missing := [name for name in hand.joint_names if name not in named]:
        raise ValueError(f"grasp {message.id!r}: grasp_posture lacks {', '.join(missing)}")
    T_frame_root = transform_from_pose(message.grasp_pose.pose)
    T_object_palm = inverse_transform(T_frame_object) @ T_frame_root @ inverse_transform(hand.T_base_root)
    joints = hand.independent_joints(np.array([named[name] for name in hand.joint_names]))
    return np.concatenate([*split_transform(T_object_palm), joints])
