"""What one capture shows: the scene, and beside it what reports and pictures need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from grasp_pose_net.perception.table import Table
from grasp_pose_net.world import Array, Role, Scene, SceneObject


@dataclass(frozen=True, eq=False)
class Capture:
    """What the views show.

    Attributes:
        scene: the table, what stands on it and may be grasped, and what stands on it besides, with the reason why not.
        table: the scene's support, with the frame in its top.
        points: by target, (N, 3) what was seen of it [m], world frame.
        notes: what else the user should know of this capture.
        left_out: why each view that was not used was left out.
        view_points: by view, (N, 3) its points within the workspace [m], world frame, as calibrated.
        table_points: (N, 3) points of the table's top [m], world frame.
        seconds: wall time of each stage.
    """

    scene: Scene
    table: Table
    points: Mapping[str, Array] = field(repr=False)
    notes: tuple[str, ...]
    left_out: dict[str, str]
    view_points: dict[str, Array] = field(repr=False)
    table_points: Array = field(repr=False)
    seconds: dict[str, float]

    def named(self, ids: Sequence[str]) -> Capture:
        """The same capture, its targets under other names, in their order."""
        new = dict(zip((item.id for item in self.scene.targets), ids, strict=True))
        objects = tuple(replace(entry, id=new.get(entry.id, entry.id)) for entry in self.scene.objects)
        points = {new[id]: points for id, points in self.points.items()}
        return replace(self, scene=replace(self.scene, objects=objects), points=points)

    def summary(self) -> str:
        """One line: objects with their sizes, the table, what was left out, and the time of each stage."""
        targets, obstacles = self.scene.targets, self.scene.obstacles
        objects = ", ".join(map(described, targets)) or "none"
        text = f"{len(targets)} object(s): {objects}; table {centimetres(self.table.size[:2])}"
        if obstacles:
            text += f"; not to be grasped: {' | '.join(map(described, obstacles))}"
        if self.left_out:
            text += f"; left out: {' | '.join(f'{name}: {reason}' for name, reason in self.left_out.items())}"
        if self.notes:
            text += f"; {' | '.join(self.notes)}"
        return f"{text}; {', '.join(f'{stage} {1e3 * s:.0f} ms' for stage, s in self.seconds.items())}"


def described(entry: SceneObject) -> str:
    """One line: a target with its sides, an obstacle with its place and the reason."""
    if entry.role is Role.OBSTACLE:
        return f"{entry.id} at {np.round(entry.T_world_object[:3, 3], 3).tolist()} m {entry.reason}"
    flag = " (may be several that touch)" if entry.several else ""
    return f"{entry.id} {centimetres(entry.sides)}{flag}"


def centimetres(sides: Array) -> str:
    """Sides [m] as text."""
    return " x ".join(f"{100 * side:.1f}" for side in sides) + " cm"
