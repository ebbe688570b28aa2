"""Figures of a dataset against hand-made ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grasp_pose_net.synthesis import GraspDataset, dataset_report, report_text, shortfall


@pytest.fixture
def data() -> GraspDataset:
    """Three grasps of a can, one of a large box, and a file that was no mesh."""
    x = np.zeros((4, 25), np.float32)
    x[:, 3] = 1.0
    x[1, 0] = 0.05  # 5 cm beside the first
    x[2, 1] = 0.30
    x[2, 3:7] = np.cos(0.35), np.sin(0.35), 0, 0  # turned by 0.7 rad
    x[2, 7:9] = 0.3, 0.4
    return GraspDataset(
        hand="shadow",
        run='{"grasps": 3}',
        objects=np.array(["shop/can", "shop/box", "shop/text"]),
        split=np.array(["train"] * 3),
        mesh_hash=np.array([""] * 3),
        extents_m=np.array([[0.06, 0.06, 0.1], [0.2, 0.2, 0.3], [0, 0, 0]], np.float32),
        seed=np.arange(3),
        failure=np.array(["", "", "text.obj: no mesh"]),
        tried=np.array([30, 50, 0]),
        passed=np.array([20, 5, 0]),
        trials=np.array([[4, 3], [6, 1], [0, 0]]),
        successes=np.array([[3, 3], [1, 0], [0, 0]]),
        stages=np.array(["search", "trial"]),
        seconds=np.array([[1, 2], [4, 1], [0, 0]], np.float32),
        planes=np.array([[0, 0, 0, 0], [0, 0, 1, -0.05]], np.float32),
        object_index=np.array([0, 0, 0, 1], np.int32),
        x=x,
        epsilon=np.array([0.1, 0.2, 0.3, 0.2], np.float32),
        hand_penetration_m=np.array([0, 0, 0, 0.001], np.float32),
        self_penetration_m=np.zeros(4, np.float32),
        plane=np.array([1, 1, 0, 0], np.int16),
        held=np.ones(4, np.bool_),
    )


def test_figures_are_those_of_the_arrays(data):
    report = dataset_report(data)
    assert (report["objects"], report["planned"], report["grasps"], report["held"]) == (3, 2, 4, 4)
    assert report["left_out"] == {"shop/text": "text.obj: no mesh"}
    assert report["share_with_all"] == 0.5 and report["share_with_50"] == 0.0
    assert report["mean_epsilon"] == pytest.approx(0.2) and report["share_strong"] == 0.75
    assert report["trials"] == 10 and report["trial_success"] == pytest.approx(0.4)
    assert report["strong_trials"] == 4 and report["strong_trial_success"] == pytest.approx(0.75)
    assert report["grasps_per_core_second"] == pytest.approx(0.5)
    assert report["core_seconds"] == {"search": 5.0, "trial": 3.0}
    assert report["clear_of_table"] == 0.5
    assert report["hand_penetration_p95_m"] == pytest.approx(0.00085)


def test_nearest_other_grasp_is_measured_part_by_part(data):
    nearest = dataset_report(data)["nearest"]
    assert nearest["combined"]["min"] == pytest.approx(0.5)  # 5 cm
    assert nearest["position_m"]["min"] == pytest.approx(0.05)
    assert nearest["palm_rad"]["min"] == pytest.approx(0.0, abs=1e-3)
    # the third grasp is 0.3 m, 0.7 rad and 0.5 rad of the joints from the first
    far = dataset_report(replace(data, object_index=np.array([0, 1, 0, 2], np.int32)))["nearest"]
    assert far["combined"]["median"] == pytest.approx(np.sqrt(3**2 + 1 + 0.25), rel=1e-5)
    assert far["palm_rad"]["median"] == pytest.approx(0.7, rel=1e-5)
    assert far["joints_rad"]["median"] == pytest.approx(0.5)


def test_shortfall_says_what_is_known(data):
    assert dataset_report(data)["short"] == {"shop/box": shortfall(data, 1)}
    assert shortfall(data, 1) == (
        "1 grasps; too large: 20.0 × 20.0 × 30.0 cm; 5 of 50 candidates passed the filter, 1 of 6 trials held"
    )
    assert shortfall(data, 2) == "text.obj: no mesh"


def test_text_shows_figures_and_lists(data):
    text = report_text(dataset_report(data))
    assert "| objects planned / left out | 2 / 1 |" in text
    assert "40.0 % of 10 / 75.0 % of 4" in text
    assert "- shop/text: text.obj: no mesh" in text and "- shop/box: 1 grasps; too large" in text


def test_no_grasps_at_all_are_reported(data):
    nothing = {name: getattr(data, name)[:0] for name in ("object_index", "x", "epsilon", "plane", "held")}
    nothing |= {name: getattr(data, name)[:0] for name in ("hand_penetration_m", "self_penetration_m")}
    report = dataset_report(replace(data, **nothing))
    assert report["mean_epsilon"] is None and report["nearest"] == {}
    assert "| mean exact epsilon | - |" in report_text(report)
