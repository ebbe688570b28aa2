"""Pictures of a training run, from the figures it wrote."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_curves(rows: list[dict[str, float]], axes: Axes) -> Axes:
    """Draw the consistency residual of training and validation objects over the steps."""
    steps = [row["step"] for row in rows]
    for side, style in (("train", "-"), ("validation", "--")):
        axes.plot(steps, [row[f"{side}_consistency"] for row in rows], style, label=f"{side} objects")
    best = min(rows, key=lambda row: row["validation_consistency"])
    axes.axvline(best["step"], color="grey", linewidth=0.8, label="best checkpoint")
    axes.set(xlabel="optimiser step", ylabel="L_consistency [(0.1 m)²]", yscale="log", title="Training")
    axes.legend()
    return axes


def save_curves(table: Path, picture: Path) -> None:
    """Draw the curves of a `curves.csv` into a picture file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with table.open(newline="") as stream:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)]
    figure = Figure(figsize=(6, 4), layout="constrained")
    plot_curves(rows, figure.subplots())
    FigureCanvasAgg(figure).print_png(str(picture))
