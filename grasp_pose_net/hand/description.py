"""What a hand.yaml says, and the checks that it fits its URDF."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.hand.urdf import Urdf

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class IndependentJoint:
    """A joint of the pose vector: its angle [rad] in the open posture and its weight when the hand closes.

    ``variety`` says how widely starts of a synthesis are spread about the open posture, 1 = like most joints.
    """

    open: float
    closing: float
    variety: float = 1.0


@dataclass(frozen=True)
class CoupledJoint:
    """A joint that follows an independent one: angle = ratio * angle of ``joint``."""

    joint: str
    ratio: float


@dataclass(frozen=True)
class ContactPoint:
    """A point that may touch an object: position [m] and unit outward normal in the link's frame."""

    link: str
    position: Vector
    normal: Vector


@dataclass(frozen=True)
class HandDescription:
    """The content of a hand.yaml; field by field as commented in ``models/hands/shadow/hand.yaml``."""

    name: str
    urdf: str
    base_link: str
    palm_normal: Vector
    finger_axis: Vector
    grasp_centre: Vector
    independent: dict[str, IndependentJoint]
    coupled: dict[str, CoupledJoint]
    fixed: dict[str, float]
    contacts: dict[str, tuple[ContactPoint, ...]]

    def check(self, urdf: Urdf, where: str) -> None:
        """Compare with the URDF.

        Args:
            urdf: the parsed URDF.
            where: the file's name, for errors.

        Raises:
            ConfigError: naming the file, the entry and what is valid.
        """
        points = {
            f"contacts.{digit}[{index}]": point
            for digit, group in self.contacts.items()
            for index, point in enumerate(group)
        }
        links = {"base_link": self.base_link} | {f"{key}.link": point.link for key, point in points.items()}
        for key, link in links.items():
            if link not in urdf.links:
                valid = ", ".join(urdf.links)
                raise ConfigError(f"{where}: {key}: no link {link!r} in {self.urdf}; valid: {valid}")
        self._check_joints(urdf, where)
        if not points:
            raise ConfigError(f"{where}: contacts: at least one point is needed")
        for key, point in points.items():
            length = float(np.linalg.norm(point.normal))
            if abs(length - 1) > 1e-5:
                raise ConfigError(f"{where}: {key}.normal must have length 1, has {length:.6f}")

    def _check_joints(self, urdf: Urdf, where: str) -> None:
        movable = {joint.name: joint for joint in urdf.joints if joint.movable}
        named = [*self.independent, *self.coupled, *self.fixed]
        for name in named:
            if name not in movable:
                valid = ", ".join(movable)
                raise ConfigError(f"{where}: no movable joint {name!r} in {self.urdf}; valid: {valid}")
            if named.count(name) > 1:
                raise ConfigError(f"{where}: joint {name!r} must be in one of independent, coupled, fixed")
        if missing := [name for name in movable if name not in named]:
            raise ConfigError(f"{where}: joint {missing[0]!r} is in none of independent, coupled, fixed")
        for name, coupled in self.coupled.items():
            if coupled.joint not in self.independent:
                valid = ", ".join(self.independent)
                found = f"coupled.{name}.joint: {coupled.joint!r}"
                raise ConfigError(f"{where}: {found} is not independent; valid: {valid}")
            if coupled.ratio == 0:
                raise ConfigError(f"{where}: coupled.{name}.ratio must not be 0; a joint that rests is fixed")
        angles = {name: joint.open for name, joint in self.independent.items()}
        angles |= {name: rule.ratio * angles[rule.joint] for name, rule in self.coupled.items()}
        for name, angle in (angles | self.fixed).items():
            lower, upper = movable[name].lower, movable[name].upper
            if not lower <= angle <= upper:
                limits = f"{lower:.4f} to {upper:.4f} rad"
                raise ConfigError(f"{where}: angle {angle} of {name!r} is outside its limits {limits}")
