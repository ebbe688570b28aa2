"""An arm that carries a hand: model, limits, collision, inverse kinematics, and whether it can do a grasp."""

from grasp_pose_net.robot.body import Body, body_at
from grasp_pose_net.robot.cancel import Cancel, never
from grasp_pose_net.robot.chain import Chain
from grasp_pose_net.robot.collision import CollisionChecker, hand_checker, scene_checker
from grasp_pose_net.robot.grasp_motion import ArmPath, GraspMotion, carried_in
from grasp_pose_net.robot.history import JointHistory
from grasp_pose_net.robot.lines import line_poses
from grasp_pose_net.robot.model import Group, RobotModel
from grasp_pose_net.robot.motion import MotionConfig, MotionLimits
from grasp_pose_net.robot.problems import ExecutionFailed, PlanningFailed, Problem

__all__ = [
    "ArmPath",
    "Body",
    "Cancel",
    "Chain",
    "CollisionChecker",
    "ExecutionFailed",
    "GraspMotion",
    "Group",
    "JointHistory",
    "MotionConfig",
    "MotionLimits",
    "PlanningFailed",
    "Problem",
    "RobotModel",
    "body_at",
    "carried_in",
    "hand_checker",
    "line_poses",
    "never",
    "scene_checker",
]
