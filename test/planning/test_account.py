"""What became of the candidates: read off the batch, as data and back, and what a user is told when nothing is left."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from grasp_pose_net.planning import Account, Batch, NoGraspFound, Plan, Reject, reasons_from_json, to_json
from grasp_pose_net.planning.reject import REACH, STAGES
from grasp_pose_net.robot.grasp_motion import PROGRESS
from grasp_pose_net.robot.problems import Problem


def batch_of(**rejected: int) -> Batch:
    """Candidates that all came to an end."""
    batch, row = Batch.of(np.zeros((sum(rejected.values()), 25))), 0
    for name, count in rejected.items():
        batch = batch.rejected(np.arange(row, row + count), Reject[name])
        row += count
    return batch


def no_grasp(**rejected: int) -> NoGraspFound:
    batch = batch_of(**rejected)
    return NoGraspFound(Plan(grasps=(), account=Account.of(batch), batch=batch))


def test_every_candidate_has_exactly_one_end() -> None:
    batch = batch_of(PENETRATES=3, SPARE=2, WEAK=1)
    again = batch.rejected(np.arange(6), Reject.NO_APPROACH)  # they have had theirs
    assert Account.of(again) == Account(0, 6, Counter({Reject.PENETRATES: 3, Reject.WEAK: 1}), 2)
    more = batch.followed_by(np.zeros((4, 25)))
    account = Account.of(more)
    assert account.grasps == 4 and account.grasps + sum(account.rejected.values()) + account.spare == len(
        more
    )


def test_an_account_and_the_reasons_travel_as_data() -> None:
    batch = batch_of(PENETRATES=2, WEAK=1).followed_by(np.zeros((1, 25)))
    said = json.loads(to_json("5 of 28; rejected: 99 lies, (2 ms)", batch))
    assert said["text"] == "5 of 28; rejected: 99 lies, (2 ms)"
    assert Account.from_data(said["account"]) == Account.of(batch)
    assert reasons_from_json(json.dumps(said)) == [Reject.PENETRATES, Reject.PENETRATES, Reject.WEAK, None]
    timed = Account(5, 28, Counter({Reject.WEAK: 4}), 7, {"forward": 0.063})
    assert Account.from_data(json.loads(json.dumps(timed.data()))) == timed


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("5 grasps of 28 candidates", "Expecting value|Extra data"),
        ('{"text": "x"}', "expected the reasons of candidates, got"),
        ("[1, 2]", "expected the reasons of candidates, got"),
        ('{"reasons": ["LOST"]}', "no reason 'LOST'; there are: PENETRATES, HITS_SUPPORT"),
    ],
)
def test_what_holds_no_reasons_is_refused(message: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        reasons_from_json(message)


def test_what_is_no_account_is_refused() -> None:
    with pytest.raises(ValueError, match="not the account of a plan: KeyError"):
        Account.from_data({"grasps": 1})


def test_an_account_reads_as_one_line() -> None:
    account = Account(
        2, 28, Counter({Reject.WEAK: 4, Reject.HITS_SUPPORT: 12}), 10, {"forward": 0.063, "reach": 0.2}
    )
    assert account.text() == (
        "2 grasps of 28 candidates; rejected: 12 hits the support, 4 ε too low; 10 not needed; "
        "forward 63 ms, reach 200 ms"
    )
    assert Account(0, 0).text() == "0 grasps of 0 candidates; rejected: none"


def test_failure_names_the_stages_that_took_most_and_the_last_and_what_would_help() -> None:
    text = str(no_grasp(PENETRATES=20, WEAK=6, OUT_OF_REACH=2))
    assert "0 grasps of 28 candidates" in text and "20 penetrates, 6 ε too low" in text
    assert "Most were lost in refinement (penetrates): ask for more rotations." in text
    assert "The last were lost in reach (no inverse kinematics): move the object nearer to the arm." in text


def test_neighbours_are_named_even_where_they_took_few() -> None:
    text = str(no_grasp(PENETRATES=105, HITS_NEIGHBOUR=7))
    assert "Most were lost in refinement (penetrates)" in text and "The last" not in text
    assert "7 were lost to neighbours: move the object's neighbours away." in text


def test_one_reason_is_said_once() -> None:
    text = str(no_grasp(WEAK=28))
    assert "Most were lost in ranking (ε too low): lower min_epsilon" in text and "The last" not in text
    assert no_grasp().reason is None and no_grasp(WEAK=1).reason is Reject.WEAK


def test_every_problem_of_the_arm_is_a_reason_with_a_remedy() -> None:
    for problem in (*PROGRESS, Problem.HAND_IN_COLLISION, Problem.OUTSIDE_LIMITS):
        reason = Reject.of(problem)
        assert reason.stage == REACH and reason.text == problem.value and reason.remedy
    assert {reason.stage for reason in Reject} == set(STAGES)
    assert len({reason.text for reason in Reject}) == len(Reject)
