"""A grasp, the one type from network to motion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from grasp_pose_net.exceptions import WorldError
from grasp_pose_net.world.checks import finite, named
from grasp_pose_net.world.transforms import Array, rigid_transform

UNIT_TOLERANCE = 1e-3
LONGEST_WAY_M = 5.0
POSTURES = ("pre_grasp", "grasp", "squeeze", "efforts")


@dataclass(frozen=True, kw_only=True, eq=False)
class Grasp:
    """One way to take an object; scene frame, metres, radians, newton metres.

    The tip is the link by which an arm carries the hand. Postures are of all joints in ``joint_names``.

    Attributes:
        id: its name.
        joint_names: (H,) all joints of the hand.
        T_world_tip: (4, 4) pose of the tip at the grasp.
        approach: (3,) unit direction of travel to the grasp; zeros where the way has no length.
        approach_m: wanted and least length of the straight way in.
        retreat: (3,) unit direction of the lift; zeros where it has no length.
        retreat_m: wanted and least length of the lift.
        pre_grasp: (H,) joints on the way in.
        grasp: (H,) joints that touch.
        squeeze: (H,) joint targets that press.
        efforts: (H,) of the squeeze, None where not given.
        quality: by which grasps are ranked, the larger the better.
        parts: of the quality, by name.
        x: (D,) pose vector in the object frame, None where the grasp did not come from a planner.
    """

    id: str
    joint_names: tuple[str, ...]
    T_world_tip: Array
    approach: Array
    approach_m: tuple[float, float]
    retreat: Array
    retreat_m: tuple[float, float]
    pre_grasp: Array
    grasp: Array
    squeeze: Array
    efforts: Array | None = None
    quality: float = 0.0
    parts: Mapping[str, float] = field(default_factory=dict)
    x: Array | None = None

    def __post_init__(self) -> None:
        """Check every number, and that directions and lengths go together.

        Raises:
            WorldError: naming the grasp and what is wrong with it.
        """
        where, count = f"grasp {named(self.id, 'a grasp')!r}", len(self.joint_names)
        object.__setattr__(self, "T_world_tip", rigid_transform(self.T_world_tip, f"{where}: pose"))
        for name in POSTURES:
            if (values := getattr(self, name)) is not None:
                object.__setattr__(self, name, finite(values, f"{where}: {name}", (count,)))
        for name in ("approach", "retreat"):
            direction = finite(getattr(self, name), f"{where}: {name}", (3,))
            wanted, least = finite(getattr(self, f"{name}_m"), f"{where}: {name}_m", (2,)).tolist()
            if not 0.0 <= least <= wanted + 1e-6:
                raise WorldError(
                    f"{where}: least length {least} of {name} must be from 0 to the wanted one {wanted}"
                )
            if wanted > LONGEST_WAY_M:
                raise WorldError(
                    f"{where}: {wanted:g} m of {name} are wanted, and no arm is longer than {LONGEST_WAY_M:g}"
                )
            if wanted > 0.0 and abs(np.linalg.norm(direction) - 1.0) > UNIT_TOLERANCE:
                raise WorldError(
                    f"{where}: {wanted} m of {name} are wanted along {direction.tolist()}, no unit vector"
                )
            object.__setattr__(self, name, direction)
        finite(self.quality, f"{where}: quality", ())
        if self.x is not None:
            object.__setattr__(self, "x", finite(self.x, f"{where}: x", (None,)))

    @property
    def pose_vector(self) -> Array:
        """Pose vector x (D,), object frame.

        Raises:
            WorldError: the grasp did not come from a planner.
        """
        if self.x is None:
            raise WorldError(f"grasp {self.id!r} has no pose vector: it did not come from a planner")
        return self.x

    def posture(self, name: str, joints: Sequence[str]) -> Array:
        """Pre-grasp, grasp, squeeze or efforts in the order of ``joints``.

        Raises:
            WorldError: a joint is not the grasp's.
        """
        if missing := [joint for joint in joints if joint not in self.joint_names]:
            raise WorldError(f"grasp {self.id!r}: {name} lacks {', '.join(missing)}")
        return np.asarray(getattr(self, name))[[self.joint_names.index(joint) for joint in joints]]

    def ordered(self, joints: Sequence[str]) -> Grasp:
        """The same grasp with the postures of ``joints`` alone, in their order.

        Raises:
            WorldError: a joint is not the grasp's.
        """
        if tuple(joints) == self.joint_names:
            return self
        given: dict[str, Any] = {
            name: self.posture(name, joints) for name in POSTURES if getattr(self, name) is not None
        }
        return replace(self, joint_names=tuple(joints), **given)
