"""Object → candidate grasps: the network, rotation retries, ways in, selection. Free of ROS."""

from grasp_pose_net.inference.account import Account, rejection_text, rejections, seconds_text, stage_seconds
from grasp_pose_net.inference.approach import Approaches, find_approaches
from grasp_pose_net.inference.failure import NoGraspFound
from grasp_pose_net.inference.network import load_network, make_network, save_network
from grasp_pose_net.inference.objective import OBJECTIVES, ObjectiveConfig
from grasp_pose_net.inference.planner import (
    SQUEEZE_NM_RAD,
    GraspPlanner,
    Plan,
    PlannedGrasp,
    PlannerConfig,
    Reachable,
    Refine,
    best_of,
)
from grasp_pose_net.inference.proposal import NetworkProposer, Proposer, SampledProposer, retry_rotations

__all__ = [
    "OBJECTIVES",
    "SQUEEZE_NM_RAD",
    "Account",
    "Approaches",
    "GraspPlanner",
    "NetworkProposer",
    "NoGraspFound",
    "ObjectiveConfig",
    "Plan",
    "PlannedGrasp",
    "PlannerConfig",
    "Proposer",
    "Reachable",
    "Refine",
    "SampledProposer",
    "best_of",
    "find_approaches",
    "load_network",
    "make_network",
    "rejection_text",
    "rejections",
    "retry_rotations",
    "save_network",
    "seconds_text",
    "stage_seconds",
]
