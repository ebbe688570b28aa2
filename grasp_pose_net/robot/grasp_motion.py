"""Can the arm do a grasp? Pre-grasp, approach, grasp and lift as joints of the arm, free of collisions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from grasp_pose_net.robot.cancel import Cancel, never
from grasp_pose_net.robot.collision import CollisionChecker, hand_checker, scene_checker
from grasp_pose_net.robot.lines import line_poses
from grasp_pose_net.robot.model import RobotModel
from grasp_pose_net.robot.motion import MotionConfig
from grasp_pose_net.robot.problems import PlanningFailed, Problem
from grasp_pose_net.world import AllowedContact, Array, Attachment, Grasp, Scene, inverse_transform

IK_STARTS = 32
# How far the held object's hull may overlap its neighbours and what it stood on: hulls and perceived meshes
# are inexact.
HELD_OVERLAP_M = 0.01


@dataclass(frozen=True)
class ArmPath:
    """What the arm does for one grasp.

    Attributes:
        pre_grasp: (A,) joints where the approach begins [rad].
        grasp: (A,) joints at the grasp [rad].
        T_world_pre_grasp: (4, 4) tip pose where the approach begins.
        T_world_lift: (4, 4) tip pose where the lift ends.
    """

    pre_grasp: Array
    grasp: Array
    T_world_pre_grasp: Array
    T_world_lift: Array


class GraspMotion:
    """Finds the arm's way to grasps of one object in one scene, for choosing and for doing them alike."""

    def __init__(
        self,
        robot: RobotModel,
        scene: Scene,
        target: str,
        supports: tuple[str, ...],
        config: MotionConfig,
        cancelled: Callable[[], bool] = never,
    ) -> None:
        """Prepare the collision checks of all stages.

        Args:
            robot: the robot.
            scene: what is around.
            target: the object to grasp.
            supports: what it stands on.
            config: clearance and steps.
            cancelled: asked again and again, here and in every method; once true, they end with ``Problem.CANCELLED``.

        Raises:
            PlanningError: target or support is not in the scene.
            PlanningFailed: cancelled.
        """
        self._robot, self._config, self._target = robot, config, target
        self._cancel = Cancel(cancelled)
        self._starts = robot.chain.spread_starts(IK_STARTS, np.random.default_rng(config.seed))
        self.reach_scene = scene
        for support in supports:
            self.reach_scene = self.reach_scene.allow(robot.hand_links, support, config.support_depth_m)
        self.contact_scene = self.reach_scene.allow(robot.hand_links, target)
        self._reach, self._contact, self._lift = (
            scene_checker(robot, around, config.clearance_m, self._cancel)
            for around in (self.reach_scene, self.contact_scene, self.lift_scene(np.eye(4)))
        )
        self._hand = hand_checker(robot, config.hand_overlap_m)

    def lift_scene(self, T_world_tip: Array) -> Scene:
        """Scene in which the hand at ``T_world_tip`` (4, 4) holds the target."""
        scene = self.contact_scene.attach(self._target, self._robot.tip, T_world_tip, self._robot.hand_links)
        return carried_in(scene, cast(Attachment, scene.attached))

    def check_start(self, start: Array) -> None:
        """Refuse a configuration (J,) [rad] in collision, from which nothing can be planned.

        Raises:
            PlanningFailed: naming what collides.
        """
        if hit := self._reach.collision(start):
            raise PlanningFailed(
                Problem.START_IN_COLLISION, f"{hit[0]} with {hit[1]}; move the arm free by hand first"
            )

    def reason(self, grasp: Grasp, start: Array) -> str | None:
        """Why the arm cannot do a grasp from a configuration (J,) [rad], in few words; None where it can."""
        try:
            next(self.paths(grasp, start))
        except PlanningFailed as failure:
            return failure.problem.value
        return None

    def paths(self, grasp: Grasp, start: Array) -> Iterator[ArmPath]:
        """Ways of the arm, the one nearest to the start configuration (J,) [rad] first.

        Raises:
            PlanningFailed: there is none; the problem is that of the attempt that came furthest.
        """
        self._check_postures(grasp, start)
        near = start[self._robot.arm.indices]
        where = f"{self._robot.tip} at {np.round(grasp.T_world_tip[:3, 3], 3)} m"
        failures = [PlanningFailed(Problem.NO_INVERSE_KINEMATICS, f"{where} is out of reach so turned")]
        found = False
        for joints in self._solutions(grasp.T_world_tip, near):
            self._cancel.check()
            try:
                yield self._path(grasp, start, joints)
                found = True
            except PlanningFailed as failure:
                if failure.problem is Problem.CANCELLED:
                    raise
                failures.append(failure)
        if not found:
            raise max(failures, key=lambda failure: PROGRESS.index(failure.problem))

    def _solutions(self, T_world_tip: Array, near: Array) -> Iterator[Array]:
        """Arm joints (A,) for a tip pose; others are sought when the one near the start will not do."""
        first = self._robot.chain.inverse(T_world_tip, near, np.empty((0, len(near))))
        yield from first
        self._cancel.check()
        for joints in self._robot.chain.inverse(T_world_tip, near, self._starts):
            if not len(first) or np.abs(joints - first[0]).max() > 1e-2:
                yield joints

    def _check_postures(self, grasp: Grasp, start: Array) -> None:
        """Refuse postures outside the limits, and a way in with fingers inside each other."""
        for name in ("pre_grasp", "grasp", "squeeze"):
            posture = self._posture(grasp, name)
            if outside := self._robot.outside_limits(self._with(start, None, posture), tolerance=1e-2):
                raise PlanningFailed(Problem.OUTSIDE_LIMITS, f"{name} posture has {'; '.join(outside)}")
        if hit := self._hand.collision(self._with(start, None, self._posture(grasp, "pre_grasp"))):
            raise PlanningFailed(
                Problem.HAND_IN_COLLISION, f"in the pre-grasp posture {hit[0]} reaches into {hit[1]}"
            )

    def _path(self, grasp: Grasp, start: Array, joints: Array) -> ArmPath:
        """The way through one arm configuration at the grasp, joints (A,) [rad]."""
        pre = self._with(start, None, self._posture(grasp, "pre_grasp"))
        closed = self._with(start, None, self._posture(grasp, "grasp"))
        if hit := self._contact.collision(self._with(closed, joints)):
            raise PlanningFailed(Problem.GOAL_IN_COLLISION, f"at the grasp {hit[0]} hits {hit[1]}")
        back, T_world_pre_grasp = self._line(
            grasp.T_world_tip,
            -grasp.approach,
            grasp.approach_m,
            joints,
            pre,
            self._contact,
            Problem.APPROACH_BLOCKED,
        )
        if hit := self._reach.collision(self._with(pre, back)):
            raise PlanningFailed(Problem.GOAL_IN_COLLISION, f"at the pre-grasp {hit[0]} hits {hit[1]}")
        T_world_object = self.reach_scene[self._target].T_world_object
        self._lift.carry(inverse_transform(grasp.T_world_tip) @ T_world_object)
        lifted, T_world_lift = self._line(
            grasp.T_world_tip,
            grasp.retreat,
            grasp.retreat_m,
            joints,
            closed,
            self._lift,
            Problem.LIFT_BLOCKED,
        )
        turning = self._robot.chain.turning(lifted)
        if turning > self._config.carry_rad_per_m:
            raise PlanningFailed(
                Problem.NEAR_SINGULARITY,
                f"after the lift a joint would turn by {turning:.0f} rad for a metre of the tip, allowed are "
                f"{self._config.carry_rad_per_m:.0f} rad",
            )
        return ArmPath(back, joints, T_world_pre_grasp, T_world_lift)

    def _line(
        self,
        T_world_tip: Array,
        direction: Array,
        lengths_m: tuple[float, float],
        joints: Array,
        configuration: Array,
        checker: CollisionChecker,
        problem: Problem,
    ) -> tuple[Array, Array]:
        """Joints (A,) and tip pose (4, 4) at the end of a straight line, as long as free and wanted."""
        wanted, least = lengths_m
        if wanted <= 0.0:
            return joints, T_world_tip
        T_end = T_world_tip.copy()
        T_end[:3, 3] += wanted * direction
        poses = line_poses(T_world_tip, T_end, self._config.line_step_m)
        path = self._robot.chain.track(joints, poses, self._config.line_jump_rad)
        reached = 0
        while reached < len(path) and checker.free(self._with(configuration, path[reached])):
            self._cancel.check()
            reached += 1
        length = wanted * reached / len(poses)
        if reached == 0 or length < least - 1e-6:
            hit = checker.collision(self._with(configuration, path[reached])) if reached < len(path) else None
            why = f"{hit[0]} hits {hit[1]}" if hit else "the arm cannot follow further"
            raise PlanningFailed(problem, f"only {length:.3f} m of {least:.3f} m: {why}")
        return path[reached - 1], poses[reached - 1]

    def _posture(self, grasp: Grasp, name: str) -> Array:
        """A posture (H,) [rad] of a grasp in the order of the robot's hand."""
        return grasp.posture(name, self._robot.hand.names)

    def _with(self, configuration: Array, arm: Array | None = None, hand: Array | None = None) -> Array:
        """Configuration (J,) with other arm (A,) or hand (H,) joints."""
        configuration = configuration.copy()
        if arm is not None:
            configuration[self._robot.arm.indices] = arm
        if hand is not None:
            configuration[self._robot.hand.indices] = hand
        return configuration


def carried_in(scene: Scene, held: Attachment) -> Scene:
    """Scene in which something is held; it may overlap a little with what is around."""
    overlaps = (
        AllowedContact(frozenset({held.id}), o.id, HELD_OVERLAP_M) for o in scene.objects if o.id != held.id
    )
    return replace(scene, allowed=(*scene.allowed, *overlaps), attached=held)


# Problems of an arm configuration in the order in which they are looked for.
PROGRESS = (
    Problem.NO_INVERSE_KINEMATICS,
    Problem.GOAL_IN_COLLISION,
    Problem.APPROACH_BLOCKED,
    Problem.LIFT_BLOCKED,
    Problem.NEAR_SINGULARITY,
)
