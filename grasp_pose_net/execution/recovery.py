"""What brings the robot back from wherever it has stopped: opening the hand, backing off the way it came, going home."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.execution.checked_planner import CheckedPlanner
from grasp_pose_net.execution.lookout import Lookout
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
ON_LINE_M = 1e-4  # of a line's end, where all of it is in reach
OFF_LINE = 0.02  # [m] of a place, and of the entries of a rotation, within which the hand is on its approach
CLOSED_PART = 0.3  # of the way from pre-grasp to grasp: fingers that are further stand around the object
WayOut = Callable[[CheckedPlanner, Array, Scene], list[Step]]


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

    def lengths_back(self, T_world_tip: Array) -> list[float]:
        """How far it is back to where the approach begins, or may begin [m]; none where the tip (4, 4) is not on its line."""
        along = float((self.grasp.T_world_tip[:3, 3] - T_world_tip[:3, 3]) @ self.grasp.approach)
        on_line = self.grasp.T_world_tip.copy()
        on_line[:3, 3] -= along * self.grasp.approach
        wanted, least = self.grasp.approach_m
        if not (np.abs(on_line - T_world_tip).max() < OFF_LINE and -OFF_LINE < along < wanted + OFF_LINE):
            return []
        return sorted({max(0.0, wanted - along), max(0.0, least - along)}, reverse=True)

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
        start, grasp = self._measured.configuration(), tried.grasp
        back = self._back(planner, tried, start, grasp.approach_m[0], tried.seen_in(scene))
        self._controllers.execute(back, may_stop_short=False, cancelled=cancelled)
        return f"moved back by {grasp.approach_m[0]:.2f} m. {self._measured.whereabouts(grasp.T_world_tip)}"

    def home(
        self,
        planner: CheckedPlanner,
        tried: Tried | None,
        scene: Scene,
        cancelled: Callable[[], bool],
        newest: Callable[[], Scene] | None = None,
    ) -> str:
        """Move the arm to its home posture, at first out of what it touches; where things are then, as text.

        The hand goes as it is, with what it holds. Where it stopped between pre-grasp and grasp, it goes back the way it came,
        and fingers that stand around the object open first, as they closed.

        Args:
            planner: plans the motions.
            tried: the grasp that was tried last, None if there was none.
            scene: what is around.
            cancelled: whether to stop.
            newest: gives the newest scene, which is looked at on the way home, see :class:`Lookout`; None: nothing changes.

        Raises:
            PlanningFailed: there is no way; the text says what is touched. Nothing was moved.
            ExecutionFailed: the joint state is not to be trusted, or the controller failed.
        """
        start = self._measured.configuration()
        lookout = Lookout(
            self._robot, self._controllers, self._config, scene, None, newest or (lambda: scene)
        )
        scene = tried.seen_in(scene) if tried else scene
        for step in self._way_home(planner, tried, start, scene):
            self._measured.check_start(step)
            # on the way out something is touched, and only left
            watched = lookout.over(step, cancelled) if step.stage == HOME else cancelled
            self._controllers.execute(step.trajectory, step.may_stop_short, watched)
            if not step.may_stop_short:
                self._measured.check_end(step, cancelled)
        return f"at home. {self._measured.whereabouts()}"

    def _way_home(
        self, planner: CheckedPlanner, tried: Tried | None, start: Array, scene: Scene
    ) -> list[Step]:
        """The motions that lead home, by the first way out from which there is a way on.

        Raises:
            PlanningFailed: there is none; the reason is that of the last way out.
        """
        failure: PlanningFailed | None = None
        for way in self._ways_out(tried, start, scene):
            try:
                steps = way(planner, start, scene)
                after = self._robot.after(start, *(step.trajectory for step in steps))
                home = planner.plan_to_joints(after, self._home, scene)
                return [*steps, Step(HOME, home, after, scene, empty=scene.attached is None)]
            except PlanningFailed as error:
                if error.problem is Problem.CANCELLED:
                    raise
                failure = error
        raise failure or PlanningFailed(Problem.NO_PATH, "no way out is known")

    def _ways_out(self, tried: Tried | None, start: Array, scene: Scene) -> Iterator[WayOut]:
        """What may lead to where nothing is touched, the likeliest first."""
        if tried and scene.attached is None and tried.target in scene:
            for length in tried.lengths_back(self._robot.chain.tip_pose(start[self._robot.arm.indices])):
                yield partial(self._the_way_it_came, tried, length)

        def out(planner: CheckedPlanner, start: Array, scene: Scene) -> list[Step]:
            first = [] if tried is None else [-tried.grasp.approach]
            found = way_out(self._robot, planner, self._motion, start, scene, first)
            return [] if found is None else [Step(BACK, found, start, scene, empty=scene.attached is None)]

        yield out

    def _the_way_it_came(
        self, tried: Tried, length_m: float, planner: CheckedPlanner, start: Array, scene: Scene
    ) -> list[Step]:
        """Opening the hand as it closed, then back against the approach.

        Raises:
            PlanningFailed: that does not lead out.
        """
        steps, posture = [], start[self._robot.hand.indices]
        grasp = tried.grasp.ordered(self._robot.hand.names)
        closing = grasp.grasp - grasp.pre_grasp
        if (posture - grasp.pre_grasp) @ closing > CLOSED_PART * closing @ closing:
            opening = self._hand_move(posture, grasp.pre_grasp)
            steps.append(Step(BACK, opening, start, scene, empty=False, may_stop_short=True))
        opened = self._robot.after(start, *(step.trajectory for step in steps))
        if length_m > 0:
            # not with fingers that something has kept from opening
            steps.append(Step(BACK, self._back(planner, tried, opened, length_m, scene), opened, scene))
        return steps

    def _back(
        self, planner: CheckedPlanner, tried: Tried, start: Array, length_m: float, scene: Scene
    ) -> Trajectory:
        """Straight back against the approach; the hand may touch its object."""
        if tried.target in scene:
            scene = scene.allow(self._robot.hand_links, tried.target)
        way = -length_m * tried.grasp.approach
        path = line(self._robot, self._motion, start, way)
        goal = self._robot.chain.tip_pose(start[self._robot.arm.indices])[:3, 3] + way
        if not len(path) or np.linalg.norm(self._robot.chain.tip_pose(path[-1])[:3, 3] - goal) > ON_LINE_M:
            raise PlanningFailed(Problem.NO_INVERSE_KINEMATICS, "the straight line back is not in reach")
        return planner.plan_leaving(start, path, scene)

    def _hand_move(self, posture: Array, goal: Array) -> Trajectory:
        limits = self._motion.hand_limits(self._robot)
        return smooth_move(self._robot.hand.names, posture, goal, limits, self._config.posture_s)


def without_clearance(motion: MotionConfig) -> MotionConfig:
    """The same speeds, for plans that start where the arm may be too close to something already."""
    return replace(motion, clearance_m=0.0)
