"""The choice of objectives by name."""

from __future__ import annotations

from dataclasses import fields

import pytest

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.refinement import OBJECTIVES, ObjectiveConfig, Refinement, paper_objective


def test_objectives_are_chosen_by_name() -> None:
    assert ObjectiveConfig().refinement() == Refinement()
    paper = ObjectiveConfig(objective="paper", beta=0.5, iterations=80).refinement().objective
    assert paper == paper_objective(0.5, iterations=80) and paper.energy.contact == 0.0
    with pytest.raises(ConfigError, match=r"objective is 'best'; valid: closing, paper"):
        ObjectiveConfig(objective="best")
    (described,) = [entry for entry in fields(ObjectiveConfig) if entry.name == "objective"]
    assert described.metadata["choices"] == tuple(OBJECTIVES)
