"""Pictures of training runs and evaluations, from the figures they wrote. The same colour is the same loss everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import LogLocator, NullFormatter

from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.storage import whole
from grasp_pose_net.training.summary import KIND, PAPER_PENETRATION, over_seeds
from grasp_pose_net.training.tables import LOSS_NAMES, groups_of, kinds_of, named

COLOURS = {"l2": "#8c8c8c", "consistency": "#2f6db3", "combined": "#d9772b", "sampled": "#cdb96a"}
BAR = 0.2  # from bar to bar; groups are 1 apart
# one panel: title, axis, whether logarithmic, factor, and the figures with their names
PANELS: tuple[tuple[str, str, bool, float, dict[str, str]], ...] = (
    ("Losses", "residual [(0.1 m)²]", True, 1.0, LOSS_NAMES),
    (
        "Penetration",
        "contact points inside",
        False,
        1.0,
        {"penetrating_points": "network", "refined_points": "refined"},
    ),
    ("Depth", "mean depth [mm]", False, 1000.0, {"mean_depth_m": "network", "refined_depth_m": "refined"}),
    ("Refined grasps", "ε, share", False, 1.0, {"best_epsilon": "best ε", "good_share": "good share"}),
)


def save_curves(rows: list[dict[str, float]], picture: Path) -> None:
    """Draw the consistency residual of training and validation objects over the steps into a picture file."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    steps = [row["step"] for row in rows]
    for side, style in (("train", "-"), ("validation", "--")):
        axes.plot(steps, [row[f"{side}_consistency"] for row in rows], style, label=f"{side} objects")
    best = min(rows, key=lambda row: row["validation_consistency"])
    axes.axvline(best["step"], color="grey", linewidth=0.8, label="best checkpoint")
    axes.set(xlabel="optimiser step", ylabel="L_consistency [(0.1 m)²]", yscale="log", title="Training")
    axes.legend()
    with whole(picture) as unfinished:
        figure.savefig(unfinished)


def plot_panel(report: dict[str, Any], group: dict[str, Any], panel: int, axes: Axes) -> Axes:
    """Draw figures of one set of networks as bars, one colour for each loss.

    Bars are test objects, with the range over seeds; a white mark is the mean of training objects, a black
    cross the paper's figure.

    Args:
        report: of `evaluate`.
        group: hand, architecture and training_objects of the networks.
        panel: which of `PANELS`.
        axes: to draw into.
    """
    title, label, logarithmic, factor, figures = PANELS[panel]
    for kind in kinds_of(report, group):
        number = list(LOSS_NAMES).index(kind["loss"])
        for place, figure in enumerate(figures):
            _bar(axes, kind, figure, place + (number - 1) * BAR, factor)
    if "best_epsilon" in figures:
        own = [
            entry["figures"].get("test", {}) for entry in report["baseline"] if entry["hand"] == group["hand"]
        ]
        for place, figure in enumerate(figures):
            heights = [sides[figure] for sides in own if figure in sides]
            axes.bar([place + 2 * BAR] * len(heights), heights, 0.92 * BAR, color=COLOURS["sampled"])
    axes.set_xticks(range(len(figures)), list(figures.values()), fontsize="small")
    axes.set(title=title, ylabel=label)
    if logarithmic:
        _logarithmic(axes)
    axes.grid(axis="y", linewidth=0.4, alpha=0.6)
    axes.set_axisbelow(True)
    return axes


def save_evaluation(report: dict[str, Any], picture: Path) -> None:
    """Draw a report of `evaluate`: a row of panels for each hand, architecture and number of training objects."""
    groups = groups_of(report)
    figure = Figure(figsize=(15, 3.4 * len(groups) + 0.9), layout="constrained")
    rows = figure.subplots(len(groups), len(PANELS), squeeze=False)
    for row, group in zip(rows, groups, strict=True):
        for panel, axes in enumerate(row):
            plot_panel(report, group, panel, axes)
        row[0].set_ylabel(f"{named(group)}\n{row[0].get_ylabel()}")
    figure.suptitle("Bars: test objects, mean and range over seeds", fontsize="medium")
    figure.legend(handles=_keys(), loc="outside lower center", ncols=6, frameon=False)
    with whole(picture) as unfinished:
        figure.savefig(unfinished)


