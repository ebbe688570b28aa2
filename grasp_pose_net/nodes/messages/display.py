"""A planned pick-up as RViz's MoveIt displays show it; pure functions."""

from __future__ import annotations

import numpy as np
from moveit_msgs.msg import DisplayRobotState, DisplayTrajectory, RobotState, RobotTrajectory
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from grasp_pose_net.execution import PickupPlan
from grasp_pose_net.nodes.messages.motion import trajectory_message
from grasp_pose_net.robot import RobotModel
from grasp_pose_net.world import WORLD, Array


def planned_motion(plan: PickupPlan, robot: RobotModel, name: str) -> DisplayTrajectory:
    """All motions of a plan one after another, for MoveIt's trajectory display; ``name`` is the robot's."""
    return DisplayTrajectory(
        model_id=name,
        trajectory=[RobotTrajectory(joint_trajectory=trajectory_message(s.trajectory)) for s in plan.steps],
        trajectory_start=robot_state(robot, plan.steps[0].start),
    )


def grasp_state(plan: PickupPlan, robot: RobotModel) -> DisplayRobotState:
    """The robot at the grasp of a plan, fingers on the object, for MoveIt's robot state display."""
    # the squeeze starts there
    at_grasp = next(step.start for step in plan.steps if step.stage == "squeeze")
    return DisplayRobotState(state=robot_state(robot, at_grasp))


def robot_state(robot: RobotModel, configuration: Array) -> RobotState:
    """Message of a configuration (J,) [rad]."""
    positions = np.asarray(configuration, float).tolist()
    joints = JointState(header=Header(frame_id=WORLD), name=list(robot.joint_names), position=positions)
    return RobotState(joint_state=joints)
