"""The command line: one file a command, and the studies."""

from grasp_pose_net.commands.app import STUDIES, app

__all__ = ["STUDIES", "app"]
