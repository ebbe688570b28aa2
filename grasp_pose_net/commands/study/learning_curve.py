"""Draw L_consistency over the number of training objects from the reports of one or several evaluations.

    for n in 50 100 200; do grasp-pose-net train … --objects $n --out runs/$n; done
    grasp-pose-net evaluate … --network runs/50/best.safetensors --network runs/100/best.safetensors … --out runs/figures
    grasp-pose-net study learning-curve runs/figures/evaluation.json --out learning_curve.png

Networks that were trained with different seeds on the same number of objects are one point with its range.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from grasp_pose_net.training.plots import save_learning_curve


def main(
    reports: Annotated[list[Path], typer.Argument(help="evaluation.json of `grasp-pose-net evaluate`.")],
    out: Annotated[Path, typer.Option(help="PNG to write.")],
) -> None:
    """Measure and write."""
    save_learning_curve([json.loads(report.read_text()) for report in reports], out)
    typer.echo(f"picture: {out}")
