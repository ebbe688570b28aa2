"""MoveIt's parameters for a robot, from the files of its ``config`` folder. Free of ROS.

The folder of a robot is laid out as a MoveIt configuration package: :func:`moveit_parameters` gives what
``moveit_configs_utils`` makes of it, without needing that package, and with this project's limits and controllers.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.models import robot_config_file
from grasp_pose_net.reading import read_yaml
from grasp_pose_net.robot.model import RobotModel
from grasp_pose_net.robot.motion import MotionConfig

CONTROLLER_MANAGER = "moveit_simple_controller_manager"


def moveit_problem() -> str | None:
    """Why MoveIt's Python interface cannot be used here, None where it can."""
    try:
        importlib.import_module("moveit.planning")
    except ImportError as error:
        return str(error)
    return None


def moveit_parameters(
    name: str,
    urdf: str,
    srdf: str,
    robot: RobotModel,
    motion: MotionConfig,
    actions: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Parameters of a MoveIt node, nested as in a ROS parameter file.

    Args:
        name: folder in ``models/robots``.
        urdf: the robot's description.
        srdf: its groups and what may collide.
        robot: the same, read.
        motion: its accelerations take the place of those in ``joint_limits.yaml``.
        actions: ``FollowJointTrajectory`` action by group, where it is not that of ``moveit_controllers.yaml``.

    Raises:
        ConfigError: a file is missing, or lacks a joint or a controller.
    """
    limits = _load(name, "joint_limits.yaml")
    groups = {robot.arm_group: robot.arm, robot.hand_group: robot.hand}
    accelerations = (motion.arm_acceleration_rad_s2, motion.hand_acceleration_rad_s2)
    for group, acceleration in zip(groups.values(), accelerations, strict=True):
        for joint in group.names:
            if joint not in limits["joint_limits"]:
                raise ConfigError(f"joint_limits.yaml of {name} lacks {joint}; give it the URDF's velocity")
            limits["joint_limits"][joint]["max_acceleration"] = float(acceleration)
    controllers = _load(name, "moveit_controllers.yaml")
    for group_name, action in (actions or {}).items():
        _use_action(controllers[CONTROLLER_MANAGER], groups[group_name].names, action)
    return {
        "robot_description": urdf,
        "robot_description_semantic": srdf,
        "robot_description_kinematics": _load(name, "kinematics.yaml"),
        "robot_description_planning": limits,
        "ompl": _load(name, "ompl_planning.yaml"),
        **controllers,
        # MoveIt shall not load or switch controllers: on a real cell an operator does
        "moveit_manage_controllers": False,
        **_load(name, "moveit_cpp.yaml"),
        **{
            f"publish_{what}": True
            for what in ("planning_scene", "geometry_updates", "state_updates", "transforms_updates")
        },
    }


def _use_action(manager: dict[str, Any], joints: tuple[str, ...], action: str) -> None:
    """Give the controller of some joints the name and action that make up ``<name>/<action>``."""
    for old in manager["controller_names"]:
        if set(manager[old]["joints"]) == set(joints):
            new, _, kind = action.rpartition("/")
            if not new:
                raise ConfigError(f"action {action!r}: expected <controller>/follow_joint_trajectory")
            entry = manager.pop(old) | {"action_ns": kind}
            manager["controller_names"] = [new if n == old else n for n in manager["controller_names"]]
            manager[new] = entry
            return
    raise ConfigError(f"moveit_controllers.yaml has no controller of exactly {', '.join(joints)}")


def _load(name: str, file: str) -> dict[str, Any]:
    return read_yaml(robot_config_file(name, file))
