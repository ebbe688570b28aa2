"""The robot of a scene, read once: as text for MuJoCo, and as planning knows it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from grasp_pose_net import models
from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.robot import Group, MotionLimits, RobotModel


@lru_cache
def robot_texts(robot: str) -> tuple[str, str]:
    """URDF, expanded, and SRDF of a folder of models/robots."""
    return models.robot_urdf(robot), models.robot_srdf(robot)


@lru_cache
def robot_model(robot: str) -> RobotModel:
    """Groups, limits and named states of a robot; shared, so nothing may be computed with it."""
    return RobotModel(*robot_texts(robot))


def controlled(group: Group, moving: Sequence[str]) -> tuple[tuple[str, ...], MotionLimits]:
    """Joints of a group in the order of ``moving``, all the robot's, and their limits; a URDF has none of accelerations."""
    names = tuple(name for name in moving if name in group.names)
    order = [group.names.index(name) for name in names]
    lower, upper, velocity = (values[order] for values in (group.lower, group.upper, group.velocity))
    return names, MotionLimits(lower, upper, velocity, np.full(len(names), np.inf))


def posture(robot: RobotModel, group: Group, state: str) -> dict[str, float]:
    """Positions [rad] of a group's joints in a named state of the SRDF.

    Raises:
        ConfigError: no such state.
    """
    if state not in robot.named_states:
        raise ConfigError(
            f"SRDF: no group_state {state!r}; there are: {', '.join(robot.named_states) or 'none'}"
        )
    return dict(zip(group.names, robot.named_states[state][group.indices].tolist(), strict=True))
