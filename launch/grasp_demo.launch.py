"""Starts the nodes of grasp_pose_net, in simulation or on the real arm and hand."""

from __future__ import annotations

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from grasp_pose_net.models import config_file, hand_names, robot_urdf
from grasp_pose_net.process import settle
from grasp_pose_net.system import DISCOVERY_RANGES, NODES, NodeSpec, Start, limit_discovery

PACKAGE = "grasp_pose_net"
YES_NO = ["true", "false"]

ARGUMENTS = (
    DeclareLaunchArgument(
        "sim",
        default_value="true",
        choices=YES_NO,
        description="Start the MuJoCo stand-in for arm, hand and cameras. With false, a driver must publish "
        "/joint_states and TF and offer the FollowJointTrajectory actions that config/executor.yaml names.",
    ),
    DeclareLaunchArgument(
        "rviz",
        default_value="true",
        choices=YES_NO,
        description="Start RViz with config/grasp_demo.rviz, where it is installed.",
    ),
    DeclareLaunchArgument(
        "planner",
        default_value="ompl",
        choices=["ompl", "moveit", "auto"],
        description="Motion planner of the executor; auto takes MoveIt where moveit_py is installed. "
        "MoveIt has not been tried with this package yet: use dry_run first.",
    ),
    DeclareLaunchArgument(
        "dry_run",
        default_value="false",
        choices=YES_NO,
        description="Plan and show every motion, and move nothing.",
    ),
    DeclareLaunchArgument(
        "hand",
        default_value="shadow",
        choices=hand_names(),
        description="Hand to plan grasps for; one that no robot of this package carries is planned for only.",
    ),
    DeclareLaunchArgument(
        "world_frame",
        default_value="",
        description="TF frame with z up that all nodes give scenes in; as their parameters say, world, when empty.",
    ),
    DeclareLaunchArgument(
        "cameras",
        default_value="",
        description="ROS parameter file of the perception node with the cell's cameras and workspace.",
    ),
    DeclareLaunchArgument(
        "parameters",
        default_value="",
        description="ROS parameter file for all nodes; what it sets outdoes the package's own files.",
    ),
    DeclareLaunchArgument(
        "robot_description",
        default_value="",
        description="URDF or xacro file in place of the robot's own; its links and joints must have the same names.",
    ),
    DeclareLaunchArgument(
        "robot_description_semantic",
        default_value="",
        description="SRDF file in place of the robot's own.",
    ),
    DeclareLaunchArgument(
        "objects",
        default_value="",
        description="Folder of meshes to put on the simulated table; the package's own when empty.",
    ),
    DeclareLaunchArgument(
        "recordings",
        default_value="",
        description="Folder that the simulation may write videos to, asked by its parameter video; none when empty.",
    ),
    DeclareLaunchArgument(
        "discovery",
        default_value="",
        choices=["", *DISCOVERY_RANGES],
        description="Who finds the nodes. When empty: as ROS_AUTOMATIC_DISCOVERY_RANGE says, and without it this "
        "machine alone. Give subnet for cameras and drivers on other machines, and read docs/security.md.",
    ),
    DeclareLaunchArgument(
        "enclaves",
        default_value="false",
        choices=YES_NO,
        description="Each node runs in its SROS 2 enclave /grasp_pose_net/<node>, see docs/security.md.",
    ),
    DeclareLaunchArgument(
        "log_level",
        default_value="info",
        choices=["debug", "info", "warn", "error", "fatal"],
        description="Least severe messages that the nodes log.",
    ),
    DeclareLaunchArgument(
        "use_sim_time",
        default_value=LaunchConfiguration("sim"),
        choices=YES_NO,
        description="Follow /clock instead of the system clock; as sim unless given.",
    ),
)


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start the nodes."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=start_nodes)])


def start_nodes(context: LaunchContext) -> list[Node | LogInfo]:
    """Everything that the arguments given ask for."""
    settle()  # the nodes are children of this process, and have its environment
    given = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in ARGUMENTS}
    rviz, log_level = given.pop("rviz") == "true", given.pop("log_level")
    flags = {name: given.pop(name) == "true" for name in ("sim", "use_sim_time", "dry_run", "enclaves")}
    start = Start(**flags, **given)
    limit_discovery(start.discovery)
    publisher = start.sim and is_installed("robot_state_publisher")
    nodes = [node_action(node, start, log_level, publisher) for node in NODES if node.starts(start)]
    if publisher:
        nodes.append(robot_state_publisher(start))
    if rviz:
        nodes.append(rviz_action(start))
    return nodes


def node_action(node: NodeSpec, start: Start, log_level: str, publisher: bool) -> Node:
    """One process; the whole launch ends when it does."""
    overrides = node.overrides(start)
    if node.simulated and publisher:
        overrides["publish_robot_tf"] = False
    return Node(
        package=PACKAGE,
        executable=node.name,
        name=node.name,
        output="screen",
        parameters=[*map(str, node.parameter_files(start)), overrides],
        ros_arguments=["--log-level", f"{node.name}:={log_level}", *node.ros_arguments(start)],
        on_exit=Shutdown(reason=f"node {node.name} ended"),
    )


def robot_state_publisher(start: Start) -> Node:
    """Links on TF and the description for RViz; a real robot's driver brings its own."""
    urdf = robot_urdf(start.robot_description or start.robot or "ur10_shadow")
    return Node(
        package="robot_state_publisher",
        executable="robot_state_publisher",
        parameters=[{"robot_description": urdf, "use_sim_time": start.use_sim_time}],
    )


def rviz_action(start: Start) -> Node | LogInfo:
    """RViz with what there is to see; the system works without."""
    if not is_installed("rviz2"):
        return LogInfo(msg="rviz2 is not installed: nothing is shown")
    return Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", str(config_file("grasp_demo.rviz"))],
        parameters=[{"use_sim_time": start.use_sim_time}],
    )


def is_installed(package: str) -> bool:
    """Whether ROS knows a package here."""
    try:
        get_package_share_directory(package)
    except PackageNotFoundError:
        return False
    return True
