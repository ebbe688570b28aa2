"""Parameters of the executor node."""

from __future__ import annotations

from dataclasses import dataclass, field

from grasp_pose_net.config import setting
from grasp_pose_net.execution import PickupConfig
from grasp_pose_net.nodes.support.controller_client import ControllerParameters
from grasp_pose_net.nodes.support.moveit_start import PLANNERS
from grasp_pose_net.nodes.support.shared import RobotParameters, SceneParameters
from grasp_pose_net.robot import MotionConfig


@dataclass(frozen=True, kw_only=True)
class ExecutorParameters(RobotParameters, SceneParameters):
    """Parameters of the executor node."""

    planner: str = setting(
        "ompl",
        doc="plans the arm's motions; auto takes MoveIt, which then also executes, where it is installed",
        choices=PLANNERS,
    )
    dry_run: bool = setting(False, doc="plan and show every motion, and send none to a controller", live=True)
    locked: bool = setting(False, doc="nothing may be changed while the node runs, dry_run neither")
    motion: MotionConfig = field(
        default_factory=lambda: MotionConfig(velocity_scale=0.1, acceleration_scale=0.1)
    )
    pickup: PickupConfig = field(default_factory=PickupConfig)
    controllers: ControllerParameters = field(default_factory=ControllerParameters)
