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
        text = str(error)
    except OSError as error:  # a folder that is gone, a disk that is full: what the system says
        text = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except MemoryError:
        text = "there is not enough memory"
    else:
        return
    typer.echo(f"error: {text}", err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
