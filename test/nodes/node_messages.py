"""Messages of single objects, as perception would publish them."""

from __future__ import annotations

import numpy as np
import trimesh
from builtin_interfaces.msg import Time
from moveit_msgs.msg import CollisionObject

from grasp_pose_net.nodes.messages.basics import time_to_ns
from grasp_pose_net.nodes.messages.scene import object_message
from grasp_pose_net.world import SceneObject


def mesh_object(
    name: str,
    mesh: trimesh.Trimesh,
    T_frame_object: np.ndarray,
    frame: str = "world",
    stamp: Time | None = None,
) -> CollisionObject:
    """One mesh in object coordinates."""
    return object_message(SceneObject.target(name, T_frame_object, mesh, time_to_ns(stamp or Time())), frame)


def box_object(name: str, size: tuple, T_frame_box: np.ndarray, frame: str = "world") -> CollisionObject:
    """One box."""
    return object_message(SceneObject.box(name, T_frame_box, size), frame)
