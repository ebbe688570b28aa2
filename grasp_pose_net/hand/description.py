"""What a hand.yaml says, and the checks that it fits its URDF."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.hand.urdf import Urdf

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class IndependentJoint:
    """A joint of the pose vector: its angle [rad] in the open posture and its weight when the hand closes."""

    open: float
    closing: float


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
        self._check_links(urdf, where)
        self._check_joints(urdf, where)
        for digit, points in self.contacts.items():
            for index, point in enumerate(points):
                length = float(np.linalg.norm(point.normal))
                if abs(length - 1) > 1e-5:
                    raise ConfigError(f"{where}: contacts.{digit}[{index}].normal must have length 1, has {length:.6f}")

    def _check_links(self, urdf: Urdf, where: str) -> None:
        named = {"base_link": self.base_link}
        for digit, points in self.contacts.items():
            named |= {f"contacts.{digit}[{index}].link": point.link for index, point in enumerate(points)}
        for key, link in named.items():
            if link not in urdf.links:
                raise ConfigError(f"{where}: {key}: no link {link!r} in {self.urdf}; valid: {', '.join(urdf.links)}")

    def _check_joints(self, urdf: Urdf, where: str) -> None:
        movable = {joint.name: joint for joint in urdf.joints if joint.movable}
        named = [*self.independent, *self.coupled, *self.fixed]
        for name in named:
            if name not in movable:
                raise ConfigError(f"{where}: no movable joint {name!r} in {self.urdf}; valid: {', '.join(movable)}")
            if named.count(name) > 1:
                raise ConfigError(f"{where}: joint {name!r} must be in one of independent, coupled, fixed")
        if missing := [name for name in movable if name not in named]:
            raise ConfigError(f"{where}: joint {missing[0]!r} of {self.urdf} is not in independent, coupled or fixed")
        for name, coupled in self.coupled.items():
            if coupled.joint not in self.independent:
                valid = ", ".join(self.independent)
                raise ConfigError(f"{where}: coupled.{name}.joint: {coupled.joint!r} is not independent; valid: {valid}")
        angles = {name: joint.open for name, joint in self.independent.items()} | self.fixed
        for name, angle in angles.items():
            lower, upper = movable[name].lower, movable[name].upper
            if not lower <= angle <= upper:
                raise ConfigError(f"{where}: angle {angle} of {name!r} is outside its limits {lower:.4f} to {upper:.4f}")
