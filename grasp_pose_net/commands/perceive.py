"""``grasp-pose-net perceive``: depth views → meshes and grids."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grasp_pose_net.commands.options import JsonFile, writable_file, writable_folder, write_json


def perceive(
    clouds: Annotated[
        list[Path], typer.Argument(help="Views: PCD or PLY, metres, each in its camera's frame.")
    ],
    poses: Annotated[
        Path | None,
        typer.Option(
            help="YAML or JSON: by view, T_world_camera as [x, y, z, qw, qx, qy, qz] or a 4 x 4 matrix. "
            "One view alone is levelled by its table without it."
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML with settings such as workspace_min; see PerceptionConfig.")
    ] = None,
    segmented: Annotated[
        bool,
        typer.Option(
            "--segmented", help="The cloud is of one object from all sides, z up, and nothing else."
        ),
    ] = False,
    out: Annotated[
        Path, typer.Option(help="Folder for meshes (PLY) and grids (NPZ).", callback=writable_folder)
    ] = Path("perceived"),
    image: Annotated[
        Path | None,
        typer.Option(help="PNG with a picture of each stage.", callback=writable_file(".png")),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Turn depth views into object meshes and occupancy grids.

    Example: grasp-pose-net perceive table.pcd --out perceived --image stages.png
    Several views: grasp-pose-net perceive left.ply right.ply --poses poses.yaml

    Long because every option is a line of the signature.
    """
    from grasp_pose_net.config import load_yaml
    from grasp_pose_net.perception import PerceptionConfig, draw_stages, perceive_files, report
    from grasp_pose_net.provenance import record

    settings = None if config is None else load_yaml(config, PerceptionConfig)
    capture = perceive_files(clouds, poses, out, settings, segmented)
    typer.echo(capture.summary())
    write_json(report(capture) | record(), json_file)
    if image is not None:
        draw_stages(capture, image)
        typer.echo(f"picture: {image}")
    if not capture.scene.targets:
        raise typer.Exit(1)
    mesh = out / f"{capture.scene.targets[0].id}.ply"
    typer.echo(f"meshes and grids: {out}; next: grasp-pose-net plan {mesh}")
