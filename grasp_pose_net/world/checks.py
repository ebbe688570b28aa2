"""What every value of the vocabulary is checked for, once, where it is made."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grasp_pose_net.exceptions import WorldError


def finite(values: Any, name: str, shape: tuple[int | None, ...]) -> NDArray[np.float64]:
    """Read-only copy of numbers, all of them finite.

    Args:
        values: the numbers.
        name: what the error text calls them.
        shape: that they must have; None where any length is good.

    Raises:
        WorldError: another shape, no numbers, or one that is not finite.
    """
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError) as error:
        raise WorldError(f"{name}: expected numbers, got {values!r}") from error
    if array.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, array.shape, strict=True)):
        wanted = ", ".join("N" if n is None else str(n) for n in shape)
        raise WorldError(f"{name}: expected shape ({wanted}), got {array.shape}")
    if not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        where = f" at {place[0] if len(place) == 1 else place}" if place else ""
        raise WorldError(f"{name}: {array[place]}{where} is not a finite number")
    array.setflags(write=False)
    return array


def positive(value: float, name: str) -> float:
    """A finite number above zero.

    Raises:
        WorldError: it is none.
    """
    number = float(finite(value, name, ()))
    if number <= 0.0:
        raise WorldError(f"{name}: expected a number above 0, got {number:g}")
    return number


def named(name: str, what: str) -> str:
    """A name that is not empty.

    Raises:
        WorldError: it is.
    """
    if not name:
        raise WorldError(f"{what} has no name; give it one")
    return name
