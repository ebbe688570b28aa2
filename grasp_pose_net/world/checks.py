"""What every value of the vocabulary is checked for, once, where it is made."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grasp_pose_net.exceptions import WorldError

# SI units: what is larger was not measured near a robot, and its square or sum soon is no number any more
LARGEST = 1e6
FARTHEST_M = 1e3  # of a place or a side
SHORTEST_M = 1e-6  # of a side: what is thinner is a slip of units, and geometry libraries divide by it


def finite(
    values: Any, name: str, shape: tuple[int | None, ...], most: float = LARGEST
) -> NDArray[np.float64]:
    """Read-only copy of numbers, all of them finite and none of them absurd.

    Args:
        values: the numbers.
        name: what the error text calls them.
        shape: that they must have; None where any length is good.
        most: largest absolute value.

    Raises:
        WorldError: another shape, no numbers, or one that is not finite or too large.
    """
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise WorldError(f"{name}: expected numbers, got {values!r}") from error
    if array.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, array.shape, strict=True)):
        wanted = ", ".join("N" if n is None else str(n) for n in shape)
        raise WorldError(f"{name}: expected shape ({wanted}), got {array.shape}")
    good = np.abs(array) <= most  # false for what is no number, too
    if not good.all():
        place = tuple(int(i) for i in np.argwhere(~good)[0])
        where = f" at {place[0] if len(place) == 1 else place}" if place else ""
        wrong = f"larger than {most:g}" if np.isfinite(array[place]) else "not a finite number"
        raise WorldError(f"{name}: {array[place]}{where} is {wrong}")
    array.setflags(write=False)
    return array


def positive(value: float, name: str) -> float:
    """A length above zero [m].

    Raises:
        WorldError: it is none.
    """
    number = float(finite(value, name, (), FARTHEST_M))
    if number < SHORTEST_M:
        least = "above 0" if number <= 0.0 else f"of at least {SHORTEST_M:g}"
        raise WorldError(f"{name}: expected a number {least}, got {number:g}")
    return number


def named(name: str, what: str) -> str:
    """A name that is not empty.

    Raises:
        WorldError: it is.
    """
    if not name:
        raise WorldError(f"{what} has no name; give it one")
    return name
