"""Joints over time: as they shall move, and as they were measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from grasp_pose_net.exceptions import WorldError
from grasp_pose_net.world.checks import finite
from grasp_pose_net.world.transforms import Array


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Points that joints pass, at times from the start.

    Attributes:
        joint_names: (J,) the joints.
        times: (N,) zero or above, rising [s].
        positions: (N, J) [rad].
        velocities: (N, J) [rad/s], None: straight lines between the points.
        accelerations: (N, J) [rad/s²], None: cubic where velocities are given, else quintic.
        efforts: (J,) wanted at the end [N m], None where the controller shall choose.
    """

    joint_names: tuple[str, ...]
    times: Array
    positions: Array
    velocities: Array | None = None
    accelerations: Array | None = None
    efforts: Array | None = None

    def __post_init__(self) -> None:
        """Check every number and the times.

        Raises:
            WorldError: no points, times that do not rise, another shape, or a number that is not finite.
        """
        if not len(self.times):
            raise WorldError("the trajectory has no points")
        count, joints = len(self.times), len(self.joint_names)
        times = finite(self.times, "the points' times", (None,))
        if times[0] < 0 or (np.diff(times) <= 0).any():
            raise WorldError(
                f"the points' times must rise strictly, from zero or above, got {np.round(times, 4).tolist()}"
            )
        object.__setattr__(self, "times", times)
        shapes = {
            "positions": (count, joints),
            "velocities": (count, joints),
            "accelerations": (count, joints),
        }
        for name, shape in (shapes | {"efforts": (joints,)}).items():
            if (values := getattr(self, name)) is not None:
                object.__setattr__(self, name, finite(values, f"the {name}", shape))

    @property
    def duration(self) -> float:
        """Time of the last point [s]."""
        return float(self.times[-1])

    def ordered(self, joints: Sequence[str]) -> Trajectory:
        """The same motion of ``joints`` alone, in their order.

        Raises:
            WorldError: a joint is not the trajectory's.
        """
        if missing := [joint for joint in joints if joint not in self.joint_names]:
            raise WorldError(f"the trajectory lacks {', '.join(missing)}")
        order = [self.joint_names.index(joint) for joint in joints]
        names = ("positions", "velocities", "accelerations", "efforts")
        given = {name: values[..., order] for name in names if (values := getattr(self, name)) is not None}
        return replace(self, joint_names=tuple(joints), **given)

    @property
    def derivatives(self) -> tuple[Array, Array]:
        """Velocities (N, J) [rad/s] and accelerations (N, J) [rad/s²].

        Raises:
            WorldError: they are not given.
        """
        if self.velocities is None or self.accelerations is None:
            raise WorldError(
                "the trajectory has no velocities or no accelerations; both are needed to check its limits"
            )
        return self.velocities, self.accelerations

    def slowed(self, factor: float) -> Trajectory:
        """The same path, ``factor`` ≥ 1 times as long."""
        return replace(
            self,
            times=self.times * factor,
            velocities=None if self.velocities is None else self.velocities / factor,
            accelerations=None if self.accelerations is None else self.accelerations / factor**2,
        )


@dataclass(frozen=True, eq=False)
class JointState:
    """Measured joints.

    Attributes:
        names: (J,) the joints.
        positions: (J,) [rad].
        velocities: (J,) [rad/s], None where not measured.
        efforts: (J,) [N m], None where not measured.
        stamp: when they were measured [s].
        age_s: how long ago that was when it was asked [s].
    """

    names: tuple[str, ...]
    positions: Array
    velocities: Array | None = None
    efforts: Array | None = None
    stamp: float = 0.0
    age_s: float = 0.0

    def __post_init__(self) -> None:
        """Check.

        Raises:
            WorldError: naming the joint that has no finite number.
        """
        if len(set(self.names)) != len(self.names):
            raise WorldError("joint state: a joint is named twice")
        for name in ("positions", "velocities", "efforts"):
            if (values := getattr(self, name)) is None:
                continue
            values = np.asarray(values, float)
            if values.shape == (len(self.names),) and not np.isfinite(values).all():
                wrong = int(np.argmin(np.isfinite(values)))
                raise WorldError(
                    f"joint state: {name} of {self.names[wrong]}: {values[wrong]} is not a finite number"
                )
            object.__setattr__(self, name, finite(values, f"joint state: {name}", (len(self.names),)))

    @property
    def by_name(self) -> Mapping[str, float]:
        """Positions by joint [rad]."""
        return dict(zip(self.names, self.positions.tolist(), strict=True))
