"""Depth views → table and objects as closed meshes."""

from grasp_pose_net.perception.config import PerceptionConfig
from grasp_pose_net.perception.files import occupied_cells, perceive_files
from grasp_pose_net.perception.scene import PerceivedObject, Scene, perceive
from grasp_pose_net.perception.table import Table
from grasp_pose_net.perception.views import View

__all__ = [
    "PerceivedObject",
    "PerceptionConfig",
    "Scene",
    "Table",
    "View",
    "occupied_cells",
    "perceive",
    "perceive_files",
]
