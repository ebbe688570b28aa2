"""MoveIt's configuration files agree with URDF, SRDF and the library's own limits; needs no ROS."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import yaml

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.execution import PickupConfig, moveit_parameters
from grasp_pose_net.models import robot_config_file, robot_srdf, robot_urdf, share_dir
from grasp_pose_net.robot import MotionConfig

NAME = "ur10_shadow"
FILES = (
    "joint_limits",
    "kinematics",
    "moveit_controllers",
    "moveit_cpp",
    "ompl_planning",
    "pilz_cartesian_limits",
)


def load(file):
    return yaml.safe_load(robot_config_file(NAME, f"{file}.yaml").read_text())


@pytest.fixture(scope="module")
def groups(robot):
    return {robot.arm_group: robot.arm, robot.hand_group: robot.hand}


@pytest.fixture(scope="module")
def parameters(robot):
    return moveit_parameters(NAME, robot_urdf(), robot_srdf(), robot, MotionConfig())


def test_all_files_are_there_and_no_other():
    folder = robot_config_file(NAME, "moveit_cpp.yaml").parent
    assert sorted(path.name for path in folder.iterdir()) == [f"{file}.yaml" for file in FILES]


def test_setup_assistant_points_at_the_description():
    folder = share_dir() / "models" / "robots" / NAME
    entry = yaml.safe_load((folder / ".setup_assistant").read_text())["moveit_setup_assistant_config"]
    assert entry["urdf"]["package"] == "grasp_pose_net"
    assert (share_dir() / entry["urdf"]["relative_path"]).read_text().startswith("<?xml")
    assert ElementTree.parse(folder / entry["srdf"]["relative_path"]).getroot().tag == "robot"


def test_robot_has_one_name_in_urdf_and_srdf():
    names = {ElementTree.fromstring(text).attrib["name"] for text in (robot_urdf(), robot_srdf())}
    assert names == {NAME}


def test_limits_are_those_of_the_urdf_and_of_the_default_motion(groups):
    limits = load("joint_limits")["joint_limits"]
    assert set(limits) == {joint for group in groups.values() for joint in group.names}
    motion = MotionConfig()
    top = dict(zip(groups, (motion.arm_acceleration_rad_s2, motion.hand_acceleration_rad_s2), strict=True))
    for name, group in groups.items():
        for joint, velocity in zip(group.names, group.velocity, strict=True):
            assert limits[joint] == {
                "has_velocity_limits": True,
                "max_velocity": pytest.approx(velocity),
                "has_acceleration_limits": True,
                "max_acceleration": top[name],
            }


def test_scales_and_start_tolerance_are_those_of_the_executor():
    motion, request = MotionConfig(), load("moveit_cpp")["plan_request_params"]
    limits = load("joint_limits")
    assert request["max_velocity_scaling_factor"] == motion.velocity_scale
    assert request["max_acceleration_scaling_factor"] == motion.acceleration_scale
    assert limits["default_velocity_scaling_factor"] == motion.velocity_scale
    assert limits["default_acceleration_scaling_factor"] == motion.acceleration_scale
    assert request["planning_time"] == motion.planning_time_s
    execution = load("moveit_controllers")["trajectory_execution"]
    assert execution["allowed_start_tolerance"] == PickupConfig().start_tolerance_rad


def test_each_group_has_a_controller_of_just_its_joints(groups):
    manager = load("moveit_controllers")["moveit_simple_controller_manager"]
    assert set(manager) == {"controller_names", *manager["controller_names"]}
    joints = {name: manager[name]["joints"] for name in manager["controller_names"]}
    assert sorted(map(sorted, joints.values())) == sorted(sorted(g.names) for g in groups.values())
    for name in manager["controller_names"]:
        assert manager[name]["type"] == "FollowJointTrajectory" and manager[name]["default"]


def test_groups_planners_and_joints_that_are_named_exist(groups):
    ompl, request = load("ompl_planning"), load("moveit_cpp")["plan_request_params"]
    for name, group in groups.items():
        assert set(ompl[name]["planner_configs"]) <= set(ompl["planner_configs"])
        assert ompl[name]["default_planner_config"] in ompl[name]["planner_configs"]
        inner = ompl[name]["projection_evaluator"].removeprefix("joints(").removesuffix(")")
        assert set(inner.split(",")) <= set(group.names)
        span = np.linalg.norm(group.upper - group.lower)
        assert ompl[name]["longest_valid_segment_fraction"] * span <= 0.06  # rad between two checks
    assert request["planner_id"] in ompl["right_arm"]["planner_configs"]
    assert request["planning_pipeline"] in load("moveit_cpp")["planning_pipelines"]["pipeline_names"]
    assert set(load("kinematics")) <= set(groups)


def test_a_motion_is_timed_before_it_is_validated():
    adapters = load("ompl_planning")["response_adapters"]
    timing, validation = (
        adapters.index(f"default_planning_response_adapters/{name}")
        for name in ("AddTimeOptimalParameterization", "ValidateSolution")
    )
    assert timing < validation


def leaves(entry, path=""):
    if isinstance(entry, dict):
        for key, value in entry.items():
            yield from leaves(value, f"{path}.{key}" if path else key)
    else:
        yield path, entry


def test_every_parameter_has_a_type_that_ros_takes(parameters):
    """ROS tells 4 from 4.0, and takes no empty and no mixed list."""
    for path, value in leaves(parameters):
        assert isinstance(value, (bool, int, float, str, list)), path
        if isinstance(value, list):
            assert value and all(isinstance(entry, str) for entry in value), path
        if isinstance(value, int) and not isinstance(value, bool):
            assert path.rpartition(".")[2] in ("planning_attempts", "max_nearest_neighbors"), path


def test_parameters_are_those_that_moveit_reads(parameters, robot):
    assert parameters["robot_description"] == robot_urdf()
    assert "right_arm" in parameters["robot_description_kinematics"]
    assert parameters["ompl"]["planning_plugins"] == ["ompl_interface/OMPLPlanner"]
    assert parameters["planning_pipelines"] == {"pipeline_names": ["ompl"]}
    limits = parameters["robot_description_planning"]["joint_limits"]
    assert limits["elbow_joint"]["max_acceleration"] == 4.0
    slow = MotionConfig(arm_acceleration_rad_s2=1.5, hand_acceleration_rad_s2=7.0)
    changed = moveit_parameters(NAME, robot_urdf(), robot_srdf(), robot, slow)
    limits = changed["robot_description_planning"]["joint_limits"]
    assert limits["elbow_joint"]["max_acceleration"] == 1.5
    assert limits["rh_FFJ3"]["max_acceleration"] == 7.0


def test_controllers_of_a_real_cell_take_the_place_of_the_simulated(robot):
    actions = {
        "right_arm": "scaled_joint_trajectory_controller/follow_joint_trajectory",
        "right_hand": "rh_trajectory_controller/follow_joint_trajectory",
    }
    changed = moveit_parameters(NAME, robot_urdf(), robot_srdf(), robot, MotionConfig(), actions)
    manager = changed["moveit_simple_controller_manager"]
    assert manager["controller_names"] == ["scaled_joint_trajectory_controller", "rh_trajectory_controller"]
    assert set(manager) == {"controller_names", *manager["controller_names"]}
    assert tuple(manager["scaled_joint_trajectory_controller"]["joints"]) == robot.arm.names
    assert manager["rh_trajectory_controller"]["action_ns"] == "follow_joint_trajectory"


def test_an_action_without_a_controller_is_refused(robot):
    with pytest.raises(ConfigError, match="expected <controller>/follow_joint_trajectory"):
        moveit_parameters(
            NAME, robot_urdf(), robot_srdf(), robot, MotionConfig(), {"right_arm": "follow_joint_trajectory"}
        )


def test_a_robot_without_configuration_is_refused(robot):
    with pytest.raises(ConfigError, match=r"joint_limits\.yaml does not exist"):
        moveit_parameters("toy", robot_urdf(), robot_srdf(), robot, MotionConfig())
