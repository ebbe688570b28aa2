"""How good a grasp is: contacts, the ε-metric, penetration."""

from grasp_pose_net.quality.contact import CONTACT_DISTANCE_M, Contacts, contacts
from grasp_pose_net.quality.depths import Penetration, hand_penetration, penetration, self_penetration
from grasp_pose_net.quality.metric import (
    FRICTION,
    cone_wrenches,
    epsilon,
    epsilon_batch,
    epsilon_of,
    worst_epsilon,
)

__all__ = [
    "CONTACT_DISTANCE_M",
    "FRICTION",
    "Contacts",
    "Penetration",
    "cone_wrenches",
    "contacts",
    "epsilon",
    "epsilon_batch",
    "epsilon_of",
    "hand_penetration",
    "penetration",
    "self_penetration",
    "worst_epsilon",
]
