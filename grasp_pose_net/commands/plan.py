"""``grasp-pose-net plan``: grasps for mesh files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grasp_pose_net.commands.options import (
    HandName,
    JsonFile,
    Network,
    Objective,
    Seed,
    writable_file,
    write_json,
)


def plan(
    meshes: Annotated[list[Path], typer.Argument(help="Meshes in metres: OBJ, PLY, STL, OFF, GLB.")],
    hand: HandName = "shadow",
    network: Network = "",
    rotations: Annotated[int, typer.Option(help="Candidates: rotations shown to the network.")] = 28,
    objective: Objective = "closing",
    image: Annotated[
        Path | None,
        typer.Option(
            help="PNG of the best grasp (with several meshes: NAME-<mesh>).", callback=writable_file(".png")
        ),
    ] = None,
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Plan grasps for meshes, without ROS.

    Example: grasp-pose-net plan models/objects/mug.ply --image mug.png
    Without a network: grasp-pose-net plan models/objects/mug.ply --hand barrett --network sampled
    """
    from grasp_pose_net.commands.plan_meshes import draw_best, plan_report
    from grasp_pose_net.planning import PlannerConfig
    from grasp_pose_net.refinement import ObjectiveConfig

    config = PlannerConfig(network=network, rotations=rotations, seed=seed)
    descent = ObjectiveConfig(objective=objective)
    report, best = plan_report(
        meshes, hand=hand, config=config, refinement=descent.refinement(), echo=typer.echo
    )
    write_json(report, json_file)
    if image is not None:
        for file in draw_best(hand, best, image, several=len(meshes) > 1):
            typer.echo(f"picture: {file}")
    if all(entry["failure"] for entry in report["objects"]):
        raise typer.Exit(1)
