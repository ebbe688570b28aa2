from __future__ import annotations

import numpy as np

from grasp_pose_net.simulation import pacing
from grasp_pose_net.simulation.pacing import Every, Pace


def test_something_is_due_at_its_rate_whatever_the_steps():
    for step in (0.01, 0.033, 0.05):
        every = Every(10.0)
        due = sum(every.due(now) for now in np.arange(0, 10, step))
        assert abs(due - 100) <= 1


def test_what_was_missed_is_not_made_up_for():
    every = Every(10.0)
    assert every.due(0.0)
    assert [every.due(now) for now in (5.0, 5.01, 5.02, 5.1)] == [True, False, False, True]


def test_the_wait_keeps_the_factor(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(pacing.time, "monotonic", lambda: clock[0])
    pace = Pace(2.0)
    assert pace.ahead(1.0) == 0
    np.testing.assert_allclose(pace.ahead(1.5), 0.25)
    clock[0] += 5  # a stall: from here on, without catching up
    assert pace.ahead(1.6) == 0
    np.testing.assert_allclose(pace.ahead(1.8), 0.1)
    assert Pace(0.0).ahead(1e6) == 0
