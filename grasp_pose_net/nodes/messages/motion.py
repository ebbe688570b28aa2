"""Trajectories and error codes between messages and the execution library; pure functions."""

from __future__ import annotations

from control_msgs.action import FollowJointTrajectory
from control_msgs.msg import JointTolerance
from moveit_msgs.msg import MoveItErrorCodes
from sensor_msgs.msg import JointState as JointStateMessage
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from grasp_pose_net.nodes.messages.basics import duration_message, stamp_seconds
from grasp_pose_net.robot import Problem
from grasp_pose_net.world import JointState, Trajectory

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
    Problem.BROKEN_STATE: MoveItErrorCodes.ROBOT_STATE_STALE,
    Problem.NOT_AT_START: MoveItErrorCodes.INVALID_MOTION_PLAN,
    Problem.NOT_AT_END: MoveItErrorCodes.CONTROL_FAILED,
    Problem.NOT_HELD: MoveItErrorCodes.FAILURE,
    Problem.WORLD_CHANGED: MoveItErrorCodes.MOTION_PLAN_INVALIDATED_BY_ENVIRONMENT_CHANGE,
    Problem.BUSY: MoveItErrorCodes.CONTROL_FAILED,
    Problem.REJECTED: MoveItErrorCodes.CONTROL_FAILED,
    Problem.ABORTED: MoveItErrorCodes.CONTROL_FAILED,
    Problem.TIMED_OUT: MoveItErrorCodes.TIMED_OUT,
    Problem.LOST: MoveItErrorCodes.CONTROL_FAILED,
    Problem.CANCELLED: MoveItErrorCodes.PREEMPTED,
}


def trajectory_message(trajectory: Trajectory) -> JointTrajectory:
    """Message of a trajectory; efforts, where there are any, are those of every point."""
    effort = [] if trajectory.efforts is None else trajectory.efforts.tolist()
    columns = (trajectory.times, trajectory.positions, *trajectory.derivatives)
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


def joint_state_from_message(message: JointStateMessage) -> JointState:
    """Measured joints of a message; velocities and efforts where they are told.

    Raises:
        MessageError: the stamp is no time.
        WorldError: there is not one number for each joint, one is none, or a joint is named twice.
    """
    return JointState(
        tuple(message.name),
        message.position,
        message.velocity if len(message.velocity) else None,
        message.effort if len(message.effort) else None,
        stamp=stamp_seconds(message.header.stamp),
    )


def follow_goal(trajectory: Trajectory, may_stop_short: bool) -> FollowJointTrajectory.Goal:
    """Goal for a trajectory controller; ``may_stop_short``: an object may hold the joints up anywhere."""
    goal = FollowJointTrajectory.Goal(trajectory=trajectory_message(trajectory))
    if may_stop_short:
        # control_msgs: a negative tolerance means that there is none
        goal.path_tolerance = [JointTolerance(name=name, position=-1.0) for name in trajectory.joint_names]
        goal.goal_tolerance = [JointTolerance(name=name, position=-1.0) for name in trajectory.joint_names]
    return goal
