"""``grasp-pose-net``, and ``python -m grasp_pose_net.cli`` where a launcher such as torchrun wants a module."""

from __future__ import annotations

import sys

import typer

from grasp_pose_net.commands import app
from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.process import settle


def main() -> None:
    """Entry point: errors are one line on standard error and status 1, no traceback."""
    settle()
    try:
        app(standalone_mode=True)
    except GraspPoseNetError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
