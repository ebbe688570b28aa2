"""Counts and times as text and back, what a user is told when nothing is left, and the choice of objectives."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields

import pytest

from grasp_pose_net.planning import (
    ADVICE,
    Account,
    NoGraspFound,
    Plan,
    rejection_text,
    rejections,
    seconds_text,
    stage_of,
    stage_seconds,
)
from grasp_pose_net.refinement import OBJECTIVES, ObjectiveConfig, Refinement, paper_objective
from grasp_pose_net.robot.grasp_motion import PROGRESS
from grasp_pose_net.robot.problems import Problem

SECONDS = {"forward": 0.063, "refinement": 0.211}


def test_an_account_survives_as_text_amid_other_text() -> None:
    account = Account(5, 28, Counter({"ε too low": 4, "hits the support": 12}), 7, SECONDS)
    text = f"can: {account.text()}; more"
    assert Account.from_text(text) == account
    assert Account.from_text("nothing of it") == Account(0, 0)


def test_reasons_and_times_survive_alone() -> None:
    rejected = Counter({"penetrates": 3, "hits the support": 12})
    assert rejections(f"5 of 20 refined; {rejection_text(rejected)} (1279 ms)") == rejected
    assert rejections(f"x; {rejection_text(Counter())} (12 ms)") == Counter()
    assert stage_seconds(f"2 objects; {seconds_text(SECONDS)}; perception 1960 ms") == SECONDS | {
        "perception": 1.96
    }


def no_grasp(**rejected: int) -> str:
    counts = Counter({reason.replace("_", " "): count for reason, count in rejected.items()})
    return str(NoGraspFound(Plan(grasps=(), candidates=sum(counts.values()), rejected=counts)))


def test_failure_names_the_stages_that_took_most_and_the_last_and_what_would_help() -> None:
    text = no_grasp(penetrates=20, ε_too_low=6, no_inverse_kinematics=2)
    assert "0 grasps of 28 candidates" in text and "20 penetrates, 6 ε too low" in text
    assert "Most were lost in refinement (penetrates): ask for more rotations." in text
    assert "The last were lost in reach (no inverse kinematics): move the object nearer to the arm." in text


def test_neighbours_are_named_even_where_they_took_few() -> None:
    text = no_grasp(penetrates=105, hits_a_neighbour=7)
    assert "Most were lost in refinement (penetrates)" in text and "The last" not in text
    assert "7 were lost to neighbours: move the object's neighbours away." in text


def test_one_reason_is_said_once() -> None:
    text = no_grasp(ε_too_low=28)
    assert "Most were lost in ranking (ε too low): lower min_epsilon" in text and "The last" not in text
    assert NoGraspFound(Plan(grasps=(), candidates=0, rejected=Counter())).reason == ""


def test_every_problem_of_the_arm_has_advice() -> None:
    for problem in (*PROGRESS, Problem.HAND_IN_COLLISION, Problem.OUTSIDE_LIMITS):
        assert problem.value in ADVICE["reach"]
    assert stage_of("something new of the arm") == "reach"


def test_objectives_are_chosen_by_name() -> None:
    assert ObjectiveConfig().refinement() == Refinement()
    paper = ObjectiveConfig(objective="paper", beta=0.5, iterations=80).refinement().objective
    assert paper == paper_objective(0.5, iterations=80) and paper.energy.contact == 0.0
    with pytest.raises(ValueError, match=r"objective is 'best'; valid: closing, paper"):
        ObjectiveConfig(objective="best")
    (described,) = [entry for entry in fields(ObjectiveConfig) if entry.name == "objective"]
    assert described.metadata["choices"] == tuple(OBJECTIVES)
