"""Ground-truth grasps: the planner, and dataset files."""

from grasp_pose_net.inference.starts import Starts, draw_starts, stable_planes
from grasp_pose_net.synthesis.annealing import Annealing, anneal
from grasp_pose_net.synthesis.dataset_report import dataset_report, report_text, shortfall
from grasp_pose_net.synthesis.files import GraspDataset, load_dataset, save_dataset, storable
from grasp_pose_net.synthesis.gradient import Synthesis, synthesize
from grasp_pose_net.synthesis.grasps import Grasps, grasp_distance
from grasp_pose_net.synthesis.pipeline import synthesize_dataset
from grasp_pose_net.synthesis.sources import find_meshes, object_name

__all__ = [
    "Annealing",
    "GraspDataset",
    "Grasps",
    "Starts",
    "Synthesis",
    "anneal",
    "dataset_report",
    "draw_starts",
    "find_meshes",
    "grasp_distance",
    "load_dataset",
    "object_name",
    "report_text",
    "save_dataset",
    "shortfall",
    "stable_planes",
    "storable",
    "synthesize",
    "synthesize_dataset",
]
