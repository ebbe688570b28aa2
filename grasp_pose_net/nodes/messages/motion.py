"""Scenes, grasps and trajectories between messages and the execution library; pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from control_msgs.action import FollowJointTrajectory
from control_msgs.msg import JointTolerance
from moveit_msgs.msg import CollisionObject, Grasp, GripperTranslation, MoveItErrorCodes
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from grasp_pose_net.nodes.messages.basics import boxes_and_meshes, duration_message, transform_from_pose
from grasp_pose_net.robot import Grasp, Problem
from grasp_pose_net.world import Array, Scene, SceneObject, Trajectory, inverse_transform

WORLD = "world"

ERROR_CODES = {
    None: MoveItErrorCodes.SUCCESS,
    Problem.INVALID_GRASP: MoveItErrorCodes.INVALID_GOAL_CONSTRAINTS,
    Problem.OUTSIDE_LIMITS: MoveItErrorCodes.INVALID_ROBOT_STATE,
    Problem.START_IN_COLLISION: MoveItErrorCodes.START_STATE_IN_COLLISION,
    Problem.GOAL_IN_COLLISION: MoveItErrorCodes.GOAL_IN_COLLISION,
    Problem.HAND_IN_COLLISION: MoveItErrorCodes.GOAL_IN_COLLISION,
    Problem.NO_INVERSE_KINEMATICS: MoveItErrorCodes.NO_IK_SOLUTION,
    Problem.APPROACH_BLOCKED: MoveItErrorCodes.PLANNING_FAILED,
    Problem.LIFT_BLOCKED: MoveItErrorCodes.PLANNING_FAILED,
    Problem.NEAR_SINGULARITY: MoveItErrorCodes.PLANNING_FAILED,
    Problem.NO_PATH: MoveItErrorCodes.PLANNING_FAILED,
    Problem.STALE_STATE: MoveItErrorCodes.ROBOT_STATE_STALE,
    Problem.NOT_AT_START: MoveItErrorCodes.INVALID_MOTION_PLAN,
    Problem.REJECTED: MoveItErrorCodes.CONTROL_FAILED,
    Problem.ABORTED: MoveItErrorCodes.CONTROL_FAILED,
    Problem.TIMED_OUT: MoveItErrorCodes.TIMED_OUT,
    Problem.LOST: MoveItErrorCodes.CONTROL_FAILED,
    Problem.CANCELLED: MoveItErrorCodes.PREEMPTED,
}


def scene_from_messages(objects: Iterable[CollisionObject]) -> Scene:
    """Scene of collision objects, all of them given in the world frame.

    Raises:
        ValueError: an object has another frame, an unsupported shape, or a broken pose; the text names it.
    """
    entries = []
    for message in objects:
        if message.header.frame_id != WORLD:
            raise ValueError(
                f"object {message.id!r} is given in frame {message.header.frame_id!r}; "
                f"only {WORLD!r} is accepted"
            )
        entries.append(scene_object(message))
    return Scene(tuple(entries))


def scene_object(message: CollisionObject) -> SceneObject:
    """Object of a message; its header's frame is the world.

    Raises:
        ValueError: a shape other than boxes and meshes, or a broken pose.
    """
    T_world_object = transform_from_pose(message.pose)
    T_object_world = inverse_transform(T_world_object)
    boxes, meshes = boxes_and_meshes(message)
    return SceneObject(
        message.id,
        T_world_object,
        boxes=tuple((size, T_object_world @ T_world_box) for size, T_world_box in boxes),
        meshes=tuple(mesh.copy().apply_transform(T_object_world @ T) for mesh, T in meshes),
    )


def pick_grasp(message: Grasp, scene: Scene, tip: str, hand_joints: Sequence[str]) -> Grasp:
    """Grasp of a message in the world frame.

    Args:
        message: its ``grasp_pose`` is the pose of the tip link in the world or in an object of the scene.
        scene: the objects whose ids are frames.
        tip: end effector's parent link; directions may be given in it, too.
        hand_joints: all joints of the hand, in the order of the result.

    Raises:
        ValueError: an unknown frame, a missing joint or direction; the text names the grasp.
    """
    frames = {WORLD: np.eye(4), **{entry.name: entry.T_world_object for entry in scene.objects}}
    where = f"grasp {message.id!r}"
    pose = message.grasp_pose
    T_world_tip = _frame(pose.header.frame_id, frames, f"{where}: grasp_pose") @ transform_from_pose(
        pose.pose
    )
    frames[tip] = T_world_tip
    approach, approach_m = _translation(message.pre_grasp_approach, frames, f"{where}: pre_grasp_approach")
    retreat, retreat_m = _translation(message.post_grasp_retreat, frames, f"{where}: post_grasp_retreat")
    touch = _posture(message.grasp_posture, 0, hand_joints, f"{where}: grasp_posture")
    squeeze = touch
    if len(message.grasp_posture.points) > 1:
        squeeze = _posture(message.grasp_posture, 1, hand_joints, f"{where}: grasp_posture")
    return Grasp(
        name=message.id or "unnamed",
        T_world_tip=T_world_tip,
        approach=approach,
        approach_m=approach_m,
        retreat=retreat,
        retreat_m=retreat_m,
        pre_grasp=_posture(message.pre_grasp_posture, 0, hand_joints, f"{where}: pre_grasp_posture"),
        grasp=touch,
        squeeze=squeeze,
        efforts=_efforts(message.grasp_posture, hand_joints),
    )


def trajectory_message(trajectory: Trajectory) -> JointTrajectory:
    """Message of a trajectory; efforts, where there are any, are those of every point."""
    effort = [] if trajectory.efforts is None else trajectory.efforts.tolist()
    columns = (trajectory.times, trajectory.positions, trajectory.velocities, trajectory.accelerations)
    return JointTrajectory(
        joint_names=list(trajectory.joint_names),
        points=[
            JointTrajectoryPoint(
                positions=positions.tolist(),
                velocities=velocities.tolist(),
                accelerations=accelerations.tolist(),
                effort=effort,
                time_from_start=duration_message(float(seconds)),
            )
            for seconds, positions, velocities, accelerations in zip(*columns, strict=True)
        ],
    )


def follow_goal(trajectory: Trajectory, may_stop_short: bool) -> FollowJointTrajectory.Goal:
    """Goal for a trajectory controller; ``may_stop_short``: an object may hold the joints up anywhere."""
    goal = FollowJointTrajectory.Goal(trajectory=trajectory_message(trajectory))
    if may_stop_short:
        # control_msgs: a negative tolerance means that there is none
        goal.path_tolerance = [JointTolerance(name=name, position=-1.0) for name in trajectory.joint_names]
        goal.goal_tolerance = [JointTolerance(name=name, position=-1.0) for name in trajectory.joint_names]
    return goal


def _frame(name: str, frames: Mapping[str, Array], where: str) -> Array:
    if name not in frames:
        raise ValueError(f"{where} is in frame {name!r}; accepted: {', '.join(frames)}")
    return frames[name]


def _translation(
    message: GripperTranslation, frames: Mapping[str, Array], where: str
) -> tuple[Array, tuple[float, float]]:
    """Unit direction (3,) in the world, and the wanted and least distance [m]."""
    vector = message.direction.vector
    direction = _frame(message.direction.header.frame_id, frames, where)[:3, :3] @ (
        vector.x,
        vector.y,
        vector.z,
    )
    length, wanted, least = np.linalg.norm(direction), message.desired_distance, message.min_distance
    if not 0.0 <= least <= wanted + 1e-6:
        raise ValueError(f"{where}: min_distance {least} must be from 0 to desired_distance {wanted}")
    if wanted > 0.0 and not 1e-6 < length < np.inf:
        raise ValueError(
            f"{where}: {wanted} m are wanted, but the direction is ({vector.x}, {vector.y}, {vector.z})"
        )
    return direction / length if wanted > 0.0 else np.zeros(3), (float(wanted), float(least))


def _posture(message: JointTrajectory, index: int, joints: Sequence[str], where: str) -> Array:
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
