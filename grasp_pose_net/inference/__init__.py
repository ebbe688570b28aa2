"""Object → candidate grasps: the network, rotation retries, ways in, selection. Free of ROS."""

from grasp_pose_net.inference.approach import Approaches, find_approaches
from grasp_pose_net.inference.network import load_network, make_network, save_network
from grasp_pose_net.inference.planner import (
    GraspPlanner,
    Plan,
    PlannedGrasp,
    PlannerConfig,
    Reachable,
    explain_failure,
)
from grasp_pose_net.inference.proposal import NetworkProposer, Proposer, SampledProposer, retry_rotations

__all__ = [
    "Approaches",
    "GraspPlanner",
    "NetworkProposer",
    "Plan",
    "PlannedGrasp",
    "PlannerConfig",
    "Proposer",
    "Reachable",
    "SampledProposer",
    "explain_failure",
    "find_approaches",
    "load_network",
    "make_network",
    "retry_rotations",
    "save_network",
]
