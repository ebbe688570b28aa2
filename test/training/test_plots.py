"""Pictures show the figures that they were given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.training.plots import (
    COLOURS,
    plot_learning_curve,
    plot_panel,
    save_evaluation,
    save_learning_curve,
)
from grasp_pose_net.training.summary import summarize

GROUP = {"hand": "shadow", "architecture": "compact", "training_objects": None}
FIGURES = {
    "l2": 9.0,
    "consistency": 0.5,
    "combined": 0.4,
    "penetrating_points": 2.0,
    "refined_points": 0.0,
    "mean_depth_m": 0.004,
    "refined_depth_m": 0.0,
    "best_epsilon": 0.3,
    "good_share": 0.7,
}


def network(loss: str, seed: int, factor: float, objects: int | None = None) -> dict[str, Any]:
    figures = {name: factor * value for name, value in FIGURES.items()}
    paper = {f"paper_{name}": figures[name] for name in ("l2", "consistency")}
    figures |= paper | {"total_depth_m": figures["mean_depth_m"]}
    return {
        **GROUP,
        "loss": loss,
        "seed": seed,
        "training_objects": objects,
        "figures": {"test": figures, "train": {name: value / 2 for name, value in figures.items()}},
    }


@pytest.fixture
def report() -> dict[str, Any]:
    networks = [network("consistency", 0, 1.0), network("consistency", 1, 2.0), network("combined", 0, 0.5)]
    baseline = [{"hand": "shadow", "figures": {"test": {"best_epsilon": 0.25, "good_share": 0.6}}}]
    made = {"networks": networks, "changes": [], "baseline": baseline}
    return made | summarize(made)


def test_bars_are_as_high_as_the_figures(report: dict[str, Any]) -> None:
    axes = plot_panel(report, GROUP, 2, Figure().subplots())
    heights = {(to_hex(bar.get_facecolor()), round(bar.get_x())): bar.get_height() for bar in axes.patches}  # type: ignore[attr-defined]
    assert heights == pytest.approx(
        {
            (COLOURS["consistency"], 0): 6.0,  # millimetres, mean of two seeds
            (COLOURS["consistency"], 1): 0.0,
            (COLOURS["combined"], 0): 2.0,
            (COLOURS["combined"], 1): 0.0,
        }
    )
    (bar,) = [container for container in axes.containers if isinstance(container, ErrorbarContainer)][:1]
    ends = bar.lines[2][0].get_segments()[0][:, 1]  # type: ignore[attr-defined]
    np.testing.assert_allclose(ends, [4.0, 8.0])
    assert axes.get_ylabel() == "mean depth [mm]"


def test_the_baseline_stands_beside_the_networks(report: dict[str, Any]) -> None:
    axes = plot_panel(report, GROUP, 3, Figure().subplots())
    sampled = [p.get_height() for p in axes.patches if to_hex(p.get_facecolor()) == COLOURS["sampled"]]  # type: ignore[attr-defined]
    assert sampled == [0.25, 0.6]


def test_evaluation_picture_has_a_row_for_each_group(report: dict[str, Any], tmp_path: Path) -> None:
    save_evaluation(report, tmp_path / "one.png")
    more = report["networks"] + [network("combined", 0, 1.0, objects=50)]
    made = {**report, "networks": more}
    save_evaluation(made | summarize(made), tmp_path / "two.png")
    assert (tmp_path / "two.png").stat().st_size > (tmp_path / "one.png").stat().st_size > 10000


def test_learning_curve_goes_through_the_means_in_order(tmp_path: Path) -> None:
    reports = [
        {
            "networks": [
                network("combined", seed, factor, objects=count) for seed, factor in enumerate(factors)
            ]
        }
        for count, factors in ((200, (1.0, 1.2)), (50, (3.0,)))
    ]
    reports.append({"networks": [network("combined", 0, 99.0)]})  # does not say how many objects
    reports.append({"networks": [network("l2", 0, 99.0, objects=70)]})  # one point is no curve
    axes = plot_learning_curve(reports, Figure().subplots())
    test, train = (container.lines[0] for container in axes.containers)  # type: ignore[attr-defined]
    np.testing.assert_allclose(test.get_xydata(), [[50, 1.5], [200, 0.55]])
    np.testing.assert_allclose(train.get_xydata(), [[50, 0.75], [200, 0.275]])
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["50", "200"]
    save_learning_curve(reports, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 5000


def test_learning_curve_without_numbers_of_objects_is_refused() -> None:
    with pytest.raises(GraspPoseNetError, match="found none; `grasp-pose-net train --objects`"):
        plot_learning_curve([{"networks": [network("combined", 0, 1.0)]}], Figure().subplots())
    one = {"networks": [network("combined", seed, 1.0, objects=70) for seed in (0, 1)]}
    with pytest.raises(GraspPoseNetError, match="found 70; "):
        plot_learning_curve([one], Figure().subplots())
