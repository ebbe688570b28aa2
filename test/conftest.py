"""The environment of a test run: its own ROS domain on this machine, no display, one thread."""

from __future__ import annotations

import os

from grasp_pose_net.bringup import prepare_environment

prepare_environment()
# on few cores, threads of torch, NumPy and the middleware fight for the same cores
os.environ.setdefault("OMP_NUM_THREADS", "1")
