"""How fast and how carefully the robot moves."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.robot.model import Group, RobotModel
from grasp_pose_net.world import Array

SAMPLE_S = 0.02  # between two samples of a motion


@dataclass(frozen=True)
class MotionLimits:
    """What the joints (J,) may do: positions [rad], speeds [rad/s] and accelerations [rad/s²]."""

    lower: Array
    upper: Array
    velocity: Array
    acceleration: Array

    def scaled(self, velocity_scale: float, acceleration_scale: float) -> MotionLimits:
        """The same positions at a part of the speed and acceleration, both scales in (0, 1]."""
        return replace(
            self, velocity=velocity_scale * self.velocity, acceleration=acceleration_scale * self.acceleration
        )


@dataclass(frozen=True, kw_only=True)
class MotionConfig(Settings):
    """How fast and how carefully the robot moves."""

    velocity_scale: float = setting(0.5, 0.01, 1.0, "part of the joints' top speed, of arm and hand")
    acceleration_scale: float = setting(
        0.5, 0.01, 1.0, "part of the joints' top acceleration, of arm and hand"
    )
    arm_acceleration_rad_s2: float = setting(4.0, 0.1, 20.0, "top acceleration of each arm joint [rad/s²]")
    hand_acceleration_rad_s2: float = setting(
        40.0, 1.0, 200.0, "top acceleration of each hand joint [rad/s²]"
    )
    clearance_m: float = setting(0.01, 0.0, 0.1, "distance of arm and forearm from the scene [m]")
    support_depth_m: float = setting(
        0.005, 0.0, 0.02, "how far fingers may seem to reach into the perceived table [m]"
    )
    hand_overlap_m: float = setting(
        0.005, 0.0, 0.02, "how far the hand may reach into itself on the way in [m]"
    )
    planning_time_s: float = setting(3.0, 0.1, 60.0, "longest search for a path [s]")
    line_step_m: float = setting(0.005, 0.001, 0.02, "distance of the poses on a straight line [m]")
    line_jump_rad: float = setting(0.1, 0.01, 0.5, "most a joint may turn between two of those [rad]")
    carry_rad_per_m: float = setting(
        6.0,
        1.0,
        1000.0,
        (
            "most that a joint of the arm that holds an object may have to turn for a metre of the tip, in any "
            "direction; what is more is so near a singularity that the object cannot be carried on [rad/m]"
        ),
    )
    seed: int = setting(1, 1, 2**31 - 1, "seed of the path search")

    def arm_limits(self, robot: RobotModel) -> MotionLimits:
        """Limits of the arm's joints, scaled."""
        return self._limits(robot.arm, self.arm_acceleration_rad_s2)

    def hand_limits(self, robot: RobotModel) -> MotionLimits:
        """Limits of the hand's joints, scaled."""
        return self._limits(robot.hand, self.hand_acceleration_rad_s2)

    def _limits(self, group: Group, acceleration: float) -> MotionLimits:
        accelerations = np.full(len(group.names), acceleration)
        limits = MotionLimits(group.lower, group.upper, group.velocity, accelerations)
        return limits.scaled(self.velocity_scale, self.acceleration_scale)
