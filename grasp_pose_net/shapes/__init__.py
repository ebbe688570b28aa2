"""What an object is: mesh, signed distance field o_s, occupancy grid o, and its side of the split."""

from grasp_pose_net.shapes.field import RUN_TIME_RESOLUTION, SignedDistanceField, sample_fields
from grasp_pose_net.shapes.mesh import centred, check_mesh, load_mesh, mended, welded
from grasp_pose_net.shapes.occupancy import CELL_M, GRID_CELLS, occupancy_grid
from grasp_pose_net.shapes.rotations import paper_rotations, random_rotations, rotate_pose
from grasp_pose_net.shapes.split import split_of

__all__ = [
    "CELL_M",
    "GRID_CELLS",
    "RUN_TIME_RESOLUTION",
    "SignedDistanceField",
    "centred",
    "check_mesh",
    "load_mesh",
    "mended",
    "occupancy_grid",
    "paper_rotations",
    "random_rotations",
    "rotate_pose",
    "sample_fields",
    "split_of",
    "welded",
]
