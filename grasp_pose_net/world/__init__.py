"""The vocabulary: transforms, shapes, scenes, grasps, trajectories and joint states, each checked where it is made."""

from grasp_pose_net.world.checks import finite
from grasp_pose_net.world.grasp import Grasp
from grasp_pose_net.world.motion import JointState, Trajectory
from grasp_pose_net.world.scene import WORLD, AllowedContact, Attachment, Part, Role, Scene, SceneObject
from grasp_pose_net.world.shape import Box, Cone, Cylinder, HalfSpace, Mesh, Shape, Sphere, Voxels
from grasp_pose_net.world.transforms import (
    Array,
    inverse_transform,
    make_transform,
    moved_poses,
    rigid_transform,
    split_transform,
    transform_points,
)

__all__ = [
    "WORLD",
    "AllowedContact",
    "Array",
    "Attachment",
    "Box",
    "Cone",
    "Cylinder",
    "Grasp",
    "HalfSpace",
    "JointState",
    "Mesh",
    "Part",
    "Role",
    "Scene",
    "SceneObject",
    "Shape",
    "Sphere",
    "Trajectory",
    "Voxels",
    "finite",
    "inverse_transform",
    "make_transform",
    "moved_poses",
    "rigid_transform",
    "split_transform",
    "transform_points",
]
