"""How a network learns: the paper's losses, batches under random rotations, the loop, and its figures."""

from grasp_pose_net.training.comparison import Evaluation
from grasp_pose_net.training.config import Resources, TrainConfig
from grasp_pose_net.training.data import (
    Objects,
    TrainingBatch,
    draw_batch,
    load_objects,
    make_batch,
    make_objects,
    side_of,
)
from grasp_pose_net.training.evaluation import evaluate_network
from grasp_pose_net.training.loop import train, train_on
from grasp_pose_net.training.losses import (
    PAPER_WEIGHTS,
    PoseWeights,
    collision_loss,
    combined_loss,
    consistency_loss,
    l2_loss,
    pose_residual,
)
from grasp_pose_net.training.prepared import load_prepared, save_prepared
from grasp_pose_net.training.report import evaluate
from grasp_pose_net.training.shrink import low_rank

__all__ = [
    "PAPER_WEIGHTS",
    "Evaluation",
    "Objects",
    "PoseWeights",
    "Resources",
    "TrainConfig",
    "TrainingBatch",
    "collision_loss",
    "combined_loss",
    "consistency_loss",
    "draw_batch",
    "evaluate",
    "evaluate_network",
    "l2_loss",
    "load_objects",
    "load_prepared",
    "low_rank",
    "make_batch",
    "make_objects",
    "pose_residual",
    "save_prepared",
    "side_of",
    "train",
    "train_on",
]
