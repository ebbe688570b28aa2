"""Points fixed to links: what kinematics moves along. Arrays are read-only."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ReadOnlyArrays:
    """Base that makes a read-only copy of every array it is given."""

    def __post_init__(self) -> None:
        """Copy and lock."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                value = value.copy()
                value.setflags(write=False)
                object.__setattr__(self, field.name, value)


@dataclass(frozen=True, eq=False)
class LinkPoints(ReadOnlyArrays):
    """Points on links.

    Attributes:
        link: (P,) index of the link in the hand's tree.
        position: (P, 3) [m] in the link's frame.
    """

    link: Index
    position: Array


@dataclass(frozen=True, eq=False)
class Contacts(LinkPoints):
    """Points that may touch an object.

    Attributes:
        normal: (P, 3) unit, out of the hand's skin, in the link's frame.
        digit: (P,) index into the hand's ``digit_names``.
    """

    normal: Array
    digit: Index


@dataclass(frozen=True, eq=False)
class Spheres(LinkPoints):
    """Spheres inside the collision shapes.

    Attributes:
        radius: (S,) [m].
    """

    radius: Array
