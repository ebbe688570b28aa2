"""``grasp-pose-net hand``: what a hand is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grasp_pose_net.commands.options import JsonFile, writable_file, write_json


def hand(
    name: Annotated[str, typer.Argument(help="Hand in models/hands/, or a path to a hand.yaml.")] = "shadow",
    image: Annotated[
        Path | None,
        typer.Option(help="PNG of the hand with contact points and normals.", callback=writable_file(".png")),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Show what a hand is: joints, limits, couplings, contact points, collision spheres.

    Example: grasp-pose-net hand barrett --image barrett.png
    """
    from grasp_pose_net.hand import Hand
    from grasp_pose_net.hand.summary import summarize, table

    loaded = Hand.load(name)
    report = summarize(loaded)
    typer.echo(table(report))
    write_json(report, json_file)
    if image is not None:
        from grasp_pose_net.simulation.picture import draw_hand

        draw_hand(loaded, image)
        typer.echo(f"picture: {image}")
