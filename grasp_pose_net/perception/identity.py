"""Names that last: an object keeps its id from one capture to the next while it stays in place."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from grasp_pose_net.world import SceneObject

SAME_PLACE_M = 0.02  # the centre of mass of an object at rest comes out within 6 mm of itself
SAME_SIZE_M = 0.03  # and its sides within a few cells


class Identities:
    """Gives out ids; remembers the objects of the last capture."""

    def __init__(self) -> None:
        """Know no object."""
        self._known: tuple[SceneObject, ...] = ()
        self._next = 0

    def named(self, objects: Sequence[SceneObject]) -> tuple[str, ...]:
        """Ids of objects: the one that it had, where one stands where one stood; no id is given out again."""
        pairs = sorted(
            (float(np.linalg.norm(new.T_world_object[:3, 3] - old.T_world_object[:3, 3])), i, j)
            for i, new in enumerate(objects)
            for j, old in enumerate(self._known)
            if np.abs(new.mesh.extents - old.mesh.extents).max() < SAME_SIZE_M
        )
        kept: dict[int, int] = {}
        for distance, i, j in pairs:
            if distance < SAME_PLACE_M and i not in kept and j not in kept.values():
                kept[i] = j
        named = []
        for i, item in enumerate(objects):
            name = self._known[kept[i]].id if i in kept else self._new()
            named.append(dataclasses.replace(item, id=name))
        self._known = tuple(named)
        return tuple(item.id for item in named)

    def _new(self) -> str:
        self._next += 1
        return f"object_{self._next - 1}"
