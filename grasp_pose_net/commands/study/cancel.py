"""Cancel pick-ups in simulation, while planning, reaching, approaching, closing and lifting, and see what the robot does.

    grasp-pose-net study cancel --times 10 --out docs/results/cancel_report.json

Starts simulation and executor alone: the scene comes from the simulation's own truth, and the grasps are hands from above at
a slant, all around. So it is the executor and the controllers that are looked at, not whether a grasp is good; whether the
object came along is written down beside. Each trial puts the same scene back, begins the pick-up, cancels it at a random
moment of a stage, and watches the joints. Asked are: the answer comes, and the arm stands still (no joint faster than 0.01
rad/s), within 0.3 s of the robot's clock, no joint leaves its limits of position and speed, the action ends as preempted, and
the next pick-up succeeds: of the same goal at once after plan, reach and approach; after close and lift, when the object may
have been moved, once ``open_hand`` and ``retreat`` have brought the hand away and the scene is put back. In every other trial,
from the first on, ``home`` brings the arm home before, from wherever it has stopped. The exit status is 1 where something was
not as asked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grasp_pose_net.commands.options import checked_seed, writable_file, writable_folder
from grasp_pose_net.models import share_dir


def main(
    out: Annotated[Path, typer.Option(help="JSON file to write.", callback=writable_file())],
    times: Annotated[int, typer.Option(min=1, help="Cancels in each stage.")] = 10,
    mesh: Annotated[
        Path | None, typer.Option("--object", help="Mesh; the package's ball without it.")
    ] = None,
    seed: Annotated[
        int,
        typer.Option(help="Decides place of the object and moments of the cancels.", callback=checked_seed),
    ] = 0,
    logs: Annotated[
        Path, typer.Option(help="Folder for what the nodes say.", callback=writable_folder)
    ] = Path("runs/cancel"),
) -> None:
    """Run the trials."""
    from grasp_pose_net.nodes.cancel_check import check_cancels

    ball = share_dir() / "models" / "objects" / "ball.ply"
    if not check_cancels(mesh or ball, times, seed, logs, out, typer.echo):
        raise typer.Exit(1)
