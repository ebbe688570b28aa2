"""The kinematic tree of a hand, turned round so that the base link of the pose vector is its root."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from trimesh.transformations import rotation_matrix

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.hand.points import Array, Index, ReadOnlyArrays
from grasp_pose_net.hand.urdf import Joint, Urdf
from grasp_pose_net.world import inverse_transform


@dataclass(frozen=True, eq=False)
class KinematicTree(ReadOnlyArrays):
    """Links, each after its parent; ``T_parent_link = [rotation | translation] @ turn(axis, angle)``.

    The angle of a link's joint is ``ratio * joints[dof]``, where ``joints`` are the independent joints.

    Attributes:
        names: (L,) link names; index 0 is the base link.
        parent: (L,) index of the parent link, -1 for the base.
        rotation: (L, 3, 3) and
        translation: (L, 3) [m] of the joint in the parent's frame; a joint held fixed has its angle in here.
        axis: (L, 3) unit axis in the link's frame, zero where the link does not move against its parent.
        dof: (L,) index of the independent joint that turns the link, -1 where none does.
        ratio: (L,) angle of the link's joint per angle of the independent joint.
    """

    names: tuple[str, ...]
    parent: Index
    rotation: Array
    translation: Array
    axis: Array
    dof: Index
    ratio: Array

    def index(self, link: str) -> int:
        """Index of a link by name."""
        return self.names.index(link)


@dataclass(frozen=True)
class Drive:
    """What turns a joint: an independent joint by index and ratio, or (index -1) nothing."""

    dof: int = -1
    ratio: float = 0.0
    angle: float = 0.0


def build_tree(urdf: Urdf, base_link: str, drives: dict[str, Drive]) -> KinematicTree:
    """Tree rooted at ``base_link``, which the URDF's root must carry without a driven joint in between.

    Args:
        urdf: the parsed URDF.
        base_link: the link that becomes the root.
        drives: for each movable joint by name, what turns it.

    Raises:
        ConfigError: a joint between the URDF's root and the base link is driven.
    """
    edges = _edges_from(base_link, urdf, set())
    names = (base_link, *(joint.parent if backwards else joint.child for joint, backwards in edges))
    rows = [(-1, np.eye(4), np.zeros(3), -1, 0.0)]
    for joint, backwards in edges:
        drive = drives.get(joint.name, Drive())
        if backwards and drive.dof >= 0:
            raise ConfigError(f"joint {joint.name!r} carries {base_link!r}: put it under `fixed`")
        parent = names.index(joint.child if backwards else joint.parent)
        pose = joint.T_parent_joint @ rotation_matrix(drive.angle, joint.axis)
        pose = inverse_transform(pose) if backwards else pose
        axis = joint.axis if drive.dof >= 0 else np.zeros(3)
        rows.append((parent, pose, axis, drive.dof, drive.ratio))
    parents, poses, axes, dofs, ratios = map(np.array, zip(*rows, strict=True))
    return KinematicTree(names, parents, poses[:, :3, :3], poses[:, :3, 3], axes, dofs, ratios)


def _edges_from(link: str, urdf: Urdf, seen: set[str]) -> list[tuple[Joint, bool]]:
    """Joints in the order in which a walk from ``link`` crosses them, and whether from child to parent."""
    seen.add(link)
    edges: list[tuple[Joint, bool]] = []
    for joint in urdf.joints:
        if joint.parent == link and joint.child not in seen:
            edges += [(joint, False), *_edges_from(joint.child, urdf, seen)]
    for joint in urdf.joints:
        if joint.child == link and joint.parent not in seen:
            edges += [(joint, True), *_edges_from(joint.parent, urdf, seen)]
    return edges
