"""Ground-truth grasps: candidates, the search for those that hold, and dataset files."""

from grasp_pose_net.synthesis.annealing import Annealing, anneal
from grasp_pose_net.synthesis.config import Synthesis
from grasp_pose_net.synthesis.dataset_report import dataset_report, report_text, shortfall
from grasp_pose_net.synthesis.files import GraspDataset, load_dataset, save_dataset, storable
from grasp_pose_net.synthesis.grasps import Grasps, grasp_distance
from grasp_pose_net.synthesis.pipeline import synthesize_dataset
from grasp_pose_net.synthesis.search import stable_planes, synthesize
from grasp_pose_net.synthesis.sources import find_meshes, object_name

__all__ = [
    "Annealing",
    "GraspDataset",
    "Grasps",
    "Synthesis",
    "anneal",
    "dataset_report",
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
