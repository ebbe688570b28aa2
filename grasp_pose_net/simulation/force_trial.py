"""The force trial: a hand closes on a floating object, which is then pushed along six directions.

"Force trial (hand only, no gravity)" of the project's protocol, whose figures are the defaults of
``ForceTrialConfig``. The base link stands still at the world's origin and the object floats in front of it;
grasps are poses of the hand in the object's frame, so that each grasp is a pose of the object here, and one
model serves all grasps of an object.

A verdict depends on the grasp alone: every trial starts from a reset. Closing is the same for the six runs,
so that it is simulated once and its state restored, bit by bit, before each push.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import mujoco
import numpy as np
import trimesh
from numpy.typing import NDArray

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.hand import Hand
from grasp_pose_net.refinement import Postures, postures
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.simulation.hand_model import hand_spec
from grasp_pose_net.simulation.model_parts import add_mesh_geom, add_object_body, contact_physics, touch
from grasp_pose_net.simulation.objects import convex_pieces
from grasp_pose_net.world import Array, inverse_transform, make_transform, split_transform

OBJECT = "object"
DIRECTIONS = ("+x", "-x", "+y", "-y", "+z", "-z")


@dataclass(frozen=True, kw_only=True)
class ForceTrialConfig(Settings):
    """The figures of the protocol.

    Attributes:
        timestep_s: physics time step.
        friction_slide: sliding friction coefficient.
        friction_torsion_m: torsional friction.
        mass_kg: mass of every object.
        stiffness_nm: position gain of the hand's joints [N m/rad].
        torque_nm: largest torque of the hand's joints.
        overlap_m: at the pre-grasp, the hand may be this deep in the object and in itself.
        close_s: time from pre-grasp to grasp.
        squeeze_s: time from grasp to squeeze.
        push_s: how long a force acts.
        push_n: the force.
        check_steps: time steps between two looks at the object.
        drift_m: farthest that the object may be from where it was before closing.
        turn_rad: farthest that it may have turned since.
        settled_ratio: a push ends early, held, where the object has used less than half of both limits and
            would stay within them even if it went on this many times faster than since the last look;
            infinity = every push lasts ``push_s``.
    """

    timestep_s: float = setting(0.004, 0.0005, 0.01)
    friction_slide: float = setting(0.6, 0.0, 2.0)
    friction_torsion_m: float = setting(0.02, 0.0, 0.1)
    mass_kg: float = setting(0.1, 0.001, 10.0)
    stiffness_nm: float = setting(5.0, 0.1, 50.0)
    torque_nm: float = setting(3.0, 0.1, 20.0)
    overlap_m: float = setting(0.010, 0.0, 0.1)
    close_s: float = setting(0.4, 0.01, 10.0)
    squeeze_s: float = setting(0.4, 0.01, 10.0)
    push_s: float = setting(2.0, 0.01, 60.0)
    push_n: float = setting(1.0, 0.0)
    check_steps: int = setting(50, 1, 1000)
    drift_m: float = setting(0.05, 0.0, np.inf)
    turn_rad: float = setting(np.deg2rad(15.0), 0.0, np.inf)
    settled_ratio: float = setting(5.0, 0.0, np.inf)


@dataclass(frozen=True)
class ForceResult:
    """Verdicts on B grasps.

    Attributes:
        success: (B,) whether the object was held in all six runs.
        failure: (B,) empty for success, else what failed first: "pregrasp" (hand in object or in itself),
            "close" (object lost while closing), or the direction of the push, such as "+x" (object frame).
    """

    success: NDArray[np.bool_]
    failure: NDArray[np.str_]


class ForceTrial:
    """Force trials of one hand on one object.

    Args:
        hand: the hand.
        mesh: watertight object, object frame (origin at its centre of mass).
        pieces: convex meshes that stand for it in contacts; None = ``convex_pieces(mesh)``.
        config: the protocol's figures.
    """

    def __init__(
        self,
        hand: Hand,
        mesh: trimesh.Trimesh,
        pieces: Sequence[trimesh.Trimesh] | None = None,
        config: ForceTrialConfig | None = None,
    ) -> None:
        self._hand, self.config = hand, config or ForceTrialConfig()
        self.model = _build_model(hand, mesh, convex_pieces(mesh) if pieces is None else pieces, self.config)
        self.data = mujoco.MjData(self.model)
        names = [self.model.actuator(i).name for i in range(self.model.nu)]
        self._columns = [hand.joint_names.index(name) for name in names]
        self._joint_qpos = np.array([self.model.joint(name).qposadr[0] for name in names])
        self._object = self.model.body(OBJECT).id
        start = self.model.joint(OBJECT).qposadr[0]
        self._object_qpos = slice(start, start + 7)
        self._state = np.empty(mujoco.mj_stateSize(self.model, mujoco.mjtState.mjSTATE_INTEGRATION))

    def judge(self, x: Array, open_joints: Array, squeeze_joints: Array) -> ForceResult:
        """Try grasps.

        Args:
            x: (B, 7 + D) grasps, object frame.
            open_joints: (B, D) [rad] pre-grasp postures.
            squeeze_joints: (B, D) [rad] targets of the position control that press.

        Raises:
            ValueError: the shapes do not fit the hand.
        """
        x, size = np.asarray(x, float), len(self._hand.lower)
        if x.ndim != 2 or x.shape[1] != 7 + size:
            raise ValueError(f"x: expected (B, {7 + size}), got {x.shape}")
        for name, joints in (("open_joints", open_joints), ("squeeze_joints", squeeze_joints)):
            if np.shape(joints) != (len(x), size):
                raise ValueError(f"{name}: expected {(len(x), size)}, got {np.shape(joints)}")
        with _quiet():
            failure = [self._judge_one(*grasp) for grasp in zip(x, open_joints, squeeze_joints, strict=True)]
        text = np.array(failure, dtype="U8").reshape(len(x))
        return ForceResult(text == "", text)

    def _judge_one(self, x: Array, open_joints: Array, squeeze_joints: Array) -> str:
        pre, grasp, squeeze = (self._targets(j) for j in (open_joints, x[7:], squeeze_joints))
        T_base_object = inverse_transform(make_transform(x[:3], x[3:7]))
        self._reset(T_base_object, pre)
        if self._overlap() > self.config.overlap_m:
            return "pregrasp"
        before = self.data.qpos[self._object_qpos].copy()
        if not (
            self._move(pre, grasp, self.config.close_s, before)
            and self._move(grasp, squeeze, self.config.squeeze_s, before)
        ):
            return "close"
        integration = mujoco.mjtState.mjSTATE_INTEGRATION
        mujoco.mj_getState(self.model, self.data, self._state, integration)
        for name in DIRECTIONS:
            mujoco.mj_setState(self.model, self.data, self._state, integration)
            direction = T_base_object[:3, "xyz".index(name[1])]
            if not self._push(direction if name[0] == "+" else -direction, before):
                return name
        return ""

    def _targets(self, joints: Array) -> Array:
        """Control (nu,) that holds independent joints (D,)."""
        return self._hand.all_joints(joints)[self._columns]

    def _reset(self, T_base_object: Array, targets: Array) -> None:
        """Everything at rest, hand at ``targets``, object in its place."""
        mujoco.mj_resetData(self.model, self.data)
        position, quat_wxyz = split_transform(T_base_object)
        self.data.qpos[self._object_qpos] = [*position, *quat_wxyz]
        self.data.qpos[self._joint_qpos] = targets
        mujoco.mj_forward(self.model, self.data)

    def _overlap(self) -> float:
        """Largest depth [m] of hand and object, or hand and hand, in each other."""
        return float(-min(self.data.contact.dist, default=0.0))

    def _move(self, start: Array, end: Array, duration_s: float, before: Array) -> bool:
        """Move the targets on a straight line; whether the object stayed."""
        steps = round(duration_s / self.config.timestep_s)
        for step in range(1, steps + 1):
            self.data.ctrl[:] = start + (end - start) * (step / steps)
            mujoco.mj_step(self.model, self.data)
            if step % self.config.check_steps == 0 and not self._held(before):
                return False
        return True

    def _push(self, direction: Array, before: Array) -> bool:
        """Push the object's centre of mass along a unit vector (3,), base frame; whether it stayed."""
        self.data.xfrc_applied[self._object, :3] = self.config.push_n * direction
        looks = round(self.config.push_s / (self.config.timestep_s * self.config.check_steps))
        last = self.data.qpos[self._object_qpos].copy()
        for to_come in range(looks - 1, -1, -1):
            mujoco.mj_step(self.model, self.data, self.config.check_steps)
            if not self._held(before):
                return False
            now = self.data.qpos[self._object_qpos].copy()
            if self._settled(before, last, now, to_come):
                return True
            last = now
        return True

    def _held(self, before: Array) -> bool:
        """Whether the object is near its pose ``before`` (7,), and the physics sound."""
        drift, turn = _apart(self.data.qpos[self._object_qpos], before)
        sound = not self.data.warning.number.any()  # MuJoCo resets a state that blew up, and warns
        return sound and drift <= self.config.drift_m and turn <= self.config.turn_rad

    def _settled(self, before: Array, last: Array, now: Array, to_come: int) -> bool:
        """Whether the looks to come can be left out, see ``settled_ratio``."""
        ahead = self.config.settled_ratio * to_come
        limits = (self.config.drift_m, self.config.turn_rad)
        return to_come > 0 and all(
            used + max(used, ahead * speed) <= limit
            for used, speed, limit in zip(_apart(now, before), _apart(now, last), limits, strict=True)
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """MuJoCo prints its warnings and writes them to a file in the working folder; here they are verdicts."""
    previous = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(lambda text: None)
    try:
        yield
    finally:
        mujoco.set_mju_user_warning(previous)


def _apart(pose: Array, other: Array) -> tuple[float, float]:
    """Distance [m] and angle [rad] between two poses (7,) of position and quaternion."""
    cosine = min(1.0, abs(float(pose[3:] @ other[3:])))
    return float(np.linalg.norm(pose[:3] - other[:3])), 2.0 * float(np.arccos(cosine))


@dataclass(frozen=True)
class ForceValidator:
    """Postures and force trial of grasps in one call; can be pickled.

    Attributes:
        trial: the protocol's figures.
        postures: how the hand opens before and presses after a grasp.
    """

    trial: ForceTrialConfig = dataclasses.field(default_factory=ForceTrialConfig)
    postures: Postures = dataclasses.field(default_factory=Postures)

    def __call__(
        self, hand: Hand, mesh: trimesh.Trimesh, field: SignedDistanceField, x: Array
    ) -> NDArray[np.bool_]:
        """Whether grasps x (B, 7 + D), object frame, hold the object in all six runs, (B,)."""
        opened, squeezed = postures(hand, field, x, config=self.postures)
        return _last_trial(hand, mesh, self.trial).judge(x, opened, squeezed).success


@lru_cache(maxsize=1)
def _last_trial(hand: Hand, mesh: trimesh.Trimesh, config: ForceTrialConfig) -> ForceTrial:
    """The trial of an object, kept while one lot of its grasps comes after the other."""
    return ForceTrial(hand, mesh, config=config)


def _build_model(
    hand: Hand, mesh: trimesh.Trimesh, pieces: Sequence[trimesh.Trimesh], config: ForceTrialConfig
) -> mujoco.MjModel:
    spec = hand_spec(hand, config.stiffness_nm, config.torque_nm)
    contact_physics(spec, config.timestep_s)
    spec.option.gravity = [0, 0, 0]
    # One contact for a pair of convex shapes, as the published benchmark's MuJoCo has it; newer ones make up
    # to four, for a third of the speed. Where the option is not there, one is the default.
    spec.option.disableflags |= int(getattr(mujoco.mjtDisableBit, "mjDSBL_MULTICCD", 0))
    inertia = mesh.moment_inertia * (config.mass_kg / mesh.volume)
    body = add_object_body(spec, OBJECT, config.mass_kg, inertia)
    for i, piece in enumerate(pieces):
        add_mesh_geom(spec, body, f"piece{i}", piece)
    for geom in spec.geoms:
        touch(geom, config.friction_slide, config.friction_torsion_m)
    return spec.compile()
