"""Many hostile messages at a border, and what came of them."""

from __future__ import annotations

import dataclasses
import random
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from grasp_pose_net.exceptions import GraspPoseNetError, WorldError
from grasp_pose_net.nodes.hostile.borders import BORDERS, Border
from grasp_pose_net.nodes.hostile.kinds import KINDS, REFUSED, TAKEN, Kind
from grasp_pose_net.nodes.hostile.mutation import mutated
from grasp_pose_net.world import rigid_transform

MAY_BE_MISSING = {"cloud", "depth"}  # rows of points that are not finite are missing measurements
MAY_BE_INFINITE = {"depth_m", "path_tolerance", "goal_tolerance"}


@dataclass
class Tally:
    """What came of messages at one border, or of requests of one sort.

    Attributes:
        border: its name.
        taken: how many became something valid, or were done.
        refused: how many were refused with a sentence.
        slowest_s: longest time that one took.
        failures: of every other: its number, and what happened.
    """

    border: str
    taken: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    failures: list[tuple[int, str]] = field(default_factory=list)

    @property
    def tried(self) -> int:
        """How many there were."""
        return self.taken + self.refused + len(self.failures)


def meet(border: Border, message: Any) -> str:
    """Decode a message; why it was refused, empty where it was taken.

    Raises:
        AssertionError: what came of it is not valid, or the refusal has no words.
        Exception: whatever a decoder raises that is no `GraspPoseNetError`.
    """
    try:
        decoded = border.decode(message)
    except GraspPoseNetError as error:
        text = str(error)
        assert len(text.split()) > 2, f"no sentence: {text!r}"
        return text
    if border.name in MAY_BE_MISSING:
        assert decoded.ndim == 2 and decoded.shape[1] == 3, f"no points: {decoded.shape}"
    else:
        _check(decoded, border.name)
    return ""


def fuzz(name: str, count: int, seed: int) -> Tally:
    """Mutations of a border's honest message; number ``n`` of a seed is the same message whatever the count.

    Args:
        name: the border, of `BORDERS`.
        count: how many.
        seed: decides what is changed.
    """
    honest = BORDERS[name].honest
    return _met(name, (mutated(honest(), random.Random(f"{name} {seed} {n}")) for n in range(count)))


def meet_kinds(name: str) -> Tally:
    """Each kind of the table at a border; one that is taken though it should be refused is a failure, and one the other way.

    Args:
        name: the border, of `BORDERS`.
    """
    kinds = [kind for kind in KINDS if kind.border == name]
    return _met(name, (kind.message() for kind in kinds), kinds)


def _met(name: str, messages: Iterable[Any], kinds: Sequence[Kind] = ()) -> Tally:
    """What comes of messages at a border; each is of one of ``kinds``, where these are given."""
    tally = Tally(name)
    for number, message in enumerate(messages):
        started = perf_counter()
        try:
            outcome = REFUSED if meet(BORDERS[name], message) else TAKEN
        except Exception:
            outcome = traceback.format_exc(limit=-6)
        tally.slowest_s = max(tally.slowest_s, perf_counter() - started)
        if outcome not in (TAKEN, REFUSED):
            tally.failures.append((number, outcome))
        elif kinds and outcome != kinds[number].right:
            tally.failures.append(
                (number, f"{kinds[number].name}: {outcome}, but {kinds[number].right} is right")
            )
        else:
            tally.refused += outcome == REFUSED
            tally.taken += outcome == TAKEN
    return tally


def _check(value: Any, name: str) -> None:
    """Assert that all numbers of what was decoded are finite, and all poses rigid.

    Raises:
        AssertionError: they are not; the text names the attribute.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for entry in dataclasses.fields(value):
            if entry.name not in MAY_BE_INFINITE:
                _check(getattr(value, entry.name), entry.name)
    elif isinstance(value, dict):
        _check(list(value.values()), name)
    elif isinstance(value, (list, tuple)) and not isinstance(value, str):
        for one in value:
            _check(one, name)
    elif isinstance(value, (float, np.ndarray)):
        assert np.isfinite(value).all(), f"{name} is not finite"
        if name.startswith("T_"):
            try:
                rigid_transform(value, name)
            except WorldError as error:
                raise AssertionError(f"{name}: {error}") from error
