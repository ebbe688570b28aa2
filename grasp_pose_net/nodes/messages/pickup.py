"""Goals of ``/pickup``; pure functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from moveit_msgs.action import Pickup
from moveit_msgs.msg import Constraints, RobotTrajectory

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.execution import PickupResult
from grasp_pose_net.nodes.messages.basics import time_to_ns
from grasp_pose_net.nodes.messages.grasps import UNNAMED, grasp_from_message
from grasp_pose_net.nodes.messages.motion import trajectory_message
from grasp_pose_net.planning import supports_beneath
from grasp_pose_net.robot import MotionConfig, PlanningFailed, Problem, RobotModel
from grasp_pose_net.world import Grasp, Scene


def supports_of_goal(goal: Pickup.Goal, scene: Scene, arm_group: str) -> tuple[str, ...]:
    """Ids of what the target of a goal stands on.

    Raises:
        PlanningError: target or support is not in the scene.
        ValueError: the goal asks for what the executor cannot do.
    """
    if goal.group_name not in ("", arm_group):
        raise ValueError(f"group_name is {goal.group_name!r}; valid: {arm_group!r}")
    if goal.path_constraints != Constraints():
        raise ValueError("path_constraints are not supported; leave them empty")
    target = scene[goal.target_name]
    if goal.support_surface_name:
        return (scene[goal.support_surface_name].id,)
    return supports_beneath(scene, target)


def check_capture(goal: Pickup.Goal, scene: Scene) -> None:
    """Refuse grasps that were planned before the target was last seen: what was then is not what is now.

    Grasps and objects that carry no time are not compared.

    Raises:
        PlanningFailed: naming the grasp and both times.
        PlanningError: the target is not in the scene.
    """
    seen = scene[goal.target_name].stamp_ns
    for grasp in goal.possible_grasps:
        planned = time_to_ns(grasp.grasp_pose.header.stamp)
        if 0 < planned < seen:
            raise PlanningFailed(
                Problem.WORLD_CHANGED,
                f"grasp {grasp.id!r} was planned for {goal.target_name} as it was seen at {planned * 1e-9:.3f} s, and it has "
                f"been seen again at {seen * 1e-9:.3f} s; plan again",
            )


def grasps_of_goal(
    goal: Pickup.Goal, scene: Scene, robot: RobotModel, cancelled: Callable[[], bool]
) -> list[Grasp]:
    """Grasps of a goal, in the scene's frame; only the first of them, once it is cancelled.

    Raises:
        ValueError: one is broken; the text names it.
    """
    grasps = []
    for message in goal.possible_grasps:
        if cancelled():
            break
        grasps.append(grasp_from_message(message, scene, robot.tip, robot.hand.names))
    return grasps


def motion_of_goal(goal: Pickup.Goal, motion: MotionConfig) -> MotionConfig:
    """How to move for a goal, ``motion`` where it does not say.

    Raises:
        ConfigError: its planning time is outside the range of the setting.
    """
    if goal.allowed_planning_time == 0:
        return motion
    try:
        return replace(motion, planning_time_s=goal.allowed_planning_time)
    except ConfigError as error:
        raise ConfigError(f"allowed_planning_time: {error}") from error


def answer_of(goal: Pickup.Goal, result: PickupResult) -> Pickup.Result:
    """What was done for a goal, without the code of how it ended."""
    answer = Pickup.Result(planning_time=result.planning_s)
    answer.trajectory_stages = [
        RobotTrajectory(joint_trajectory=trajectory_message(step.trajectory)) for step in result.done
    ]
    answer.trajectory_descriptions = [step.stage for step in result.done]
    for message in goal.possible_grasps:
        if result.grasp is not None and result.grasp.id == (message.id or UNNAMED):
            answer.grasp = message
    return answer
