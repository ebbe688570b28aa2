"""Ground-truth grasps: the planner, and dataset files."""

from grasp_pose_net.synthesis.dataset import (
    GraspDataset,
    dataset_report,
    find_meshes,
    load_dataset,
    object_name,
    synthesize_dataset,
)
from grasp_pose_net.synthesis.planner import Grasps, Synthesis, grasp_distance, synthesize
from grasp_pose_net.synthesis.starts import Starts, draw_starts, stable_planes

__all__ = [
    "GraspDataset",
    "Grasps",
    "Starts",
    "Synthesis",
    "dataset_report",
    "draw_starts",
    "find_meshes",
    "grasp_distance",
    "load_dataset",
    "object_name",
    "stable_planes",
    "synthesize",
    "synthesize_dataset",
]
