"""The stages joined: from a scene to ranked grasps of an object in it. Free of ROS."""

from grasp_pose_net.planning.account import Account, reasons_from_json, to_json
from grasp_pose_net.planning.batch import Batch
from grasp_pose_net.planning.config import PlannerConfig
from grasp_pose_net.planning.context import Context, Fields, Surroundings, supports_beneath, surroundings
from grasp_pose_net.planning.grasps import SQUEEZE_NM_RAD, grasp_of
from grasp_pose_net.planning.planner import (
    ArmChecks,
    GraspPlanner,
    NoGraspFound,
    Plan,
    best_of,
    default_stages,
)
from grasp_pose_net.planning.reject import Reject
from grasp_pose_net.planning.stages import (
    Approach,
    BestFirst,
    Doubt,
    Judge,
    Propose,
    Reach,
    Refine,
    Stage,
    run,
)

__all__ = [
    "SQUEEZE_NM_RAD",
    "Account",
    "Approach",
    "ArmChecks",
    "Batch",
    "BestFirst",
    "Context",
    "Doubt",
    "Fields",
    "GraspPlanner",
    "Judge",
    "NoGraspFound",
    "Plan",
    "PlannerConfig",
    "Propose",
    "Reach",
    "Refine",
    "Reject",
    "Stage",
    "Surroundings",
    "best_of",
    "default_stages",
    "grasp_of",
    "reasons_from_json",
    "run",
    "supports_beneath",
    "surroundings",
    "to_json",
]
