"""What brings the robot back from wherever it has stopped: opening the hand, backing off the way it came, going home."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.execution.checked_planner import CheckedPlanner
from grasp_pose_net.execution.measured import MeasuredRobot
from grasp_pose_net.execution.stages import Controllers, PickupConfig, Step
from grasp_pose_net.execution.timing import smooth_move
from grasp_pose_net.execution.way_out import line, way_out
from grasp_pose_net.robot.grasp_motion import carried_in
from grasp_pose_net.robot.model import RobotModel
from grasp_pose_net.robot.motion import MotionConfig
from grasp_pose_net.robot.problems import PlanningFailed, Problem
from grasp_pose_net.world import Array, Attachment, Grasp, Scene, Trajectory

OPEN = "open"  # the SRDF's name of the hand's posture
BACK, HOME = "back", "home"
ON_LINE_M = 1e-4


@dataclass(frozen=True)
class Tried:
    """The grasp that was tried last.

    Attributes:
        grasp: the grasp, its joints in any order.
        target: id of the object that it was of.
        held: the object, where it was closed on as planned and has not been let go.
    """

    grasp: Grasp
    target: str
    held: Attachment | None = None

    def after(self, done: Sequence[Step]) -> Tried:
        """What is known once some motions have ended."""
        shown = [step.shown for step in done if step.shown]
        return replace(self, held=shown[-1].attached) if shown else self

    def seen_in(self, scene: Scene) -> Scene:
        """A scene with what is held in the hand, where it is in there."""
        return carried_in(scene, self.held) if self.held and self.held.id in scene else scene


class Recovery:
    """Motions for people to ask for, after a failure or to let an object go."""

    def __init__(
        self, robot: RobotModel, controllers: Controllers, motion: MotionConfig, config: PickupConfig
    ) -> None:
        """Store who moves and how fast.

        Raises:
            ConfigError: the SRDF has no state named ``open``, or none of the home posture's name.
        """
        for name, whose in ((OPEN, "hand"), (config.home, "arm")):
            if name not in robot.named_states:
                names = ", ".join(robot.named_states) or "none"
                raise ConfigError(f"the SRDF has no group_state {name!r} of the {whose}; it has: {names}")
        self._robot, self._controllers, self._motion, self._config = robot, controllers, motion, config
        self._measured = MeasuredRobot(robot, controllers, config)
        self._open = robot.named_states[OPEN][robot.hand.indices]
        self._home = robot.named_states[config.home][robot.arm.indices]

    def open_hand(self, cancelled: Callable[[], bool]) -> str:
        """Open the hand as far as what is around lets it; where things are then, as text.

        Raises:
            ExecutionFailed: the joint state is not to be trusted, or the controller failed.
        """
        hand = self._robot.hand
        posture = self._measured.configuration()[hand.indices]
        opening = self._hand_move(posture, self._open)
        self._controllers.execute(opening, may_stop_short=True, cancelled=cancelled)
        return f"opened the hand. {self._measured.whereabouts()}"

    def retreat(
        self, planner: CheckedPlanner, tried: Tried, scene: Scene, cancelled: Callable[[], bool]
    ) -> str:
        """Move the hand straight back, against a grasp's approach and as far; where things are then, as text.

        The hand may touch the object that it went for, as on the way in. What else is touched is only left.

        Args:
            planner: plans the line; without clearance, since the arm may have come closer than planned.
            tried: tells direction, length and object.
            scene: what is around.
            cancelled: whether to stop.

        Raises:
            PlanningFailed: the line is out of reach or blocked; nothing was moved.
            ExecutionFailed: the joint state is not to be trusted, or the controller failed.
        """
        start = self._measured.configuration()
        back = self._back(planner, tried, start, tried.seen_in(scene))
        self._controllers.execute(back, may_stop_short=False, cancelled=cancelled)
        grasp = tried.grasp
        return f"moved back by {grasp.approach_m[0]:.2f} m. {self._measured.whereabouts(grasp.T_world_tip)}"

    def home(
        self, planner: CheckedPlanner, tried: Tried | None, scene: Scene, cancelled: Callable[[], bool]
    ) -> str:
        """Move the arm to its home posture, at first out of what it touches; where things are then, as text.

        The hand goes as it is, with what it holds. Only where its fingers stand around the object that it went for and no
        other way leads out, they open first, as they closed.

        Args:
            planner: plans the motions.
            tried: the grasp that was tried last, None if there was none.
            scene: what is around.
            cancelled: whether to stop.

        Raises:
            PlanningFailed: there is no way; the text says what is touched. Nothing was moved.
            ExecutionFailed: the joint state is not to be trusted, or the controller failed.
        """
        start = self._measured.configuration()
        scene = tried.seen_in(scene) if tried else scene
        steps = self._way_out(planner, tried, start, scene)
        after = self._with(start, *(step.trajectory for step in steps))
        steps.append(Step(HOME, planner.plan_to_joints(after, self._home, scene), after, empty=False))
        for step in steps:
            self._measured.check_start(step)
            self._controllers.execute(step.trajectory, step.may_stop_short, cancelled)
        return f"at home. {self._measured.whereabouts()}"

    def _way_out(
        self, planner: CheckedPlanner, tried: Tried | None, start: Array, scene: Scene
    ) -> list[Step]:
        """What leads to where nothing is touched.

        Raises:
            PlanningFailed: nothing does.
        """
        first = [] if tried is None else [-tried.grasp.approach]
        try:
            out = way_out(self._robot, planner, self._motion, start, scene, first)
            return [] if out is None else [Step(BACK, out, start, empty=False)]
        except PlanningFailed:
            if tried is None or scene.attached or tried.target not in scene:
                raise
            if steps := self._the_way_it_came(planner, tried, start, scene):
                return steps
            raise

    def _the_way_it_came(
        self, planner: CheckedPlanner, tried: Tried, start: Array, scene: Scene
    ) -> list[Step]:
        """Opening the hand as it closed, then back against the approach; none where that does not lead out."""
        hand = self._robot.hand
        posture = tried.grasp.ordered(hand.names).pre_grasp
        opening = self._hand_move(start[hand.indices], posture)
        opened = self._with(start, opening)
        try:
            back = self._back(planner, tried, opened, scene)
        except PlanningFailed as failure:
            if failure.problem is Problem.CANCELLED:
                raise
            return []
        if planner.touched(self._with(opened, back), scene):
            return []
        return [
            Step(BACK, opening, start, empty=False, may_stop_short=True),
            Step(BACK, back, opened, empty=False),
        ]

    def _back(self, planner: CheckedPlanner, tried: Tried, start: Array, scene: Scene) -> Trajectory:
        """Straight back against the approach, all the way; the hand may touch its object."""
        if tried.target in scene:
            scene = scene.allow(self._robot.hand_links, tried.target)
        way = -tried.grasp.approach_m[0] * tried.grasp.approach
        path = line(self._robot, self._motion, start, way)
        goal = self._robot.chain.tip_pose(start[self._robot.arm.indices])[:3, 3] + way
        if not len(path) or np.linalg.norm(self._robot.chain.tip_pose(path[-1])[:3, 3] - goal) > ON_LINE_M:
            raise PlanningFailed(Problem.NO_INVERSE_KINEMATICS, "the straight line back is not in reach")
        return planner.plan_leaving(start, path, scene)

    def _hand_move(self, posture: Array, goal: Array) -> Trajectory:
        limits = self._motion.hand_limits(self._robot)
        return smooth_move(self._robot.hand.names, posture, goal, limits, self._config.posture_s)

    def _with(self, configuration: Array, *done: Trajectory) -> Array:
        """Configuration (J,) [rad] once some motions have ended."""
        ends = {
            name: value
            for one in done
            for name, value in zip(one.joint_names, one.positions[-1], strict=True)
        }
        return self._robot.configuration(ends, configuration)


def without_clearance(motion: MotionConfig) -> MotionConfig:
    """The same speeds, for plans that start where the arm may be too close to something already."""
    return replace(motion, clearance_m=0.0)
