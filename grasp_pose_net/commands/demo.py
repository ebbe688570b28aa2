"""``grasp-pose-net demo``: the whole system in simulation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from grasp_pose_net.commands.options import JsonFile, Seed, write_json


def demo(
    objects: Annotated[
        Path | None, typer.Option(help="Folder of meshes; the package's own without it.")
    ] = None,
    episodes: Annotated[int, typer.Option(min=1, help="How many objects to pick up.")] = 3,
    seed: Seed = 1,
    headless: Annotated[bool, typer.Option("--headless", help="Do not show the video at the end.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Run the whole system in simulation: scan, plan, pick up, lift.

    Example: grasp-pose-net demo --episodes 3 --seed 1
    """
    from grasp_pose_net.nodes.demo import run_demo

    report, folder = run_demo(objects=objects, episodes=episodes, seed=seed)
    write_json(report, json_file)
    video = folder / "episode.mp4"
    if not headless and video.exists() and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        typer.launch(str(video))
