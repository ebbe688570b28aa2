"""Seeds taken together, and the ratios that the paper is measured by, from made-up figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from grasp_pose_net.training.summary import spread, summarize

FIGURES = ("consistency", "paper_consistency", "penetrating_points", "mean_depth_m", "total_depth_m")


def network(loss: str, seed: int, value: float, hand: str = "shadow", **other: Any) -> dict[str, Any]:
    """An entry whose figures are all `value` on test objects and half of it on training objects."""
    test = dict.fromkeys((*FIGURES, "l2", "paper_l2"), value)
    figures = {"test": test, "train": {name: v / 2 for name, v in test.items()}}
    entry = {"hand": hand, "architecture": "compact", "loss": loss, "seed": seed, "training_objects": None}
    return {**entry, "figures": figures, **other}


def ratio(report: dict[str, Any], figure: str) -> dict[str, Any]:
    return next(entry for entry in report["ratios"] if entry["figure"] == figure)


def test_spread_is_mean_range_and_sample_deviation() -> None:
    assert spread([1.0, 2.0, 6.0]) == {
        "mean": 3.0,
        "min": 1.0,
        "max": 6.0,
        "std": pytest.approx(np.sqrt(7.0)),
        "values": [1.0, 2.0, 6.0],
    }
    assert spread([4.0])["std"] == 0.0


def test_seeds_of_a_kind_are_taken_together_and_kinds_kept_apart() -> None:
    networks = [network("l2", 0, 1.0), network("combined", 0, 5.0), network("l2", 1, 3.0)]
    networks += [network("l2", 0, 7.0, training_objects=50), network("l2", 0, 9.0, hand="barrett")]
    kinds = summarize({"networks": networks, "changes": []})["kinds"]
    assert [(kind["loss"], kind["seeds"], kind["figures"]["test"]["l2"]["mean"]) for kind in kinds] == [
        ("l2", [0, 1], 2.0),
        ("combined", [0], 5.0),
        ("l2", [0], 7.0),
        ("l2", [0], 9.0),
    ]
    assert kinds[0]["figures"]["train"]["l2"]["values"] == [0.5, 1.5]


def test_ratios_are_of_means_on_test_objects_and_of_matching_seeds() -> None:
    networks = [network("l2", seed, value) for seed, value in ((0, 30.0), (1, 50.0), (7, 40.0))]
    networks += [network("consistency", 0, 1.0), network("consistency", 1, 2.0), network("combined", 1, 0.3)]
    report = summarize({"networks": networks, "changes": []})
    learned = ratio(report, "consistency")
    assert learned["value"] == pytest.approx(1.5 / 40)
    assert learned["by_seed"] == pytest.approx({"0": 1 / 30, "1": 2 / 50})
    assert learned["paper"] == pytest.approx(0.043 / 2.630)
    assert (learned["asked"], learned["met"]) == ("≤ 0.05", True)
    points, depth = ratio(report, "penetrating_points"), ratio(report, "mean_depth_m")
    assert points["value"] == pytest.approx(0.3 / 1.5)
    assert points["paper"] == pytest.approx(0.719 / 2.563)
    assert (points["asked"], points["met"]) == ("≤ 0.333", True)
    assert depth["paper"] == pytest.approx(8.1 / 55.3)
    assert (depth["asked"], depth["met"]) == ("≤ 0.2", True)
    assert not any(entry["figure"] == "l2" for entry in report["ratios"])  # no Barrett


@pytest.mark.parametrize(("barrett", "met"), [(2.0, True), (2.1, False)])
def test_shadow_over_barrett_may_have_seen_other_numbers_of_objects(barrett: float, met: bool) -> None:
    networks = [network("l2", 0, 10.0, training_objects=300)]
    networks += [network("l2", 0, barrett, hand="barrett", training_objects=120)]
    hands = ratio(summarize({"networks": networks, "changes": []}), "l2")
    assert hands["value"] == pytest.approx(10.0 / barrett)
    assert hands["paper"] == pytest.approx(12.6, abs=0.01)
    assert (hands["asked"], hands["met"]) == ("≥ 5", met)


def test_missed_ratios_are_told_and_nothing_is_divided_by_zero() -> None:
    networks = [network("consistency", 0, 1.0), network("combined", 0, 0.9)]
    assert ratio(summarize({"networks": networks, "changes": []}), "mean_depth_m")["met"] is False
    networks = [network("consistency", 0, 0.0), network("combined", 0, 0.9)]
    none = ratio(summarize({"networks": networks, "changes": []}), "mean_depth_m")
    assert (none["value"], none["met"], none["by_seed"]) == (None, None, {"0": None})
