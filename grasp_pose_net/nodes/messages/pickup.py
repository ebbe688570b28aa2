"""Goals of ``/pickup``; pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import product

from moveit_msgs.action import Pickup
from moveit_msgs.msg import Constraints, PlanningScene, RobotState, RobotTrajectory

from grasp_pose_net.exceptions import ConfigError, MessageError
from grasp_pose_net.execution import PickupResult
from grasp_pose_net.nodes.messages.basics import time_to_ns
from grasp_pose_net.nodes.messages.grasps import MOST_GRASPS, UNNAMED, grasp_from_message
from grasp_pose_net.nodes.messages.motion import trajectory_message
from grasp_pose_net.planning import supports_beneath
from grasp_pose_net.robot import MotionConfig, PlanningFailed, Problem, RobotModel
from grasp_pose_net.world import Grasp, Role, Scene

BOTH = tuple(product((False, True), repeat=2))


def supports_of_goal(goal: Pickup.Goal, scene: Scene, robot: RobotModel) -> tuple[str, ...]:
    """Ids of what the target of a goal stands on.

    Raises:
        PlanningError: target or support is not in the scene.
        MessageError: the goal asks for what the executor cannot do, or for something that is not to be picked up.
    """
    _check_wishes(goal, robot)
    _check_ids(goal)
    target = scene[goal.target_name]
    if target.role is Role.SUPPORT or target.id == goal.support_surface_name:
        raise MessageError(f"target_name {target.id!r} is what things stand on, and is not picked up")
    if goal.support_surface_name:
        return (scene[goal.support_surface_name].id,)
    return supports_beneath(scene, target)


def _check_wishes(goal: Pickup.Goal, robot: RobotModel) -> None:
    """Refuse a wish that would not be fulfilled: whoever has it takes it for granted.

    Raises:
        MessageError: naming the field, and what is valid.
    """
    options = goal.planning_options
    no_change = [PlanningScene(is_diff=scene, robot_state=RobotState(is_diff=state)) for scene, state in BOTH]
    strangers = sorted(set(goal.attached_object_touch_links) - set(robot.hand_links))
    touched = sorted(set(goal.allowed_touch_objects) - {goal.target_name})
    hand = ("", robot.hand_group, robot.end_effector)
    wishes = (
        (
            goal.group_name not in ("", robot.arm_group),
            f"group_name is {goal.group_name!r}; valid: {robot.arm_group!r}",
        ),
        (
            goal.end_effector not in hand,
            f"end_effector is {goal.end_effector!r}; valid: {robot.end_effector!r}",
        ),
        (
            bool(strangers),
            f"attached_object_touch_links has {strangers[:5]}; only links of {robot.hand_group!r} may touch it",
        ),
        (
            bool(touched),
            f"allowed_touch_objects has {touched[:5]}; only the target may be touched: leave it empty",
        ),
        (goal.minimize_object_distance, "minimize_object_distance is not supported; leave it false"),
        (
            goal.path_constraints != Constraints(),
            "path_constraints are not supported; leave them empty",
        ),
        (bool(goal.planner_id), f"planner_id {goal.planner_id!r} is not supported; leave it empty"),
        (
            options.planning_scene_diff not in no_change,
            "planning_options.planning_scene_diff is not supported; leave it empty, and publish what is there on the "
            "executor's objects_topic",
        ),
        (options.look_around, "planning_options.look_around is not supported; leave it false"),
        (options.replan, "planning_options.replan is not supported; leave it false"),
    )
    for wished, text in wishes:
        if wished:
            raise MessageError(text)


def _check_ids(goal: Pickup.Goal) -> None:
    """Refuse grasps that cannot be told apart, or not be looked at in time; ids may be left out.

    Raises:
        MessageError: naming the id or the count.
    """
    if len(goal.possible_grasps) > MOST_GRASPS:
        raise MessageError(f"{len(goal.possible_grasps)} possible_grasps, at most {MOST_GRASPS} are taken")
    for id, count in Counter(grasp.id for grasp in goal.possible_grasps).items():
        if id and count > 1:
            raise MessageError(f"{count} possible_grasps are called {id!r}; give each an id of its own")


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
