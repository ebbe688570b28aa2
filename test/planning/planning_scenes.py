"""Scenes and contexts that tests of planning share."""

from __future__ import annotations

import numpy as np
import trimesh

from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.planning import Context, Surroundings
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.world import HalfSpace, Part, Role, Scene, SceneObject


def over_table(target: SceneObject) -> Scene:
    """A target at the origin on a table without end."""
    top = HalfSpace(np.array([0.0, 0.0, 1.0]), float(target.mesh.bounds[0, 2]))
    return Scene((SceneObject("table", np.eye(4), (Part(top),), Role.SUPPORT), target))


def free_context(hand: Hand, mesh: trimesh.Trimesh, near: Surroundings | None = None) -> Context:
    """What the stages know of a mesh alone in space."""
    return Context(
        hand=hand,
        kinematics=Kinematics(hand),
        target=SceneObject.target("object", np.eye(4), mesh),
        field=SignedDistanceField.from_mesh(mesh, 64),
        near=near or Surroundings(),
        rng=np.random.default_rng(0),
    )
