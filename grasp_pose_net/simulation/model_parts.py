"""What the MuJoCo models of this package share: contact physics, joint drives, couplings, object bodies."""

from __future__ import annotations

import mujoco
import trimesh

from grasp_pose_net.world import Array

FINGER_DAMPING = 0.1  # N m s/rad, of the position control
FINGER_ARMATURE = 0.0002  # kg m²


def contact_physics(spec: mujoco.MjSpec, timestep_s: float) -> None:
    """Integrator and contact model of every simulation of this project (protocols.md)."""
    spec.option.timestep = timestep_s
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10
    spec.option.noslip_iterations = 2


def touch(geom: mujoco.MjsGeom, friction_slide: float, friction_torsion_m: float) -> None:
    """Friction of a geom: sliding, and torsional about the contact's normal."""
    geom.friction = [friction_slide, friction_torsion_m, 0.0001]
    geom.condim = 4


def actuate(
    spec: mujoco.MjSpec, joint: mujoco.MjsJoint, stiffness_nm: float, damping: float, torque_nm: float
) -> None:
    """Position control of a joint by an actuator of its name."""
    actuator = spec.add_actuator(name=joint.name, target=joint.name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    actuator.set_to_position(kp=stiffness_nm, kv=damping)
    actuator.forcelimited, actuator.forcerange = True, [-torque_nm, torque_nm]
    joint.actfrclimited = False


def actuate_finger(
    spec: mujoco.MjSpec, joint: mujoco.MjsJoint, stiffness_nm: float, torque_nm: float
) -> None:
    """Soft position control of a finger joint."""
    joint.armature = FINGER_ARMATURE
    actuate(spec, joint, stiffness_nm, FINGER_DAMPING, torque_nm)


def couple(spec: mujoco.MjSpec, follower: str, leader: str, ratio: float) -> None:
    """Hold a joint at ``ratio`` times the angle of another."""
    coupling = spec.add_equality(name=f"{follower}_coupling", type=mujoco.mjtEq.mjEQ_JOINT)
    coupling.name1, coupling.name2, coupling.objtype = follower, leader, mujoco.mjtObj.mjOBJ_JOINT
    coupling.data[:2] = [0, ratio]
    # the default gives way: it is scaled by the finger's inertia, the motors' stiffness is not
    coupling.solref, coupling.solimp = [0.005, 1], [0.999, 0.9999, 0.001, 0.5, 2]


def add_object_body(spec: mujoco.MjSpec, name: str, mass_kg: float, inertia: Array) -> mujoco.MjsBody:
    """A free body whose frame is at its centre of mass.

    Args:
        spec: where to.
        name: of the body and of its free joint.
        mass_kg: mass.
        inertia: (3, 3) about the centre of mass, body frame [kg m²].
    """
    body = spec.worldbody.add_body(name=name, mass=mass_kg, ipos=[0, 0, 0])
    body.fullinertia = inertia[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    body.explicitinertial = True
    body.add_freejoint(name=name)
    return body


def add_mesh_geom(
    spec: mujoco.MjSpec, body: mujoco.MjsBody, name: str, mesh: trimesh.Trimesh
) -> mujoco.MjsGeom:
    """A mesh [m] in the body's frame; contacts see its convex hull."""
    asset = spec.add_mesh(name=name)
    asset.uservert, asset.userface = mesh.vertices.ravel(), mesh.faces.ravel()
    # thin shells have no volume that MuJoCo could integrate; the body's inertia is given
    asset.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
    return body.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name)
