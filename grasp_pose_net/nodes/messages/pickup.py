"""Goals of ``/pickup``; pure functions."""

from __future__ import annotations

from moveit_msgs.action import Pickup
from moveit_msgs.msg import Constraints

from grasp_pose_net.planning import supports_beneath
from grasp_pose_net.world import Scene


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
