"""Pick-ups one after the other in one bring-up: does each do what it says, and does any node's memory grow?

    grasp-pose-net study soak --pickups 300 --out docs/results/soak_report.json

Starts five nodes once. Each pick-up is an episode of the demo, without pictures: another object or place, a capture, a plan,
the pick-up, and a shake; by the track of the object in the simulation it is judged whether it was lifted and held. After each,
the resident memory of every node is read, and the report is written whole: it may be stopped at any time. The exit status is 1
where a pick-up that said SUCCESS had lifted nothing, or where a node has grown by more than a tenth since the first pick-ups,
in which it loads what is loaded once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grasp_pose_net.commands.options import checked_seed, writable_file, writable_folder


def main(
    out: Annotated[Path, typer.Option(help="JSON file to write.", callback=writable_file())],
    pickups: Annotated[int, typer.Option(min=1, help="How many.")] = 300,
    objects: Annotated[
        Path | None, typer.Option(help="Mesh or folder of meshes; the package's own without it.")
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Decides objects, places and camera errors.", callback=checked_seed)
    ] = 0,
    logs: Annotated[
        Path, typer.Option(help="Folder for what the nodes say.", callback=writable_folder)
    ] = Path("runs/soak"),
) -> None:
    """Run the pick-ups."""
    from grasp_pose_net.nodes.soak_check import check_soak

    if not check_soak(pickups, objects, seed, logs, out, typer.echo):
        raise typer.Exit(1)
