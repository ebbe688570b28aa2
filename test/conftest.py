"""The environment of a test run: its own ROS domain on this machine, no display, one thread."""

from __future__ import annotations

import os

from grasp_pose_net.bringup import free_domain, prepare_environment

if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    # each process of a run has a domain of its own, and not the one that the first process has chosen
    domains = (free_domain() for _ in range(1000))
    number = int(worker.removeprefix("gw"))
    os.environ["ROS_DOMAIN_ID"] = str(next(domain for domain in domains if domain % 4 == number % 4))

prepare_environment()
