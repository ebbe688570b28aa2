"""Options that several commands have, and how a report is written.

Places to write to are looked at while the command line is read: what cannot be written is said before hours are spent.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from grasp_pose_net.storage import prepare, prepare_folder, save_json


def checked_seed(seed: int) -> int:
    """Callback of an option: a seed, refused in the words of all settings."""
    from grasp_pose_net.config import checked  # it loads numpy, which `process.settle` has to come before

    return int(checked(seed, int, "seed", {"range": (0, 2**31 - 1)}))


def writable_folder(folder: Path | None) -> Path | None:
    """Callback of an option: a folder to write into, made where it is missing."""
    if folder is not None:
        prepare_folder(folder)
    return folder


def writable_file(*endings: str) -> Any:
    """Callback of an option: a file to write, its name with one of some endings; its folder is made."""

    def check(file: Path | None) -> Path | None:
        if file is not None:
            prepare(file, endings)
        return file

    return check


Seed = Annotated[int, typer.Option(help="Seed of every random choice.", callback=checked_seed)]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", help="Also write the report to this file.", callback=writable_file()),
]
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