def plot_learning_curve(reports: Sequence[dict[str, Any]], axes: Axes) -> Axes:
    """Draw L_consistency over the number of training objects, a line for each hand, architecture and loss.

    Args:
        reports: of `evaluate`, of networks trained on different numbers of objects; those that do not say how
            many, and kinds with one number only, are left out. Seeds are taken together: mean, and the range as a bar.
        axes: to draw into.

    Raises:
        GraspPoseNetError: no kind of network was trained on several numbers of objects.
    """
    entries = [e for report in reports for e in report["networks"] if e["training_objects"] is not None]
    lines: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for kind in over_seeds(entries, KIND):
        lines.setdefault((kind["hand"], kind["architecture"], kind["loss"]), []).append(kind)
    lines = {name: kinds for name, kinds in lines.items() if len(kinds) > 1}
    if not lines:
        found = sorted({str(entry["training_objects"]) for entry in entries}, key=int)
        raise GraspPoseNetError(
            "learning curve: asked for networks of one kind with several numbers of training objects, found "
            f"{', '.join(found) or 'none'}; `grasp-pose-net train --objects` takes fewer objects"
        )
    for number, ((hand, architecture, loss), kinds) in enumerate(lines.items()):
        kinds.sort(key=lambda kind: kind["training_objects"])
        for side, style in (("test", "-"), ("train", "--")):
            values = [kind["figures"][side]["consistency"] for kind in kinds]
            mean = np.array([value["mean"] for value in values])
            ends = np.array([[value["min"], value["max"]] for value in values]).T
            axes.errorbar(
                [kind["training_objects"] for kind in kinds],
                mean,
                yerr=np.abs(ends - mean),
                fmt=style,
                marker="osD^v"[number % 5],
                capsize=3,
                color=COLOURS[loss],
                label=f"{hand}, {architecture}, {LOSS_NAMES[loss]}: {side} objects",
            )
    counts = sorted({kind["training_objects"] for kinds in lines.values() for kind in kinds})
    axes.set(xscale="log", xlabel="training objects", ylabel="L_consistency [(0.1 m)²]")
    axes.set(title="Does more data help?")
    axes.set_ylim(bottom=0.0)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.grid(linewidth=0.4, alpha=0.6)
    axes.legend(fontsize="small")
    return axes


def save_learning_curve(reports: Sequence[dict[str, Any]], picture: Path) -> None:
    """Draw `plot_learning_curve` into a picture file."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    plot_learning_curve(reports, figure.subplots())
    with whole(picture) as unfinished:
        figure.savefig(unfinished)


def _bar(axes: Axes, kind: dict[str, Any], figure: str, place: float, factor: float) -> None:
    """One bar, where the kind has the figure."""
    colour = COLOURS[kind["loss"]]
    test, train = (kind["figures"].get(side, {}).get(figure) for side in ("test", "train"))
    if test is not None:
        ends = [[factor * (test["mean"] - test["min"])], [factor * (test["max"] - test["mean"])]]
        spread = ends if len(test["values"]) > 1 else None
        axes.bar(place, factor * test["mean"], 0.92 * BAR, color=colour, yerr=spread, capsize=2)
    if train is not None:
        axes.plot(
            place, factor * train["mean"], "D", color="white", markeredgecolor="black", markersize=4, zorder=3
        )
    paper = PAPER_PENETRATION.get(kind["loss"], {}).get(figure)
    if kind["hand"] == "shadow" and paper is not None and figure != "mean_depth_m":
        axes.plot(place, factor * paper, "x", color="black", markersize=6, zorder=4)


def _logarithmic(axes: Axes) -> None:
    """Logarithmic heights from a round number below the lowest bar, labelled also within a decade."""
    heights = [
        bar.get_height() for bar in axes.patches if isinstance(bar, Rectangle) and bar.get_height() > 0
    ]
    axes.set_yscale("log")
    axes.set_ylim(bottom=10.0 ** np.floor(np.log10(min(heights, default=1.0) / 2)))
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def _keys() -> list[Any]:
    """Entries of the legend."""
    bars = [Patch(color=COLOURS[loss], label=f"trained with {name}") for loss, name in LOSS_NAMES.items()]
    marks: dict[str, Any] = {"color": "none", "markeredgecolor": "black", "linestyle": "none"}
    return [
        *bars,
        Patch(color=COLOURS["sampled"], label="no network"),
        Line2D([], [], marker="D", **marks, label="training objects"),
        Line2D([], [], marker="x", **marks, label="paper"),
    ]
