"""The robot as URDF and SRDF describe it: joints, limits, groups, link poses and collision shapes."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from grasp_pose_net.exceptions import ConfigError, PlanningError
from grasp_pose_net.hand.urdf import robot_xml
from grasp_pose_net.reading import attribute, brief, one_line, parse_xml
from grasp_pose_net.robot.capsules import merge_capsules
from grasp_pose_net.robot.chain import Chain
from grasp_pose_net.world import Array, Trajectory, inverse_transform
from grasp_pose_net.world.checks import finite


@dataclass(frozen=True)
class Group:
    """Joints that move together.

    Attributes:
        names: (J,) joint names.
        indices: (J,) their places in the robot's configuration.
        lower: (J,) lower limits [rad].
        upper: (J,) upper limits [rad].
        velocity: (J,) largest speeds [rad/s].
        effort: (J,) largest torques [N m].
    """

    names: tuple[str, ...]
    indices: Array
    lower: Array
    upper: Array
    velocity: Array
    effort: Array


class RobotModel:
    """Arm and hand from URDF and SRDF text.

    A configuration is one array (J,) with all joints in the order of ``joint_names`` [rad]. The URDF's root
    link is the world. Not for use from several threads at once.

    Attributes:
        joint_names: all moving joints.
        lower: (J,) lower limits [rad].
        upper: (J,) upper limits [rad].
        arm_group: name of the group that carries the end effector.
        arm: the joints of the group that carries the end effector.
        end_effector: its name.
        hand_group: name of the end effector's group.
        hand: the joints of the end effector.
        tip: the end effector's parent link; grasp poses are poses of this link.
        hand_links: links that the hand's joints move.
        chain: the arm as a kinematic chain from the world to ``tip``.
        named_states: (J,) configurations of the SRDF by name; joints that it does not set are zero.
        geometry: collision shapes.
        geometry_links: the link of each shape.
        pairs: pairs of shapes that may collide, without those that the SRDF disables.
    """

    def __init__(self, urdf: str, srdf: str) -> None:
        """Read the model.

        Raises:
            ConfigError: URDF and SRDF do not describe an arm with one end effector of revolute joints.
        """
        robot_xml(urdf, "the robot's URDF")
        self._srdf = parse_xml(srdf, "the robot's SRDF")
        self.model = _model(urdf)
        self.data: pin.Data = self.model.createData()
        self.joint_names: tuple[str, ...] = tuple(self.model.names)[1:]
        self.lower, self.upper = self.model.lowerPositionLimit.copy(), self.model.upperPositionLimit.copy()
        self._index = {name: i for i, name in enumerate(self.joint_names)}

        effector = self._srdf.find("end_effector")
        if effector is None:
            raise ConfigError(
                "the SRDF names no <end_effector>; it must give parent_link, parent_group and group"
            )
        self.end_effector = effector.attrib.get("name", "")
        self.tip, self.arm_group, self.hand_group = (
            attribute(effector, name, "the SRDF's <end_effector>")
            for name in ("parent_link", "parent_group", "group")
        )
        self.arm = self._group(self.arm_group)
        self.hand = self._group(self.hand_group)
        moved = {self._joint_id(name) for name in self.hand.names}
        self.hand_links = frozenset(
            f.name for f in self.model.frames if f.type == pin.FrameType.BODY and f.parentJoint in moved
        )
        self.chain = self._chain()
        self.named_states = {
            attribute(state, "name", "a <group_state> of the SRDF"): self._named_state(state)
            for state in self._srdf.findall("group_state")
        }

        self.geometry = _geometry(self.model, urdf, srdf)
        self.pairs = [(p.first, p.second) for p in self.geometry.collisionPairs]
        self.geometry_links = tuple(
            self.model.frames[g.parentFrame].name for g in self.geometry.geometryObjects
        )

    def configuration(self, positions: Mapping[str, float], base: Array | None = None) -> Array:
        """Configuration (J,) from positions by joint name [rad]; joints not named are taken from ``base``.

        Raises:
            PlanningError: joints are missing and there is no ``base``.
        """
        if base is None and (missing := [name for name in self.joint_names if name not in positions]):
            raise PlanningError(
                f"joint state lacks {len(missing)} of {len(self.joint_names)} joints: "
                f"{', '.join(missing[:5])}"
            )
        configuration = np.zeros(len(self.joint_names)) if base is None else base.copy()
        for name, value in positions.items():
            if name in self._index:
                configuration[self._index[name]] = value
        return configuration

    def after(self, configuration: Array, *motions: Trajectory) -> Array:
        """Configuration (J,) [rad] once some motions, of any of its joints, have ended."""
        ends: dict[str, float] = {}
        for motion in motions:
            ends |= zip(motion.joint_names, motion.positions[-1].tolist(), strict=True)
        return self.configuration(ends, configuration)

    def link_pose(self, configuration: Array, link: str) -> Array:
        """T_world_link (4, 4) at a configuration (J,) [rad].

        Raises:
            ConfigError: the robot has no such link.
        """
        frame = self._frame(link)
        pin.forwardKinematics(self.model, self.data, configuration)
        return pin.updateFramePlacement(self.model, self.data, frame).homogeneous.copy()

    @cached_property
    def fingers(self) -> tuple[NDArray[np.intp], ...]:
        """Places among the hand's joints of those of each finger: a chain that nothing branches off from."""
        places = [int(index) + 1 for index in self.hand.indices]
        branches = Counter(self.model.parents[place] for place in places)
        first: dict[int, int] = {}
        for place in places:  # a joint comes after the one that carries it
            parent = self.model.parents[place]
            first[place] = first[parent] if parent in first and branches[parent] == 1 else place
        return tuple(
            np.flatnonzero([first[place] == begin for place in places]) for begin in sorted({*first.values()})
        )

    def hand_parts(self, configuration: Array) -> Array:
        """Centres (S, 3) [m] of the hand's shapes in the world at a configuration (J,) [rad]."""
        placed = self.geometry.createData()
        pin.updateGeometryPlacements(self.model, self.data, self.geometry, placed, configuration)
        own = [i for i, link in enumerate(self.geometry_links) if link in self.hand_links]
        return np.array([placed.oMg[i].translation for i in own])

    def outside_limits(self, configuration: Array, tolerance: float = 1e-3) -> list[str]:
        """What is outside the limits by more than a tolerance [rad], as text, one entry a joint."""
        excess = np.maximum(self.lower - configuration, configuration - self.upper)
        return [
            f"{self.joint_names[i]} = {configuration[i]:.3f} "
            f"(limits {self.lower[i]:.3f} to {self.upper[i]:.3f})"
            for i in np.flatnonzero(excess > tolerance)
        ]

    def parent_joint(self, link: str) -> tuple[int, Array]:
        """Pinocchio's index of the joint that moves a link, and T_joint_link (4, 4)."""
        frame = self.model.frames[self._frame(link)]
        return frame.parentJoint, frame.placement.homogeneous.copy()

    def _frame(self, link: str) -> int:
        frame = self.model.getFrameId(link)
        if frame >= self.model.nframes:
            raise ConfigError(f"the robot has no link {link!r}")
        return frame

    def _joint_id(self, name: str) -> int:
        return self._index[name] + 1

    def _group(self, name: str) -> Group:
        element = next((group for group in self._srdf.findall("group") if group.get("name") == name), None)
        if element is None:
            raise ConfigError(f"the SRDF has no group {name!r}")
        where = f"the SRDF's group {name!r}"
        names = [attribute(joint, "name", f"a <joint> of {where}") for joint in element.findall("joint")]
        for chain in element.findall("chain"):
            base, tip = (
                self.parent_joint(attribute(chain, end, f"a <chain> of {where}"))[0]
                for end in ("base_link", "tip_link")
            )
            supports = [j for j in self.model.supports[tip] if j not in self.model.supports[base]]
            names += [self.model.names[j] for j in supports]
        names = [n for n in names if n in self._index]  # fixed joints may be listed too
        if not names:
            raise ConfigError(f"group {name!r} of the SRDF has no moving joint; list its joints or a chain")
        indices = np.array(sorted(self._index[n] for n in names))
        return Group(
            names=tuple(self.joint_names[i] for i in indices),
            indices=indices,
            lower=self.lower[indices],
            upper=self.upper[indices],
            velocity=self.model.velocityLimit[indices],
            effort=self.model.effortLimit[indices],
        )

    def _chain(self) -> Chain:
        zero = np.zeros(len(self.joint_names))
        pin.computeJointJacobians(self.model, self.data, zero)
        T_world_before = np.eye(4)
        offsets, axes = [], []
        for i in self.arm.indices:
            T_world_joint = self.data.oMi[int(i) + 1].homogeneous.copy()
            offsets.append(inverse_transform(T_world_before) @ T_world_joint)
            column = pin.getJointJacobian(self.model, self.data, int(i) + 1, pin.ReferenceFrame.LOCAL)[:, i]
            if not np.allclose(column[:3], 0) or not np.isclose(np.linalg.norm(column[3:]), 1):
                raise ConfigError(f"joint {self.joint_names[i]} of the arm is not revolute")
            axes.append(column[3:].copy())
            T_world_before = T_world_joint
        return Chain(
            names=self.arm.names,
            offsets=np.array([*offsets, inverse_transform(T_world_before) @ self.link_pose(zero, self.tip)]),
            axes=np.array(axes),
            lower=self.arm.lower,
            upper=self.arm.upper,
        )

    def _named_state(self, state: ElementTree.Element) -> Array:
        where = f"SRDF state {state.attrib['name']!r}"
        values = {}
        for joint in state.findall("joint"):
            name, text = (attribute(joint, key, f"a <joint> of {where}") for key in ("name", "value"))
            try:
                values[name] = float(finite(float(text), f"{where}: joint {name!r}", ()))
            except ValueError as error:  # no number at all, or not a finite one
                raise ConfigError(
                    f"{where}: joint {name!r}: value {brief(text)} is no finite number"
                ) from error
        if unknown := sorted(set(values) - set(self._index)):
            raise ConfigError(f"{where} sets unknown joints: {', '.join(unknown)}")
        configuration = self.configuration(
            values, np.clip(np.zeros(len(self.joint_names)), self.lower, self.upper)
        )
        if outside := self.outside_limits(configuration):
            raise ConfigError(f"{where}: {outside[0]}")
        return configuration


