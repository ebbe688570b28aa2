"""Options that several commands have, and how a report is written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from grasp_pose_net.storage import save_json

Seed = Annotated[int, typer.Option(help="Seed of every random choice.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Also write the report to this file.")]
HandName = Annotated[str, typer.Option(help="Hand in models/hands/, or a path to a hand.yaml.")]
Network = Annotated[
    str,
    typer.Option(
        help="Weights in models/networks/, or a path to a .safetensors file; the hand's own (NAME_compact) without it. "
        "'sampled': no network; candidates are drawn around the object and refined, which works for any hand."
    ),
]
Objective = Annotated[
    str,
    typer.Option(
        help="Of refinement. closing: close the fingers onto the surface; paper: stay near the candidate."
    ),
]


def write_json(report: dict[str, Any], path: Path | None) -> None:
    """Write a report where one is wanted, and say so."""
    if path is not None:
        save_json(path, report)
        typer.echo(f"report: {path}")
