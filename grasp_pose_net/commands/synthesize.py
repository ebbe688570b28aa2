"""``grasp-pose-net synthesize``: ground-truth grasps of many objects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grasp_pose_net.commands.options import HandName, JsonFile, Seed, writable_file, write_json


def synthesize(
    meshes: Annotated[Path, typer.Option(help="Folder of meshes, one sub-folder for each source.")],
    out: Annotated[
        Path,
        typer.Option(
            help="Dataset file (NPZ); the same command goes on where it stopped.",
            callback=writable_file(".npz"),
        ),
    ],
    hand: HandName = "shadow",
    sources: Annotated[str, typer.Option(help="Sub-folders to take, such as bigbird,kit; all without.")] = "",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many objects, a fair sample of all.")
    ] = None,
    grasps: Annotated[int, typer.Option(min=1, help="Grasps for each object at most.")] = 100,
    method: Annotated[str, typer.Option(help="gradient, or annealing (the paper's).")] = "gradient",
    trial: Annotated[bool, typer.Option(help="Keep only what holds in the force trial.")] = True,
    backend: Annotated[str, typer.Option(help="loky (this machine), or ray (a cluster).")] = "loky",
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Objects at a time; one for each core without.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin anew.")] = False,
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Make ground-truth grasps of many objects; resumable.

    Status: 0 = every mesh was planned; 1 = an error, or no mesh could be used; 3 = some meshes were left out, with
    the reason in the report (2 is a wrong command line).

    Example: grasp-pose-net synthesize --meshes objects --sources bigbird,kit --out shadow.npz --seed 1

    Long because every option is a line of the signature.
    """
    from grasp_pose_net.provenance import record
    from grasp_pose_net.simulation.force_trial import ForceValidator
    from grasp_pose_net.synthesis import Synthesis, report_text, synthesize_dataset

    report = synthesize_dataset(
        meshes,
        out,
        hand,
        grasps=grasps,
        seed=seed,
        config=Synthesis(method=method),  # type: ignore[arg-type]  # checked there
        validate=ForceValidator() if trial else None,
        sources=[name for name in sources.split(",") if name],
        limit=limit,
        backend=backend,  # type: ignore[arg-type]  # checked there
        jobs=jobs,
        overwrite=overwrite,
    )
    typer.echo(report_text(report))
    typer.echo(
        f"dataset: {out}; next: grasp-pose-net train --dataset {out} --meshes {meshes} --out runs/{out.stem}"
    )
    write_json(report | record(seed), json_file)
    if report["left_out"]:
        raise typer.Exit(3 if report["planned"] else 1)
