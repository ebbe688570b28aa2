"""Grasp → motion: motion planning, and the pick-up sequence. Free of ROS."""

from grasp_pose_net.execution.checked_planner import CheckedPlanner
from grasp_pose_net.execution.measured import MeasuredRobot
from grasp_pose_net.execution.motion_planner import MotionPlanner
from grasp_pose_net.execution.moveit_config import moveit_parameters, moveit_problem
from grasp_pose_net.execution.moveit_controllers import MoveItControllers
from grasp_pose_net.execution.moveit_planner import MoveItPlanner
from grasp_pose_net.execution.moveit_session import MoveItSession
from grasp_pose_net.execution.ompl_planner import OmplPlanner
from grasp_pose_net.execution.pickup import Pickup
from grasp_pose_net.execution.recovery import Recovery, Tried, without_clearance
from grasp_pose_net.execution.shaking import shake
from grasp_pose_net.execution.stages import STAGES, Controllers, PickupConfig, PickupPlan, PickupResult, Step
from grasp_pose_net.execution.timing import along_path, check_limits, smooth_move

__all__ = [
    "STAGES",
    "CheckedPlanner",
    "Controllers",
    "MeasuredRobot",
    "MotionPlanner",
    "MoveItControllers",
    "MoveItPlanner",
    "MoveItSession",
    "OmplPlanner",
    "Pickup",
    "PickupConfig",
    "PickupPlan",
    "PickupResult",
    "Recovery",
    "Step",
    "Tried",
    "along_path",
    "check_limits",
    "moveit_parameters",
    "moveit_problem",
    "shake",
    "smooth_move",
    "without_clearance",
]
