"""The figures and plots of made-up entries."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from grasp_pose_net.benchmark.entries import entry, report
from grasp_pose_net.benchmark.plots import plot_epsilon, plot_success, plot_times
from grasp_pose_net.benchmark.tables import benchmark_text, wilson

TRUE = {"epsilon": 0.11, "penetrating_points": 1, "max_penetration_m": 0.001, "hand_penetration_m": 0.002}
ENTRIES = [
    entry(
        "kit/can",
        episode=0,
        epsilon=0.3,
        penetrating_points=0,
        hand_penetration_m=0.0004,
        force_success=True,
        lift_success=True,
        feasible=5,
        candidates=28,
        rejected={"penetrates": 20},
        on_true_object=TRUE,
        seconds={"plan": 0.4, "refinement": 0.1},
        stage_seconds={"reach": 0.05},
        cpu_seconds={"plan": 0.7},
        stolen_seconds={"plan": 0.01},
        shape={"smallest_side_m": 0.06, "hull_share": 0.99},
    ),
    entry(
        "kit/mug",
        episode=0,
        epsilon=0.1,
        hand_penetration_m=0.0008,
        lift_success=False,
        failure="hold",
        reason="rose to 0.12 m",
        feasible=2,
        pictures=["hold/kit_mug_0_scene.png"],
        seconds={"plan": 0.6},
        stolen_seconds={"plan": 0.2},
        shape={"smallest_side_m": 0.08, "hull_share": 0.4},
    ),
]


def text(jobs: list[int]) -> str:
    config = {
        "stages": ["scan", "plan", "lift"],
        "hand": "shadow",
        "seed": 0,
        "grasps": {"rotations": 28},
        "descent": {"objective": "closing"},
    }
    made = report(ENTRIES) | {
        "left_out": {"kit/plate": "it has holes"},
        "jobs": jobs,
        "commits": ["abc"],
        "config": config,
        "measured_objects": "test of objects",
    }
    return benchmark_text(made)


def test_the_table_has_our_figures_beside_the_papers() -> None:
    lines = text([1])
    for line in (
        "| plan, p50 | 0.500 s | 2 | 3 to 5 s | ≤ 0.5 s |",
        "| mean ε of the chosen grasp (μ = 0.6) | 0.200 | 2 | 0.102 | ≥ 0.15 |",
        "| … on the object as it is, not as it was perceived | 0.110 | 1 |  |  |",
        "| hand penetration, p95 | 0.78 mm | 2 |  | ≤ 0.5 mm |",
        "| force trial | 100.0 % (20.7 % to 100.0 %) | 1 |  | ≥ 85 % |",
        "| lift trial, whole system | 50.0 % (9.5 % to 90.5 %) | 2 | 12 of 15 real | ≥ 90 % |",
        "| objects with at least 3 feasible grasps | 50.0 % (9.5 % to 90.5 %) | 2 | one | ≥ 95 % |",
        "| penetrates | 20 | 71.4 % |",
        "| reach | 0.050 s | 0.050 s |",
        "- kit/mug, episode 0: rose to 0.12 m [picture](failures/hold/kit_mug_0_scene.png)",
        "- kit/plate: it has holes",
        "In 1 of 2 trials the machine's host kept more than 5.0 % of a core's time during planning for others (steal); "
        "the other 1 took 0.400 s (p50) and 0.400 s (p95).",
        "Of 2 objects 1 are thin (smallest side below 2 cm: 0) or concave (less than 90 % of the convex hull: 1).",
    ):
        assert line in lines.splitlines(), line


def test_times_of_a_shared_machine_are_not_passed_off_as_the_protocols() -> None:
    assert "one trial at a time" in text([1]) and "NOT those of the protocols" in text([1, 4])


def test_intervals_of_rates() -> None:
    np.testing.assert_allclose(wilson(8, 10), (0.490, 0.943), atol=1e-3)
    assert wilson(10, 10)[1] == pytest.approx(1.0) and wilson(10, 10)[0] < 0.73


def test_plots_show_what_the_entries_say() -> None:
    success, epsilon, times = Figure().subplots(1, 3)
    image = plot_success(ENTRIES, success).images[0].get_array()
    assert image is not None and image.shape == (2, 2)
    assert image[0, 0] == 1.0 and np.ma.is_masked(image[0, 1]) and list(image[1]) == [1.0, 0.0]
    assert [label.get_text() for label in success.get_xticklabels()] == ["kit/can", "kit/mug"]
    assert sum(bar.get_height() for bar in plot_epsilon(ENTRIES, epsilon).patches) == 2
    plot_times(ENTRIES, times)
    assert [label.get_text() for label in times.get_xticklabels()] == ["refinement", "plan"]
    assert "[s]" in times.get_ylabel()
