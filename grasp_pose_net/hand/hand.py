"""What a hand is: one immutable object, loaded from a hand.yaml and the URDF it names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
import torch
import trimesh
from scipy.stats import qmc
from trimesh.visual import ColorVisuals

from grasp_pose_net.config import load_yaml
from grasp_pose_net.hand.description import HandDescription
from grasp_pose_net.hand.kinematics import Kinematics
from grasp_pose_net.hand.points import Array, Contacts, Index, LinkPoints, ReadOnlyArrays, Spheres
from grasp_pose_net.hand.primitives import Solid, exposed_points, shape_mesh
from grasp_pose_net.hand.spheres import collision_pairs, fill
from grasp_pose_net.hand.tree import Drive, KinematicTree, build_tree
from grasp_pose_net.hand.urdf import Urdf, parse_urdf
from grasp_pose_net.models import expand_xacro, hand_file

SURFACE_SPACING_M = 0.006
CARRIER_SPACING_M = 0.015  # a forearm's skin: large, flat, and touched by chance only
POSTURES = 1024  # that decide which spheres can meet; a power of two, as Sobol points want
TIP_COLOUR, LINK_COLOUR = (217, 158, 89, 255), (120, 126, 135, 255)


@dataclass(frozen=True, eq=False)
class Hand(ReadOnlyArrays):
    """A hand; the pose vector is x = [base position (3) m, base quat_wxyz (4), independent joints (J) rad].

    Attributes:
        name: as in hand.yaml.
        urdf: URDF text, xacro expanded.
        root_link: the link that a robot carries.
        base_link: the link whose pose x begins with.
        palm_normal: (3,) where the palm looks, in the base frame; the hand approaches an object this way.
        finger_axis: (3,) where straight fingers point, in the base frame.
        grasp_centre: (3,) [m] where a grasped object is about to be, in the base frame.
        joint_names: all movable joints, in the URDF's order.
        independent_names: the J joints of x, in its order.
        lower: (J,) [rad] limits of the independent joints, coupled joints taken into account.
        upper: (J,) [rad].
        open_joints: (J,) [rad] posture that receives an object.
        closing: (J,) weight and sense of each joint when the hand closes.
        variety: (J,) how widely starts are spread about the open posture, 1 = like most joints.
        joint_ratios: (all, J) angle of each of ``joint_names`` per angle of each independent joint.
        tree: links and joints, rooted at the base link.
        shapes: collision primitives.
        contacts: points that may touch an object.
        digit_names: what ``contacts.digit`` counts.
    """

    name: str
    urdf: str
    root_link: str
    base_link: str
    palm_normal: Array
    finger_axis: Array
    grasp_centre: Array
    joint_names: tuple[str, ...]
    independent_names: tuple[str, ...]
    lower: Array
    upper: Array
    open_joints: Array
    closing: Array
    variety: Array
    joint_ratios: Array
    tree: KinematicTree
    shapes: tuple[Solid, ...]
    contacts: Contacts
    digit_names: tuple[str, ...]
    _offset: Array  # (all,) angles of all joints where the independent ones are 0

    @classmethod
    def load(cls, name: str) -> Hand:
        """Load a hand by the name of its folder in ``models/hands`` or by the path of a hand.yaml.

        Raises:
            ConfigError: naming the file, the entry and what is valid.
        """
        path = hand_file(name)
        description = load_yaml(path, HandDescription)
        text = expand_xacro(path.parent / description.urdf)
        urdf = parse_urdf(text)
        description.check(urdf, str(path))
        return _build(description, urdf, text)

    @property
    def size(self) -> int:
        """Length of the pose vector."""
        return 7 + len(self.independent_names)

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits of all that grasps depend on: joints, limits, couplings, shapes, contact points.

        Networks and data sets carry it. What a grasp does not depend on (comments, colours, masses) does not change it.
        """
        tree, contacts = self.tree, self.contacts
        numbers = [
            self.lower,
            self.upper,
            self.joint_ratios,
            tree.rotation,
            tree.translation,
            tree.axis,
            tree.ratio,
        ]
        numbers += [contacts.position, contacts.normal]
        numbers += [array for shape in self.shapes for array in (np.array(shape.size), shape.T_link_shape)]
        names = [
            *self.independent_names,
            *self.joint_names,
            *tree.names,
            *map(str, tree.parent),
            *map(str, tree.dof),
        ]
        names += [f"{shape.link} {shape.kind}" for shape in self.shapes] + [
            str(link) for link in contacts.link
        ]
        digest = hashlib.sha256("\n".join(names).encode())
        for array in numbers:
            digest.update((np.round(array, 7) + 0.0).tobytes())  # + 0.0: no minus before a zero
        return digest.hexdigest()[:16]

    def mismatch(self, name: str, fingerprint: str | None) -> str:
        """Why something that was made for a hand does not belong to this one; empty where it does.

        Args:
            name: of the hand that it was made for.
            fingerprint: of that hand; None where it was not written down.
        """
        if name == self.name and fingerprint == self.fingerprint:
            return ""
        known = fingerprint or "of unknown shape"
        return f"asked for hand {self.name!r} ({self.fingerprint}), found it made for hand {name!r} ({known})"

    @property
    def is_palm(self) -> np.ndarray:
        """(P,) bool: which contact points are of the group named ``palm``."""
        return np.isin(self.contacts.digit, [i for i, name in enumerate(self.digit_names) if name == "palm"])

    @cached_property
    def tip_links(self) -> frozenset[str]:
        """Links that end a digit: a driven joint turns them and nothing hangs on them."""
        ends = set(range(len(self.tree.names))) - set(self.tree.parent.tolist())
        return frozenset(self.tree.names[link] for link in ends if self.tree.dof[link] >= 0)

    @cached_property
    def T_base_root(self) -> Array:
        """(4, 4) pose of the root link in the base link."""
        return self._poses(self._x_open())[self.tree.index(self.root_link)]

    @cached_property
    def spheres(self) -> Spheres:
        """Spheres that fill the collision shapes."""
        return fill(self.shapes, self.tree)

    @cached_property
    def self_pairs(self) -> Index:
        """(N, 2) pairs of ``spheres`` whose overlap means that the hand hits itself."""
        x = np.tile(self._x_open(), (1 + POSTURES, 1))
        # evenly spread, a third of them at a limit of the joint
        share = qmc.Sobol(len(self.lower), scramble=False).random(POSTURES)
        x[1:, 7:] = self.lower + (self.upper - self.lower) * np.clip(1.5 * share - 0.25, 0, 1)
        centres = Kinematics(self).points(torch.tensor(x, dtype=torch.float32), self.spheres).numpy()
        return collision_pairs(self.spheres, self.tree, centres)

    @cached_property
    def surface(self) -> LinkPoints:
        """Points on the skin of all links: about every 6 mm, and every 15 mm of a root that carries the base."""
        parts = []
        for index, name in enumerate(self.tree.names):
            shapes = tuple(shape for shape in self.shapes if shape.link == name)
            if shapes:
                carrier = name == self.root_link and index > 0
                points = exposed_points(shapes, CARRIER_SPACING_M if carrier else SURFACE_SPACING_M)
                parts.append((np.full(len(points), index), points))
        return LinkPoints(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def all_joints(self, joints: Array) -> Array:
        """Angles (..., all) [rad] of ``joint_names`` from independent angles (..., J)."""
        return np.asarray(joints, float) @ self.joint_ratios.T + self._offset

    def independent_joints(self, angles: Array) -> Array:
        """Angles (..., J) [rad] of ``independent_names`` from those of all joints (..., all)."""
        columns = [self.joint_names.index(name) for name in self.independent_names]
        return np.asarray(angles, float)[..., columns]

    def mesh(self, x: Array) -> trimesh.Trimesh:
        """Coloured mesh of the collision shapes at a pose vector x (7 + J,), for pictures."""
        poses = self._poses(x)
        parts = []
        for shape in self.shapes:
            part = shape_mesh(shape)
            part.apply_transform(poses[self.tree.index(shape.link)])
            is_tip = shape.link in self.tip_links
            part.visual = ColorVisuals(part, face_colors=TIP_COLOUR if is_tip else LINK_COLOUR)
            parts.append(part)
        return cast(trimesh.Trimesh, trimesh.util.concatenate(parts))

    def _x_open(self) -> Array:
        return np.concatenate([[0, 0, 0, 1, 0, 0, 0], self.open_joints])

    def _poses(self, x: Array) -> Array:
        """Poses (L, 4, 4) of the links at a pose vector (7 + J,)."""
        return Kinematics(self, torch.float64).link_poses(torch.tensor(np.asarray(x, float))[None])[0].numpy()


def _build(description: HandDescription, urdf: Urdf, text: str) -> Hand:
    movable = [joint for joint in urdf.joints if joint.movable]
    drives = _drives(description)
    tree = build_tree(urdf, description.base_link, drives)
    count = len(description.independent)
    ratios, lower, upper = np.zeros((len(movable), count)), np.full(count, -np.inf), np.full(count, np.inf)
    for row, joint in enumerate(movable):
        drive = drives[joint.name]
        if drive.dof >= 0:
            ratios[row, drive.dof] = drive.ratio
            bounds = sorted((joint.lower / drive.ratio, joint.upper / drive.ratio))
            lower[drive.dof] = max(lower[drive.dof], bounds[0])
            upper[drive.dof] = min(upper[drive.dof], bounds[1])
    return Hand(
        name=description.name,
        urdf=text,
        root_link=urdf.root_link,
        base_link=description.base_link,
        palm_normal=np.array(description.palm_normal),
        finger_axis=np.array(description.finger_axis),
        grasp_centre=np.array(description.grasp_centre),
        joint_names=tuple(joint.name for joint in movable),
        independent_names=tuple(description.independent),
        lower=lower,
        upper=upper,
        open_joints=np.array([joint.open for joint in description.independent.values()]),
        closing=np.array([joint.closing for joint in description.independent.values()]),
        variety=np.array([joint.variety for joint in description.independent.values()]),
        joint_ratios=ratios,
        tree=tree,
        shapes=urdf.shapes,
        contacts=_contacts(description, tree),
        digit_names=tuple(description.contacts),
        _offset=np.array([drives[joint.name].angle for joint in movable]),
    )


def _drives(description: HandDescription) -> dict[str, Drive]:
    """What turns each movable joint of the URDF."""
    index = {name: place for place, name in enumerate(description.independent)}
    drives = {name: Drive(place, 1.0) for name, place in index.items()}
    drives |= {name: Drive(index[rule.joint], rule.ratio) for name, rule in description.coupled.items()}
    return drives | {name: Drive(angle=angle) for name, angle in description.fixed.items()}


def _contacts(description: HandDescription, tree: KinematicTree) -> Contacts:
    points = [(digit, point) for digit, group in enumerate(description.contacts.values()) for point in group]
    return Contacts(
        link=np.array([tree.index(point.link) for _, point in points]),
        position=np.array([point.position for _, point in points]),
        normal=np.array([point.normal for _, point in points]),
        digit=np.array([digit for digit, _ in points]),
    )
