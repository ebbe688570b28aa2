"""What a hand is: kinematics, contact points, collision shapes, and the pose vector x."""

from grasp_pose_net.hand.hand import Hand
from grasp_pose_net.hand.kinematics import Kinematics, rotation_from_quat
from grasp_pose_net.hand.points import Contacts, LinkPoints, Spheres
from grasp_pose_net.hand.primitives import Solid
from grasp_pose_net.hand.tree import KinematicTree

__all__ = [
    "Contacts",
    "Hand",
    "KinematicTree",
    "Kinematics",
    "LinkPoints",
    "Solid",
    "Spheres",
    "rotation_from_quat",
]
