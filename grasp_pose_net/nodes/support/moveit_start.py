"""Whether the executor moves through MoveIt, and the start of it."""

from __future__ import annotations

from rclpy.node import Node

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.execution import (
    Controllers,
    MoveItControllers,
    MoveItSession,
    moveit_parameters,
    moveit_problem,
)
from grasp_pose_net.nodes.messages import moveit as moveit_messages
from grasp_pose_net.nodes.support.controller_client import ControllerParameters
from grasp_pose_net.robot import MotionConfig, RobotModel

OMPL, MOVEIT, AUTO = PLANNERS = ("ompl", "moveit", "auto")


def uses_moveit(node: Node, planner: str) -> bool:
    """Whether motions are MoveIt's: if asked for, or, with ``auto``, if it can be imported.

    Raises:
        ConfigError: they shall be, and it is not there.
    """
    problem = moveit_problem() if planner != OMPL else None
    if problem and planner == MOVEIT:
        raise ConfigError(
            f"planner is 'moveit', but Python cannot import it ({problem}); "
            "install moveit_py, or set planner to ompl or auto"
        )
    moveit = planner != OMPL and not problem
    node.get_logger().info(f"motions are planned with {'MoveIt' if moveit else 'OMPL'}")
    if moveit:
        node.get_logger().warning(
            "this package has been written against MoveIt's sources and has not run with it yet: "
            "use dry_run first, and planner:=ompl for what has been tried"
        )
    return moveit


def start_moveit(
    node: Node,
    robot: RobotModel,
    descriptions: tuple[str, str],
    name: str,
    motion: MotionConfig,
    controllers: ControllerParameters,
    direct: Controllers,
) -> tuple[MoveItSession, MoveItControllers]:
    """Start MoveIt; the session plans, the controllers execute through it.

    Args:
        node: whose clock MoveIt's follows.
        robot: the robot.
        descriptions: its URDF and SRDF.
        name: folder in ``models/robots`` with MoveIt's configuration.
        motion: speeds and clearance.
        controllers: names and times.
        direct: measures joints, and moves the hand where MoveIt cannot.

    Raises:
        ConfigError: it does not start.
    """
    actions = {robot.arm_group: controllers.arm, robot.hand_group: controllers.hand}
    parameters = moveit_parameters(name, *descriptions, robot, motion, actions)
    parameters["use_sim_time"] = node.get_parameter("use_sim_time").value
    try:
        session = MoveItSession(robot, motion, parameters, moveit_messages)
    except RuntimeError as error:
        raise ConfigError(f"MoveIt does not start: {error}; see its log, or set planner to ompl") from error
    times = (controllers.late_s, controllers.slowest_clock, controllers.answer_timeout_s)
    return session, MoveItControllers(session, direct, *times)
