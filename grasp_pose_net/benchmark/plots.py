"""Plots of a benchmark, and the table behind them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from grasp_pose_net.benchmark.entries import FIGURES, STAGES, TRIALS, known_values
from grasp_pose_net.benchmark.tables import PAPER_EPSILON
from grasp_pose_net.storage import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMED = 45  # more objects than this go without their names
OUTCOME_COLOURS = ("#d9d9d9", "#c44e52", "#55a868")  # not tried, failed, held
COLUMNS = ("name", "episode", *FIGURES, *TRIALS, "feasible", "candidates", "failure", "reason")


def save_plots(report: dict[str, Any], out: Path) -> None:
    """Write ``report.png`` and ``report.csv``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    entries = report["objects"]
    with whole(out / "report.csv") as unfinished, unfinished.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow([*COLUMNS, *(f"{stage}_s" for stage in STAGES)])
        for one in entries:
            times = (one["seconds"][stage] for stage in STAGES)
            table.writerow([*(one.get(column) for column in COLUMNS), *times])
    if not entries:
        return
    figure = Figure(figsize=(15, 4.6), layout="constrained")
    success, epsilon, times = figure.subplots(1, 3, width_ratios=(1.6, 1, 1))
    plot_success(entries, success)
    plot_epsilon(entries, epsilon)
    plot_times(entries, times)
    figure.supxlabel(f"n = {len(entries)} trials, commit {report['commit'][:12]}", fontsize=8)
    with whole(out / "report.png") as unfinished:
        FigureCanvasAgg(figure).print_png(str(unfinished))


def plot_success(entries: Sequence[dict[str, Any]], axes: Axes) -> Axes:
    """Draw the share of trials that each object held, one column an object, one row a kind of trial."""
    from matplotlib.colors import LinearSegmentedColormap

    names = sorted({one["name"] for one in entries})
    share = np.full((len(TRIALS), len(names)), np.nan)
    for row, trial in enumerate(TRIALS):
        for column, name in enumerate(names):
            values = known_values([one for one in entries if one["name"] == name], trial)
            if values:
                share[row, column] = np.mean(values)
    order = np.argsort(-np.nan_to_num(share, nan=-1.0).sum(0), kind="stable")
    colours = LinearSegmentedColormap.from_list("held", OUTCOME_COLOURS[1:]).with_extremes(
        bad=OUTCOME_COLOURS[0]
    )
    axes.imshow(np.ma.masked_invalid(share[:, order]), colours, vmin=0, vmax=1, aspect="auto")
    axes.set_yticks(range(len(TRIALS)), [trial.removesuffix("_success") for trial in TRIALS])
    axes.set_xticks([])
    if len(names) <= NAMED:
        axes.set_xticks(range(len(names)), [names[i] for i in order], rotation=90, fontsize=6)
    axes.set(title="Success by object (green: held, red: failed, grey: not tried)", xlabel="objects")
    return axes


def plot_epsilon(entries: Sequence[dict[str, Any]], axes: Axes) -> Axes:
    """Draw the histogram of the chosen grasps' ε."""
    values = known_values(entries, "epsilon")
    if values:
        axes.hist(values, bins=np.arange(0.0, max(values) + 0.05, 0.025).tolist(), color="#4c72b0")
        mean = float(np.mean(values))
        axes.axvline(mean, color="black", label=f"mean {mean:.3f}")
    axes.axvline(PAPER_EPSILON, color="#d9772b", linestyle="--", label=f"the paper's mean {PAPER_EPSILON}")
    axes.set(title="Quality of the chosen grasp", xlabel="ε (μ = 0.6) [1]", ylabel="trials")
    axes.legend()
    return axes


def plot_times(entries: Sequence[dict[str, Any]], axes: Axes) -> Axes:
    """Draw the spread of each stage's wall time; plan holds forward and refinement."""
    times = {stage: known_values([one["seconds"] for one in entries], stage) for stage in STAGES}
    known = [stage for stage in STAGES if times[stage]]
    if known:
        axes.boxplot([times[stage] for stage in known], tick_labels=known, whis=(5, 95), sym="")
    axes.axhline(0.5, color="grey", linewidth=0.8, linestyle="--", label="to reach: plan p50 0.5 s")
    axes.set(title="Time by stage", ylabel="wall time, quartiles and 5 to 95 % [s]")
    axes.set_ylim(bottom=0)
    axes.legend()
    return axes
