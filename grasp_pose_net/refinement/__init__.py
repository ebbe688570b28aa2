"""Candidate -> grasp without penetration, and the descent that grasp synthesis shares with it."""

from grasp_pose_net.refinement.descent import Descended, Descent, Energy, descend, evaluate
from grasp_pose_net.refinement.forces import balanced_forces
from grasp_pose_net.refinement.postures import Postures, contact_jacobian, postures, pregrasp_joints
from grasp_pose_net.refinement.refine import (
    OBJECTIVES,
    ObjectiveConfig,
    Refined,
    Refinement,
    paper_objective,
    refine,
)

__all__ = [
    "OBJECTIVES",
    "Descended",
    "Descent",
    "Energy",
    "ObjectiveConfig",
    "Postures",
    "Refined",
    "Refinement",
    "balanced_forces",
    "contact_jacobian",
    "descend",
    "evaluate",
    "paper_objective",
    "postures",
    "pregrasp_joints",
    "refine",
]
