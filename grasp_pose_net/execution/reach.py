"""Whether the arm can do a planned grasp in a scene: the pick-up's own checks, asked before a grasp is offered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

import numpy as np

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.execution.grasp_motion import GraspMotion, PickGrasp
from grasp_pose_net.execution.planner import MotionConfig
from grasp_pose_net.execution.robot import RobotModel
from grasp_pose_net.execution.scene import Scene
from grasp_pose_net.geometry import Array, make_transform
from grasp_pose_net.hand import Hand
from grasp_pose_net.inference import SQUEEZE_NM_RAD, PlannedGrasp, PlannerConfig

START = "home"  # state of the SRDF that the arm comes from
KEPT = 4  # scenes whose collision checks are kept; making them anew takes longer than the checks of a request
UP = np.array([0.0, 0.0, 1.0])


class Reach:
    """Checks grasps of one target after another; not for several threads at once."""

    def __init__(self, robot: RobotModel, hand: Hand, motion: MotionConfig, grasps: PlannerConfig) -> None:
        """Prepare for a robot.

        Args:
            robot: the robot.
            hand: the hand whose grasps are checked.
            motion: clearance and steps of the arm.
            grasps: lengths of approach and lift.

        Raises:
            ConfigError: the robot carries another hand.
        """
        if missing := sorted(set(robot.hand.names) - set(hand.joint_names)):
            raise ConfigError(
                f"hand {hand.name!r} has no joint {missing[0]!r}, which the robot's hand has; name the hand that the "
                "robot carries, or no robot"
            )
        self._robot, self._hand, self._motion, self._grasps = robot, hand, motion, grasps
        self._order = [hand.joint_names.index(name) for name in robot.hand.names]
        self._start = robot.named_states[START]
        self._known: OrderedDict[Hashable, GraspMotion] = OrderedDict()

    def warm_up(self) -> None:
        """Compile what would else be compiled during the first check."""
        self._robot.chain.warm_up()

    def checks(self, scene: Scene, target: str, supports: tuple[str, ...]) -> GraspMotion:
        """Collision checks for grasps of a target; those of the same scene are made once.

        Raises:
            PlanningError: target or support is not in the scene.
        """
        key = (_content(scene), target, supports)
        if key not in self._known:
            self._known[key] = GraspMotion(self._robot, scene, target, supports, self._motion)
        self._known.move_to_end(key)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return self._known[key]

    def reason(self, checks: GraspMotion, grasp: PlannedGrasp, T_world_object: Array) -> str | None:
        """Why the arm cannot do a grasp of an object at ``T_world_object`` (4, 4), None where it can."""
        return checks.reason(self.pick_grasp(grasp, T_world_object), self._start)

    def pick_grasp(self, grasp: PlannedGrasp, T_world_object: Array, name: str = "grasp") -> PickGrasp:
        """What the arm is to do for a grasp of an object at ``T_world_object`` (4, 4)."""
        R_world_object = T_world_object[:3, :3]
        touch, squeeze = self._posture(grasp.x[7:]), self._posture(grasp.squeeze_joints)
        T_object_root = make_transform(grasp.x[:3], grasp.x[3:7]) @ self._hand.T_base_root
        return PickGrasp(
            name=name,
            T_world_tip=T_world_object @ T_object_root,
            approach=R_world_object @ grasp.approach_direction,
            approach_m=(self._grasps.approach_m, self._grasps.approach_m),
            retreat=UP,
            retreat_m=(self._grasps.lift_m, self._grasps.lift_m),
            pre_grasp=self._posture(grasp.approach_joints),
            grasp=touch,
            squeeze=squeeze,
            efforts=SQUEEZE_NM_RAD * (squeeze - touch),
        )

    def _posture(self, joints: Array) -> Array:
        """All joints of the robot's hand (H,) from the independent ones (D,) [rad]."""
        return self._hand.all_joints(joints)[self._order]


def _content(scene: Scene) -> Hashable:
    """What tells a scene of other objects or poses apart; equal for equal content, whoever made it."""
    return tuple(
        (
            entry.name,
            entry.T_world_object.tobytes(),
            tuple((np.asarray(size).tobytes(), T.tobytes()) for size, T in entry.boxes),
            tuple(hash(mesh) for mesh in entry.meshes),
        )
        for entry in scene.objects
    )
