"""Object → candidate grasps: the network, the rotations that it is shown, and starts drawn around an object."""

from grasp_pose_net.inference.network import load_network, make_network, save_network
from grasp_pose_net.inference.proposal import (
    SAMPLED,
    NetworkProposer,
    Proposer,
    SampledProposer,
    make_proposer,
    retry_rotations,
    weights,
)
from grasp_pose_net.inference.starts import Starts, draw_starts

__all__ = [
    "SAMPLED",
    "NetworkProposer",
    "Proposer",
    "SampledProposer",
    "Starts",
    "draw_starts",
    "load_network",
    "make_network",
    "make_proposer",
    "retry_rotations",
    "save_network",
    "weights",
]
