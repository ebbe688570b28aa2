"""The pick-up: reach, approach, close, squeeze, lift; planned as a whole before anything moves."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from grasp_pose_net.execution.lookout import Lookout
from grasp_pose_net.execution.measured import MeasuredRobot
from grasp_pose_net.execution.motion_planner import MotionPlanner
from grasp_pose_net.execution.stages import (
    APPROACH,
    CLOSE,
    LIFT,
    REACH,
    SQUEEZE,
    Controllers,
    PickupConfig,
    PickupPlan,
    PickupResult,
    Step,
)
from grasp_pose_net.execution.timing import smooth_move
from grasp_pose_net.robot.cancel import Cancel
from grasp_pose_net.robot.grasp_motion import ArmPath, GraspMotion
from grasp_pose_net.robot.model import RobotModel
from grasp_pose_net.robot.motion import MotionConfig
from grasp_pose_net.robot.problems import ExecutionFailed, PlanningFailed, Problem
from grasp_pose_net.world import Array, Grasp, Scene, Trajectory

MOST_REASONS = 10  # that an answer gives, one a grasp


class Pickup:
    """Plans and does pick-ups; one at a time."""

    def __init__(
        self,
        robot: RobotModel,
        planner: MotionPlanner,
        controllers: Controllers,
        motion: MotionConfig,
        config: PickupConfig,
    ) -> None:
        """Store what all pick-ups share.

        Args:
            robot: the robot.
            planner: plans the arm's motions.
            controllers: do them.
            motion: limits and steps.
            config: what is tolerated.
        """
        self._robot, self._planner, self._controllers = robot, planner, controllers
        self._motion, self._config = motion, config
        self._measured = MeasuredRobot(robot, controllers, config)

    def run(
        self,
        grasps: Sequence[Grasp],
        scene: Scene,
        target: str,
        supports: tuple[str, ...],
        feedback: Callable[[str], None],
        cancelled: Callable[[], bool],
        plan_only: bool = False,
        planned: Callable[[PickupPlan], None] = lambda plan: None,
        newest: Callable[[], Scene] | None = None,
    ) -> PickupResult:
        """Pick the target up by the first of the grasps that can be planned.

        A grasp whose motion fails is not followed by another: what the first one did to the scene is unknown.

        Args:
            grasps: possible grasps, the best first.
            scene: what is around.
            target: the object.
            supports: what it stands on.
            feedback: called with each stage as it begins.
            cancelled: whether to stop.
            plan_only: plan everything and move nothing.
            planned: called with the plan before anything moves.
            newest: gives the newest scene, which is looked at before and during the motions, see :class:`Lookout`; None:
                nothing changes.

        Raises:
            PlanningError: target or support is not in the scene.
        """
        began = time.perf_counter()
        self._planner.show(scene)
        try:
            start = self._measured.configuration()
            plan = self._plan_first(grasps, scene, target, supports, start, cancelled)
        except (PlanningFailed, ExecutionFailed) as failure:
            return PickupResult(
                failure.problem,
                "plan",
                f"nothing was moved. {failure}",
                None,
                (),
                time.perf_counter() - began,
            )
        planning_s = time.perf_counter() - began
        planned(plan)
        if plan_only:
            seconds = sum(step.trajectory.duration for step in plan.steps)
            text = f"planned {plan.grasp.id}, {seconds:.1f} s of motion; nothing was moved"
            return PickupResult(None, "plan", text, plan.grasp, plan.steps, planning_s)
        config, controllers = self._config, self._controllers
        lookout = Lookout(self._robot, controllers, config, scene, target, newest or (lambda: scene))
        return replace(self._execute(plan, lookout, feedback, cancelled), planning_s=planning_s)

    def _plan_first(
        self,
        grasps: Sequence[Grasp],
        scene: Scene,
        target: str,
        supports: tuple[str, ...],
        start: Array,
        cancelled: Callable[[], bool],
    ) -> PickupPlan:
        """Plan of the first grasp that has one.

        Raises:
            PlanningFailed: none has; the text says why for each, the problem is the first grasp's.
        """
        cancel = Cancel(cancelled)
        cancel.check()
        if not grasps:
            raise PlanningFailed(
                Problem.INVALID_GRASP, "no possible_grasps were given; ask /plan_grasp for some"
            )
        motion = GraspMotion(self._robot, scene, target, supports, self._motion, cancelled)
        motion.check_start(start)
        grasps = [grasp.ordered(self._robot.hand.names) for grasp in grasps]
        failures: list[tuple[str, PlanningFailed]] = []
        for grasp in grasps:
            cancel.check()
            try:
                return self._plan(grasp, motion, start)
            except PlanningFailed as failure:
                if failure.problem is Problem.CANCELLED:
                    raise
                failures.append((grasp.id, failure))
        reasons = "; ".join(f"{name}: {failure}" for name, failure in failures[:MOST_REASONS])
        reasons += "; …" if len(failures) > MOST_REASONS else ""
        raise PlanningFailed(failures[0][1].problem, f"none of {len(grasps)} grasps can be done ({reasons})")

    def _plan(self, grasp: Grasp, motion: GraspMotion, start: Array) -> PickupPlan:
        """Plan of one grasp through the first of the arm's ways that has one."""
        failure: PlanningFailed | None = None
        for path in motion.paths(grasp, start):
            try:
                return self._plan_path(grasp, motion, path, start)
            except PlanningFailed as error:
                if error.problem is Problem.CANCELLED:
                    raise
                failure = failure or error
        raise failure or PlanningFailed(Problem.NO_PATH, "no way of the arm is left")

    def _plan_path(self, grasp: Grasp, motion: GraspMotion, path: ArmPath, start: Array) -> PickupPlan:
        robot, plan = self._robot, self._planner
        posture = start[robot.hand.indices]
        opened = self._with_hand(start, grasp.pre_grasp)
        reach = plan.plan_to_joints(opened, path.pre_grasp, motion.reach_scene)
        at_pre_grasp = robot.after(opened, reach)
        approach = plan.plan_cartesian(at_pre_grasp, grasp.T_world_tip, motion.contact_scene)
        at_grasp = robot.after(at_pre_grasp, approach)
        closed = self._with_hand(at_grasp, grasp.grasp)
        squeeze, efforts = self._limited_squeeze(grasp)
        lift_scene = motion.lift_scene(robot.link_pose(closed, robot.tip))
        lift = plan.plan_cartesian(closed, path.T_world_lift, lift_scene)
        around = motion.contact_scene
        close = self._hand_move(grasp.pre_grasp, grasp.grasp)
        press = self._hand_move(grasp.grasp, squeeze, efforts)
        return PickupPlan(
            grasp,
            (
                Step(REACH, self._hand_move(posture, grasp.pre_grasp), start, motion.reach_scene),
                Step(REACH, reach, opened, motion.reach_scene),
                Step(APPROACH, approach, at_pre_grasp, around),
                Step(CLOSE, close, at_grasp, around, empty=False, may_stop_short=True),
                Step(
                    SQUEEZE, press, closed, around, False, may_stop_short=True, press=press, shown=lift_scene
                ),
                Step(LIFT, lift, closed, lift_scene, empty=False, press=press),
            ),
        )

    def _limited_squeeze(self, grasp: Grasp) -> tuple[Array, Array | None]:
        """Posture (H,) [rad] and efforts (H,) [N m] of the squeeze, each joint's reduced to what it may exert.

        A controller of positions presses by how far the posture is beyond the grasp, so both are reduced alike.
        """
        if grasp.efforts is None:
            return grasp.squeeze, None
        largest = np.minimum(self._robot.hand.effort, self._config.squeeze_effort_nm)
        share = np.minimum(1.0, largest / np.maximum(np.abs(grasp.efforts), 1e-9))
        return grasp.grasp + share * (grasp.squeeze - grasp.grasp), share * grasp.efforts

    def _hand_move(self, start: Array, goal: Array, efforts: Array | None = None) -> Trajectory:
        hand = self._robot.hand
        start, goal = (np.clip(posture, hand.lower, hand.upper) for posture in (start, goal))
        limits = self._motion.hand_limits(self._robot)
        return replace(smooth_move(hand.names, start, goal, limits, self._config.posture_s), efforts=efforts)

    def _with_hand(self, configuration: Array, posture: Array) -> Array:
        configuration = configuration.copy()
        configuration[self._robot.hand.indices] = np.clip(
            posture, self._robot.hand.lower, self._robot.hand.upper
        )
        return configuration

    def _execute(
        self,
        plan: PickupPlan,
        lookout: Lookout,
        feedback: Callable[[str], None],
        cancelled: Callable[[], bool],
    ) -> PickupResult:
        done: list[Step] = []
        stage = ""
        for step in plan.steps:
            if step.stage != stage:
                stage = step.stage
                feedback(stage)
            try:
                if cancelled():
                    raise ExecutionFailed(Problem.CANCELLED, f"before {stage}")
                lookout.look(step)
                self._measured.check_start(step)
                stopped = lookout.over(step, cancelled)
                self._controllers.execute(step.trajectory, step.may_stop_short, stopped)
                self._measured.check_end(step, cancelled)
            except ExecutionFailed as failure:
                text = f"{stage} failed. {failure}. {self._whereabouts(plan.grasp)}"
                return PickupResult(failure.problem, stage, text, plan.grasp, tuple(done))
            done.append(step)
            if step.shown:
                self._planner.show(step.shown)
        text = f"lifted with {plan.grasp.id}. {self._whereabouts(plan.grasp)}"
        return PickupResult(None, stage, text, plan.grasp, tuple(done))

    def _whereabouts(self, grasp: Grasp) -> str:
        postures = {"pre-grasp": grasp.pre_grasp, "grasp": grasp.grasp, "squeeze": grasp.squeeze}
        return self._measured.whereabouts(grasp.T_world_tip, postures)
