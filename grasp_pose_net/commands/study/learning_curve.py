"""Draw L_consistency over the number of training objects from the reports of one or several evaluations.

    for n in 50 100 200; do grasp-pose-net train … --objects $n --out runs/$n; done
    grasp-pose-net evaluate … --network runs/50/best.safetensors --network runs/100/best.safetensors … --out runs/figures
    grasp-pose-net study learning-curve runs/figures/evaluation.json --out learning_curve.png

Networks that were trained with different seeds on the same number of objects are one point with its range.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from grasp_pose_net.commands.options import writable_file
from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.reading import brief, one_line, read_json
from grasp_pose_net.training.plots import save_learning_curve
from grasp_pose_net.training.tables import LOSS_NAMES

MOST_OBJECTS, MOST_RESIDUAL = 10**9, 1e9


def evaluation(path: Path) -> dict[str, Any]:
    """What the curve takes of a report of `grasp-pose-net evaluate`.

    Raises:
        ConfigError: the file is no such report; the text says what is missing.
    """
    report = read_json(path)
    try:
        return {"networks": [_network(entry) for entry in report["networks"]]}
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ConfigError(
            f"{path}: no report of `grasp-pose-net evaluate`: {one_line(repr(error))}"
        ) from error


def _network(entry: dict[str, Any]) -> dict[str, Any]:
    """Kind and consistency residual of one network."""
    kind = {key: str(entry[key]) for key in ("hand", "architecture", "loss")}
    count = entry["training_objects"]
    if kind["loss"] not in LOSS_NAMES or (count is not None and not 0 < int(count) <= MOST_OBJECTS):
        raise ValueError(f"loss {brief(kind['loss'])} or training_objects {brief(count)}")
    figures = {
        side: {"consistency": float(entry["figures"][side]["consistency"])} for side in ("train", "test")
    }
    if not all(0.0 <= residual["consistency"] < MOST_RESIDUAL for residual in figures.values()):
        raise ValueError(f"consistency {brief(figures)}")
    return {**kind, "seed": int(entry["seed"]), "training_objects": count and int(count), "figures": figures}


def main(
    reports: Annotated[list[Path], typer.Argument(help="evaluation.json of `grasp-pose-net evaluate`.")],
    out: Annotated[Path, typer.Option(help="PNG to write.", callback=writable_file(".png"))],
) -> None:
    """Measure and write."""
    save_learning_curve([evaluation(report) for report in reports], out)
    typer.echo(f"picture: {out}")
