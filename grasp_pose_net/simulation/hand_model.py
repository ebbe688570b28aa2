"""A hand as a MuJoCo model of its own, base link fixed to the world, from what ``Hand`` says and nothing else."""

from __future__ import annotations

import itertools

import mujoco
import numpy as np

from grasp_pose_net.hand import Hand
from grasp_pose_net.hand.primitives import Solid
from grasp_pose_net.hand.urdf import parse_urdf
from grasp_pose_net.simulation.model_parts import actuate_finger, couple
from grasp_pose_net.world import Array, split_transform

GEOM_TYPES = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
}


def hand_spec(hand: Hand, stiffness_nm: float, torque_nm: float) -> mujoco.MjSpec:
    """The hand alone: every driven joint position-controlled, coupled joints coupled, the others welded.

    Args:
        hand: the hand; its base link's frame becomes the world.
        stiffness_nm: position gain of all joints [N m/rad].
        torque_nm: largest torque of all joints [N m].

    Returns:
        A spec to which an object can be added. Bodies have the names of the links, joints and actuators
        those of the URDF; masses are the URDF's.
    """
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    bodies = _add_links(spec, hand)
    for shape in hand.shapes:
        _add_shape(bodies[shape.link], shape)
    _add_joints(spec, bodies, hand, stiffness_nm, torque_nm)
    _exclude_pairs(spec, hand)
    return spec


def _add_links(spec: mujoco.MjSpec, hand: Hand) -> dict[str, mujoco.MjsBody]:
    tree, inertial = hand.tree, {body.name: body for body in mujoco.MjSpec.from_string(hand.urdf).bodies}
    bodies: dict[str, mujoco.MjsBody] = {}
    for link, name in enumerate(tree.names):
        parent = spec.worldbody if link == 0 else bodies[tree.names[tree.parent[link]]]
        T_parent_link = np.eye(4)
        T_parent_link[:3, :3], T_parent_link[:3, 3] = tree.rotation[link], tree.translation[link]
        position, quat_wxyz = split_transform(T_parent_link)
        body = bodies[name] = parent.add_body(name=name, pos=position, quat=quat_wxyz)
        if name in inertial and inertial[name].explicitinertial:  # else MuJoCo takes it from the shapes
            for field in ("mass", "ipos", "iquat", "inertia", "fullinertia", "explicitinertial"):
                setattr(body, field, getattr(inertial[name], field))
    return bodies


def _add_shape(body: mujoco.MjsBody, shape: Solid) -> None:
    position, quat_wxyz = split_transform(shape.T_link_shape)
    body.add_geom(type=GEOM_TYPES[shape.kind], size=_geom_size(shape), pos=position, quat=quat_wxyz)


def _geom_size(shape: Solid) -> Array:
    """MuJoCo's sizes (3,): half edges, or radius and half length."""
    if shape.kind == "box":
        return shape.half_extents
    radius, length = (*shape.size, 0.0)[:2]
    return np.array([radius, length / 2, 0.0])


def _add_joints(
    spec: mujoco.MjSpec, bodies: dict[str, mujoco.MjsBody], hand: Hand, stiffness_nm: float, torque_nm: float
) -> None:
    tree, by_child = hand.tree, {joint.child: joint for joint in parse_urdf(hand.urdf).joints}
    couplings = []
    for link in np.flatnonzero(tree.dof >= 0):
        source = by_child[tree.names[link]]
        joint = bodies[source.child].add_joint(
            name=source.name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=source.axis
        )
        joint.limited, joint.range = mujoco.mjtLimited.mjLIMITED_TRUE, [source.lower, source.upper]
        actuate_finger(spec, joint, stiffness_nm, torque_nm)
        leader = hand.independent_names[tree.dof[link]]
        if source.name != leader:
            couplings.append((source.name, leader, float(tree.ratio[link])))
    for coupling in couplings:
        couple(spec, *coupling)


def _exclude_pairs(spec: mujoco.MjSpec, hand: Hand) -> None:
    """Contact only between links that can hit each other: those that ``hand.self_pairs`` watches."""
    names = hand.tree.names
    watched = {frozenset(pair) for pair in hand.spheres.link[hand.self_pairs].tolist() if len(set(pair)) == 2}
    for first, second in itertools.combinations(range(len(names)), 2):
        if frozenset((first, second)) not in watched:
            spec.add_exclude(bodyname1=names[first], bodyname2=names[second])
