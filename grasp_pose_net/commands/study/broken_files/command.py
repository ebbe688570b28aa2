"""The command of the study: counts, and where they are written."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from grasp_pose_net.commands.options import Seed, writable_file, writable_folder
from grasp_pose_net.commands.study.broken_files.run import break_files, figures_table
from grasp_pose_net.provenance import record
from grasp_pose_net.storage import save_json


def main(
    count: Annotated[int, typer.Option(min=1, help="Files for each reader.")] = 3000,
    reader: Annotated[list[str], typer.Option(help="Only these; again for each.")] = [],
    out: Annotated[Path | None, typer.Option(help="JSON report.", callback=writable_file())] = None,
    keep: Annotated[
        Path | None,
        typer.Option(help="Folder for files that do what they must not.", callback=writable_folder),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Measure and write."""
    tallies = break_files(count, seed, reader, keep, typer.echo)
    typer.echo(figures_table(tallies))
    faults = sum(len(tally.faults) for tally in tallies.values())
    if out is not None:
        save_json(
            out, {"count": count, "readers": {name: asdict(t) for name, t in tallies.items()}} | record(seed)
        )
        typer.echo(f"report: {out}")
    if faults:
        raise typer.Exit(1)
