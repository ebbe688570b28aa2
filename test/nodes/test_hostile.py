"""Whatever comes in at a border becomes something valid or is refused in words; nothing else, and in bounded time.

``GPN_FUZZ_COUNT`` is how many mutations of each border's message are tried, ``GPN_FUZZ_SEED`` decides which.
"""

from __future__ import annotations

import os
import random
from time import perf_counter

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs the message packages")

from grasp_pose_net.nodes.hostile import BORDERS, KINDS, Border, Kind, fuzz, meet, mutated
from grasp_pose_net.nodes.messages import clouds

pytestmark = pytest.mark.ros

COUNT, SEED = int(os.environ.get("GPN_FUZZ_COUNT", "300")), int(os.environ.get("GPN_FUZZ_SEED", "0"))
SLOWEST_S = 1.0


@pytest.mark.parametrize("border", BORDERS.values(), ids=list(BORDERS))
def test_an_honest_message_is_taken(border: Border) -> None:
    assert meet(border, border.honest()) == ""


def test_there_are_many_kinds_and_each_border_has_some() -> None:
    assert len({kind.name for kind in KINDS}) >= 400
    assert {kind.border for kind in KINDS} == set(BORDERS)


@pytest.mark.parametrize("border", BORDERS)
def test_each_kind_is_taken_or_refused_as_is_right(border: str) -> None:
    wrong = []
    for kind in (kind for kind in KINDS if kind.border == border):
        message, started = kind.message(), perf_counter()
        text = meet(BORDERS[border], message)
        if bool(text) is not (kind.right == "refused") or perf_counter() - started > SLOWEST_S:
            wrong.append(f"{kind.name}: {text or 'taken'}, {perf_counter() - started:.1f} s")
    assert wrong == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Kind("scene", "collision_objects[0].primitives[0].dimensions", [0.1, 0.2], ""),
         "object 'table': primitive of type 1 has dimensions [0.1, 0.2]; expected 3 numbers"),
        (Kind("scene", "collision_objects[0].primitives[0].dimensions[1]", -0.02, ""),
         "object 'table': size of a box: expected three sides above 0, got [0.8, -0.02, 0.04]"),
        (Kind("scene", "collision_objects[0].operation", b"\x03", ""),
         "object 'table': operation MOVE is not supported; send all objects, each to ADD"),
        (Kind("scene", "collision_objects[1].mesh_poses", lambda poses: poses * 2, ""),
         "object 'can': 1 mesh shapes and 2 mesh_poses; give each its pose, or none any"),
        (Kind("pickup goal", "planning_options.planning_scene_diff.name", "other", ""),
         "planning_options.planning_scene_diff is not supported; leave it empty"),
        (Kind("pickup goal", "end_effector", "left_hand", ""), "end_effector is 'left_hand'; valid: 'shadow_hand'"),
        (Kind("joint states", "position[1]", float("nan"), ""), "positions of elbow: nan is not a finite number"),
        (Kind("depth", "image.height", 2**32 - 1, ""), "depth image of 8 x 4294967295 pixels"),
        (Kind("transforms", "transforms[0].header.frame_id", "camera", ""), "the frames base, camera form a loop"),
    ],
    ids=lambda value: value.path if isinstance(value, Kind) else "",
)  # fmt: skip
def test_refusals_say_what_was_found_and_what_to_do(kind: Kind, text: str) -> None:
    assert text in meet(BORDERS[kind.border], kind.message())


@pytest.mark.parametrize(
    ("border", "text"), [("cloud", "cloud has 12 points"), ("depth", "depth image has 48 pixels")]
)
def test_more_points_than_anybody_needs_are_refused(
    border: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clouds, "MOST_POINTS", 11)
    assert f"{text}, at most 11 are taken; publish fewer" in meet(BORDERS[border], BORDERS[border].honest())


@pytest.mark.parametrize("border", BORDERS)
def test_mutations_are_taken_or_refused(border: str) -> None:
    tally = fuzz(border, COUNT, SEED)
    assert tally.failures == []
    assert tally.taken + tally.refused == COUNT
    assert tally.refused > COUNT / 10, "the mutations break nothing"
    assert tally.slowest_s < SLOWEST_S


def test_the_same_seed_gives_the_same_message() -> None:
    one, same, other = (mutated(BORDERS["scene"].honest(), random.Random(seed)) for seed in (1, 1, 2))
    assert repr(one) == repr(same) != repr(other)


def test_a_decoder_that_lets_a_crash_or_a_number_through_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(message: object) -> None:
        raise IndexError("beyond the end")

    honest = BORDERS["joint states"].honest
    monkeypatch.setitem(BORDERS, "crash", Border("crash", honest, crash))
    monkeypatch.setitem(BORDERS, "raw", Border("raw", honest, lambda message: np.array(message.position)))
    assert "beyond the end" in fuzz("crash", 1, 0).failures[0][1]
    assert any("is not finite" in text for _, text in fuzz("raw", 200, 0).failures)
