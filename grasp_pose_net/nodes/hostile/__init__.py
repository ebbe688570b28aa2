"""Hostile messages for every border of the nodes: a table of kinds, and mutations by seed. For tests and studies."""

from grasp_pose_net.nodes.hostile.borders import BORDERS, Border
from grasp_pose_net.nodes.hostile.fuzz import Tally, fuzz, meet, meet_kinds
from grasp_pose_net.nodes.hostile.kinds import KINDS, Kind
from grasp_pose_net.nodes.hostile.mutation import mutated

__all__ = ["BORDERS", "KINDS", "Border", "Kind", "Tally", "fuzz", "meet", "meet_kinds", "mutated"]
