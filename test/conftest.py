"""The environment of a test run: its own ROS domain on this machine, no display, one thread."""

from __future__ import annotations

from grasp_pose_net.bringup import prepare_environment

prepare_environment()
