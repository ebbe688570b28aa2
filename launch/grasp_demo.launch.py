"""Starts the nodes of grasp_pose_net, in simulation or on the real arm and hand."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from grasp_pose_net.bringup import NODES, NodeSpec

PACKAGE = "grasp_pose_net"

ARGUMENTS = (
    DeclareLaunchArgument(
        "sim",
        default_value="true",
        choices=["true", "false"],
        description="Start the MuJoCo stand-in for arm, hand and cameras; false on the real robot.",
    ),
    DeclareLaunchArgument(
        "planner",
        default_value="auto",
        choices=["auto", "moveit", "ompl"],
        description="Motion planner of the executor; auto takes MoveIt where it is installed.",
    ),
    DeclareLaunchArgument(
        "objects",
        default_value="",
        description="Folder of meshes to put on the simulated table; the package's own when empty.",
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
        choices=["true", "false"],
        description="Follow /clock instead of the system clock; as sim unless given.",
    ),
)


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start the nodes."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=start_nodes)])


def start_nodes(context: LaunchContext) -> list[Node]:
    """Nodes for the arguments given."""
    given = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in ARGUMENTS}
    return [node_action(node, given) for node in NODES if given["sim"] == "true" or not node.simulated]


def node_action(node: NodeSpec, given: dict[str, str]) -> Node:
    """One process; the whole launch ends when it does."""
    overrides = node.overrides(given["use_sim_time"] == "true", given["planner"], given["objects"])
    return Node(
        package=PACKAGE,
        executable=node.name,
        name=node.name,
        output="screen",
        parameters=[str(node.parameter_file), overrides],
        ros_arguments=["--log-level", f"{node.name}:={given['log_level']}"],
        on_exit=Shutdown(reason=f"node {node.name} ended"),
    )
