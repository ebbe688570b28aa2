from __future__ import annotations

import numpy as np
import pytest

from grasp_pose_net.simulation.lift_trial import judge_lift

TIMES = np.arange(0, 12, 0.05)


def track(*points):
    """Heights over TIMES through (time, height) points."""
    times, heights = zip(*points, strict=True)
    return 0.8 + np.interp(TIMES, times, heights)


GOOD = track((0, 0), (1, 0), (3, 0.2))


def test_a_lift_that_holds_and_survives_the_shake_succeeds():
    verdict = judge_lift(TIMES, GOOD, shake_end=9.0)
    assert verdict.success and verdict.failure == ""
    np.testing.assert_allclose(verdict.height_m, 0.2)


def test_the_shake_itself_may_go_below_the_height():
    heights = track((0, 0), (1, 0), (3, 0.11), (7, 0.11), (7.5, 0.08), (8, 0.11))
    assert judge_lift(TIMES, heights, shake_end=9.0).success


@pytest.mark.parametrize(
    ("points", "stage"),
    [
        (((0, 0), (2, 0.09)), "lift"),
        (((0, 0), (2, 0.2), (3, 0.2), (3.3, 0)), "hold"),
        (((0, 0), (2, 0.2), (9.5, 0.2)), "hold"),  # never seen for 3 s after: the track ends
        (((0, 0), (2, 0.2), (7, 0.2), (7.5, 0)), "shake"),
        (((0, 0), (2, 0.2), (10, 0.2), (10.4, 0)), "shake"),
    ],
)
def test_each_failure_has_its_stage(points, stage):
    heights = track(*points)
    times = TIMES[:60] if stage == "hold" and points[-1][1] == 0.2 else TIMES
    assert judge_lift(times, heights[: len(times)], shake_end=9.0).failure == stage


def test_a_trial_without_a_shake_is_not_passed():
    assert judge_lift(TIMES, GOOD, shake_end=np.inf).failure == "shake"


def test_a_blip_below_the_height_only_delays_the_hold():
    heights = track((0, 0), (2, 0.105), (2.1, 0.095), (2.2, 0.12))
    assert judge_lift(TIMES, heights, shake_end=9.0).success


@pytest.mark.parametrize(("times", "heights"), [([], []), ([0, 1], [0.0])])
def test_arrays_that_do_not_fit_are_refused(times, heights):
    with pytest.raises(ValueError, match="expected"):
        judge_lift(np.array(times), np.array(heights), shake_end=1.0)
