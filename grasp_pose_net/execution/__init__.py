"""Grasp → motion: the robot and its scene, motion planning, and the pick-up sequence. Free of ROS."""

from grasp_pose_net.execution.chain import Chain
from grasp_pose_net.execution.checked_planner import CheckedPlanner
from grasp_pose_net.execution.collision import CollisionChecker, hand_checker, scene_checker
from grasp_pose_net.execution.grasp_motion import ArmPath, GraspMotion, PickGrasp
from grasp_pose_net.execution.lines import line_poses, shake
from grasp_pose_net.execution.measured import MeasuredRobot
from grasp_pose_net.execution.moveit_config import moveit_parameters, moveit_problem
from grasp_pose_net.execution.moveit_controllers import MoveItControllers
from grasp_pose_net.execution.moveit_planner import MoveItPlanner
from grasp_pose_net.execution.moveit_session import MoveItSession
from grasp_pose_net.execution.ompl_planner import OmplPlanner
from grasp_pose_net.execution.pickup import Pickup
from grasp_pose_net.execution.planner import MotionConfig, MotionPlanner
from grasp_pose_net.execution.problems import ExecutionFailed, PlanningFailed, Problem
from grasp_pose_net.execution.recovery import Recovery, without_clearance
from grasp_pose_net.execution.robot import RobotModel
from grasp_pose_net.execution.scene import Attachment, Scene, SceneObject
from grasp_pose_net.execution.stages import (
    STAGES,
    Controllers,
    JointState,
    PickupConfig,
    PickupPlan,
    PickupResult,
    Step,
)
from grasp_pose_net.execution.trajectory import (
    MotionLimits,
    Trajectory,
    along_path,
    check_limits,
    smooth_move,
)

__all__ = [
    "STAGES",
    "ArmPath",
    "Attachment",
    "Chain",
    "CheckedPlanner",
    "CollisionChecker",
    "Controllers",
    "ExecutionFailed",
    "GraspMotion",
    "JointState",
    "MeasuredRobot",
    "MotionConfig",
    "MotionLimits",
    "MotionPlanner",
    "MoveItControllers",
    "MoveItPlanner",
    "MoveItSession",
    "OmplPlanner",
    "PickGrasp",
    "Pickup",
    "PickupConfig",
    "PickupPlan",
    "PickupResult",
    "PlanningFailed",
    "Problem",
    "Recovery",
    "RobotModel",
    "Scene",
    "SceneObject",
    "Step",
    "Trajectory",
    "along_path",
    "check_limits",
    "hand_checker",
    "line_poses",
    "moveit_parameters",
    "moveit_problem",
    "scene_checker",
    "shake",
    "smooth_move",
    "without_clearance",
]
