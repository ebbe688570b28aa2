"""The simulated world: robot with position-controlled joints, table, objects; stepped by whoever owns it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import mujoco
import numpy as np

from grasp_pose_net.exceptions import ExecutionError
from grasp_pose_net.simulation.objects import SimObject
from grasp_pose_net.simulation.scene_model import CameraView, SceneConfig, build_scene
from grasp_pose_net.world import Array, make_transform, split_transform

UNSTABLE = (
    mujoco.mjtWarning.mjWARN_BADQPOS,
    mujoco.mjtWarning.mjWARN_BADQVEL,
    mujoco.mjtWarning.mjWARN_BADQACC,
)


class Simulation:
    """Physics of one scene. Not safe for use by several threads at once.

    Attributes:
        config: the scene's description.
        model: compiled MuJoCo model.
        data: its state.
        objects: the objects in it.
        joint_names: all robot joints, arm first, in URDF order.
    """

    def __init__(
        self, config: SceneConfig, objects: Sequence[SimObject] = (), cameras: Sequence[CameraView] = ()
    ) -> None:
        """Build the scene; all joints at zero, objects under the floor until :meth:`place_object`.

        Raises:
            ConfigError: the robot's model files are missing or broken.
        """
        self.config = config
        self.objects = tuple(objects)
        self.model = build_scene(config, objects, cameras)
        self.data = mujoco.MjData(self.model)
        actuators = [self.model.actuator(i) for i in range(self.model.nu)]
        self.joint_names = tuple(actuator.name for actuator in actuators)
        joints = [self.model.joint(name) for name in self.joint_names]
        self.lower, self.upper = np.array([joint.range for joint in joints]).T
        self._qpos = np.array([joint.qposadr[0] for joint in joints])
        self._qvel = np.array([joint.dofadr[0] for joint in joints])
        # force = kp (ctrl - q) - kv v; adding kv / kp times the wanted velocity to ctrl lets it follow
        # without lag
        self._lead_s = self.model.actuator_biasprm[:, 2] / self.model.actuator_biasprm[:, 1]
        mujoco.mj_forward(self.model, self.data)

    @property
    def time(self) -> float:
        """Simulated seconds since the scene was built."""
        return self.data.time

    def positions(self) -> Array:
        """Joint positions (J,) [rad]."""
        return self.data.qpos[self._qpos]

    def velocities(self) -> Array:
        """Joint velocities (J,) [rad/s]."""
        return self.data.qvel[self._qvel]

    def efforts(self) -> Array:
        """Actuator torques (J,) [N m]."""
        return self.data.actuator_force.copy()

    def indices(self, names: Sequence[str]) -> Array:
        """Where the named joints are in the joint arrays.

        Raises:
            ExecutionError: a name is unknown.
        """
        if unknown := sorted(set(names) - set(self.joint_names)):
            raise ExecutionError(f"unknown joint {unknown[0]!r}; the robot has {', '.join(self.joint_names)}")
        return np.array([self.joint_names.index(name) for name in names])

    def set_joints(self, posture: Mapping[str, float]) -> None:
        """Put the named joints at positions [rad], at rest, and hold all joints where they are."""
        index = self.indices(list(posture))
        self.data.qpos[self._qpos[index]] = list(posture.values())
        self.data.qvel[self._qvel] = 0
        mujoco.mj_forward(self.model, self.data)
        self.set_targets(self.positions(), np.zeros(len(self.joint_names)))

    def set_targets(self, positions: Array, velocities: Array) -> None:
        """What the joint controllers follow: positions (J,) [rad] and velocities (J,) [rad/s]."""
        self.data.ctrl[:] = positions + self._lead_s * velocities

    def step(self, count: int = 1) -> None:
        """Advance by ``count`` physics steps.

        Raises:
            ExecutionError: the physics has become unstable.
        """
        mujoco.mj_step(self.model, self.data, count)
        if any(self.data.warning[kind].number for kind in UNSTABLE):
            raise ExecutionError(f"the simulation became unstable at {self.time:.3f} s; reset it")

    def place_object(self, name: str, T_world_object: Array) -> None:
        """Put an object somewhere, at rest."""
        position, quat_wxyz = split_transform(T_world_object)
        joint = self.data.joint(name)
        joint.qpos[:] = [*position, *quat_wxyz]
        joint.qvel[:] = 0
        mujoco.mj_forward(self.model, self.data)

    def object_pose(self, name: str) -> Array:
        """``T_world_object`` (4, 4); the object frame lies in the centre of mass."""
        qpos = self.data.joint(name).qpos
        return make_transform(qpos[:3], qpos[3:])

    def object_speed(self, name: str) -> float:
        """Largest of the linear [m/s] and, scaled by 0.1 m, the angular speed of an object."""
        qvel = self.data.joint(name).qvel
        return float(max(np.linalg.norm(qvel[:3]), 0.1 * np.linalg.norm(qvel[3:])))

    def link_poses(self) -> dict[str, tuple[str, Array]]:
        """Each robot link's parent and pose in it, ``T_parent_link`` (4, 4)."""
        parents, objects = self.model.body_parentid, {item.name for item in self.objects}
        rotations = self.data.xmat.reshape(-1, 3, 3)
        poses = np.tile(np.eye(4), (self.model.nbody, 1, 1))
        poses[:, :3, :3] = rotations[parents].swapaxes(1, 2) @ rotations
        poses[:, :3, 3] = np.einsum(
            "bji,bj->bi", rotations[parents], self.data.xpos - self.data.xpos[parents]
        )
        names = [self.model.body(i).name for i in range(self.model.nbody)]
        return {
            name: (names[parents[i]], poses[i])
            for i, name in enumerate(names)
            if i > 0 and name not in objects
        }

    def moves(self, link: str) -> bool:
        """Whether a robot link moves in its parent."""
        return bool(self.model.body(link).jntnum[0])

    def save(self) -> Array:
        """The whole state, for :meth:`restore`."""
        state = np.empty(mujoco.mj_stateSize(self.model, mujoco.mjtState.mjSTATE_INTEGRATION))
        mujoco.mj_getState(self.model, self.data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
        return state

    def restore(self, state: Array) -> None:
        """Go back to a saved state of this simulation."""
        mujoco.mj_setState(self.model, self.data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
        mujoco.mj_forward(self.model, self.data)
