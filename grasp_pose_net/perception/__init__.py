"""Depth views → table and objects as closed meshes."""

from grasp_pose_net.perception.capture import Capture
from grasp_pose_net.perception.config import PerceptionConfig
from grasp_pose_net.perception.from_files import occupied_cells, perceive_files, report
from grasp_pose_net.perception.from_views import perceive, warm_up
from grasp_pose_net.perception.identity import Identities
from grasp_pose_net.perception.stage_picture import OBJECT_COLOURS, draw_stages, object_colour
from grasp_pose_net.perception.table import Table
from grasp_pose_net.perception.views import View

__all__ = [
    "OBJECT_COLOURS",
    "Capture",
    "Identities",
    "PerceptionConfig",
    "Table",
    "View",
    "draw_stages",
    "object_colour",
    "occupied_cells",
    "perceive",
    "perceive_files",
    "report",
    "warm_up",
]