def _model(urdf: str) -> pin.Model:
    """Joints and links of a URDF."""
    try:
        model: pin.Model = pin.buildModelFromXML(urdf)
    except Exception as error:  # what the parser beneath thinks of it
        raise ConfigError(f"the robot's URDF is not taken by Pinocchio: {one_line(error)}") from error
    names = tuple(model.names)[1:]
    if model.nq != len(names) or model.nv != model.nq:
        raise ConfigError(
            "the robot has joints that are not plain revolute or prismatic; give each URDF joint limits"
        )
    for name, low, high in zip(names, model.lowerPositionLimit, model.upperPositionLimit, strict=True):
        if low > high:
            raise ConfigError(f"the robot's URDF: joint {name!r}: its lower limit is above its upper one")
    return model


def _geometry(model: pin.Model, urdf: str, srdf: str) -> pin.GeometryModel:
    """Collision shapes of a URDF, and the pairs of them that an SRDF does not disable."""
    try:
        geometry = merge_capsules(pin.buildGeomFromUrdfString(model, urdf, pin.GeometryType.COLLISION))
        geometry.addAllCollisionPairs()
        pin.removeCollisionPairsFromXML(model, geometry, srdf, False)
    except Exception as error:  # a mesh that is not there, a pair without its links
        raise ConfigError(
            f"the robot's collision shapes are not taken by Pinocchio: {one_line(error)}"
        ) from error
    return geometry
