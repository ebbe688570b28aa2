"""Random changes of a message's fields, by their types; the same seed gives the same message."""

from __future__ import annotations

import copy
import dataclasses
import random
import re
from array import array
from contextlib import suppress
from typing import Any

import numpy as np

DOUBLES = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-9, 1e-310, 1e9, 1e300, float("nan"), float("inf"), float("-inf"))
FLOATS = (0.0, -1.0, 0.5, 1e-40, 1e9, 3e38, float("nan"), float("inf"), float("-inf"))
TEXTS = (
    "",
    "world",
    "camera",
    "can",
    "table",
    "can/0",
    "x" * 5000,
    "ünï©ode \U0001f916",
    "../../etc",
    "%s{}{0}",
    "a\nb",
)
STEPS = (0, 1, 2, 3, 4, 7, 8, 12, 16, 255, 640, 65535)
MOST_CHANGES = 4
USED = 0.8  # share of changes in fields that have been filled in
LONGEST = 64  # of a list that is drawn out


def mutated(message: Any, rng: random.Random) -> Any:
    """A message with some fields changed, of a type that ROS would carry; the one given may be changed, too.

    Args:
        message: a ROS message, or a dataclass of several.
        rng: decides what is changed.
    """
    for _ in range(rng.randint(1, MOST_CHANGES)):
        # a message's own setters refuse what cannot be sent
        with suppress(AssertionError, OverflowError, TypeError):
            _change(message, rng)
    return message


def _change(message: Any, rng: random.Random) -> None:
    if dataclasses.is_dataclass(message):
        _change(getattr(message, rng.choice(dataclasses.fields(message)).name), rng)
        return
    kinds = message.get_fields_and_field_types()
    if not kinds:
        return
    # what an honest message says is what its reader looks at
    empty = type(message)()
    said = [name for name in kinds if _differ(getattr(message, name), getattr(empty, name))]
    name = rng.choice(said if said and rng.random() < USED else [*kinds])
    kind = kinds[name]
    value = getattr(message, name)
    if isinstance(value, (list, tuple, array, np.ndarray)):
        setattr(message, name, _sequence(value, kind, rng))
    elif hasattr(value, "get_fields_and_field_types"):
        _change(value, rng)
    else:
        setattr(message, name, _leaf(value, kind, rng))


def _differ(value: Any, other: Any) -> bool:
    return (
        len(value) != len(other) or list(value) != list(other)
        if hasattr(value, "__len__")
        else value != other
    )


def _sequence(values: Any, kind: str, rng: random.Random) -> Any:
    """A sequence of which an entry is changed, or that is shorter or longer."""
    entries = list(values)
    element = re.sub(r"^sequence<(.*?)(, \d+)?>$|\[\d+\]$", r"\1", kind)
    fixed = kind.endswith("]")
    what = rng.random()
    if entries and (fixed or what < 0.6):
        place = rng.randrange(len(entries))
        if hasattr(entries[place], "get_fields_and_field_types"):
            entries[place] = copy.deepcopy(entries[place])
            _change(entries[place], rng)
        else:
            entries[place] = _leaf(entries[place], element, rng)
    elif what < 0.7:
        entries = entries[: rng.randrange(len(entries) + 1)]
    elif what < 0.8 and entries:
        entries.insert(rng.randrange(len(entries)), copy.deepcopy(rng.choice(entries)))
    elif what < 0.9 and entries:
        del entries[rng.randrange(len(entries))]
    elif entries and len(entries) < LONGEST:
        entries = entries * rng.choice((2, 3))
    if isinstance(values, np.ndarray):
        return np.array(entries, values.dtype)
    return array(values.typecode, entries) if isinstance(values, array) else entries


def _leaf(value: Any, kind: str, rng: random.Random) -> Any:
    """Another value of a simple type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, bytes):
        return bytes([rng.randrange(256)])
    if isinstance(value, str):
        return rng.choice(TEXTS)
    if kind in ("double", "float"):
        return (
            rng.choice(FLOATS if kind == "float" else DOUBLES) if rng.random() < 0.7 else rng.gauss(0.0, 1.0)
        )
    bits = int(re.sub(r"\D", "", kind) or 8)
    low, high = (0, 2**bits - 1) if kind.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    number = rng.choice(
        (low, high, rng.randint(low, high), rng.choice(STEPS), int(value) + rng.choice((-1, 1)))
    )
    return min(max(number, low), high)
