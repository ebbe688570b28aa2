"""The lift trial in this process: the product's pick-up on the simulated robot, then hold, shake and verdict.

What moves the robot is what the nodes use: the same planner, the same pick-up, the same controllers of the simulated
world. Only the messages between them are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.execution import OmplPlanner, Pickup, PickupConfig, shake
from grasp_pose_net.robot import ExecutionFailed, MotionConfig, PlanningFailed, Problem, RobotModel
from grasp_pose_net.simulation.controller import Goal, Outcome, ResultCode
from grasp_pose_net.simulation.laboratory import World
from grasp_pose_net.simulation.lift_trial import HOLD_S, judge_lift
from grasp_pose_net.world import Array, Grasp, JointState, Scene, Trajectory

# The lift trial's word for a pick-up that ended in one of its stages.
FAILURE_OF_STAGE = {
    "reach": "reach",
    "approach": "reach",
    "close": "grasp",
    "squeeze": "grasp",
    "lift": "lift",
}
# The trial's own motion, brisker than what the product does: 3 cm at 1 Hz can need several rad/s² of a joint.
SHAKING = MotionConfig(velocity_scale=1.0, acceleration_scale=1.0, arm_acceleration_rad_s2=20.0)
PERIOD_S = 0.02  # between two looks at the object
HOLD_MARGIN_S = 0.2


class StageFailure(GraspPoseNetError):
    """A trial ends as a failure of a stage: the system's answer was no, which is a result and no error.

    Attributes:
        stage: which.
    """

    def __init__(self, stage: str, text: str) -> None:
        """Name the stage and say why."""
        super().__init__(text)
        self.stage = stage


class SimulatedRobot:
    """Moves the robot of a simulated world, and watches its object; implements `execution.Controllers`.

    Time passes only while something moves or waits, so that a slow computer changes nothing.
    """

    def __init__(self, world: World) -> None:
        """Take over a world; its object is the first."""
        self._world = world
        self._object = world.simulation.objects[0].name
        self._heights: list[tuple[float, float]] = []
        self._look()

    @property
    def track(self) -> tuple[Array, Array]:
        """Times (N,) [s] and heights of the object's centre of mass (N,) [m]."""
        times, heights = np.array(self._heights).T
        return times, heights

    def joint_state(self) -> JointState:
        """See `execution.Controllers`."""
        simulation = self._world.simulation
        return JointState(tuple(simulation.joint_names), simulation.positions(), stamp=self._world.time)

    def execute(self, trajectory: Trajectory, may_stop_short: bool, cancelled: Callable[[], bool]) -> None:
        """See `execution.Controllers`."""
        name, controller = next(
            (name, controller)
            for name, controller in self._world.controllers.items()
            if set(controller.names) == set(trajectory.joint_names)
        )
        outcome = controller.start(
            self._goal(name, trajectory, may_stop_short), self._world.time, self._world.positions(name)
        )
        while outcome is None:
            if cancelled():
                controller.hold(self._world.positions(name))
                raise ExecutionFailed(Problem.CANCELLED, f"{name} was told to stop")
            outcome = self._advance().get(name)
        if outcome.code != ResultCode.SUCCESSFUL:
            raise ExecutionFailed(Problem.ABORTED, f"{name}: {outcome.text} (code {int(outcome.code)})")

    def wait(self, seconds: float) -> None:
        """See `execution.Controllers`."""
        end = self._world.time + seconds
        while self._world.time < end:
            self._advance()

    def _advance(self) -> dict[str, Outcome]:
        outcomes = self._world.advance(PERIOD_S)
        self._look()
        return outcomes

    def _look(self) -> None:
        height = float(self._world.simulation.object_pose(self._object)[2, 3])
        self._heights.append((self._world.time, height))

    def _goal(self, name: str, trajectory: Trajectory, may_stop_short: bool) -> Goal:
        """Goal with the controller's own tolerances, or none where an object may hold the joints up."""
        config = getattr(self._world.config, name)
        count = len(trajectory.joint_names)
        path, end = (
            (config.path_tolerance_rad, config.goal_tolerance_rad) if not may_stop_short else (0.0, 0.0)
        )
        return Goal(
            trajectory=trajectory,
            path_tolerance=np.full(count, path or np.inf),
            goal_tolerance=np.full(count, end or np.inf),
            goal_time_s=config.goal_time_s,
        )


def lift(
    robot: RobotModel,
    simulated: SimulatedRobot,
    grasps: Sequence[Grasp],
    scene: Scene,
    target: str,
    supports: tuple[str, ...],
    motion: MotionConfig,
    pickup: PickupConfig,
) -> str:
    """Pick an object up, hold it and shake it.

    Args:
        robot: model of the robot.
        simulated: the robot.
        grasps: possible grasps, the best first.
        scene: what was perceived.
        target: the object's name there.
        supports: what it stands on.
        motion: limits and steps.
        pickup: what is tolerated.

    Returns:
        Name of the grasp that was used.

    Raises:
        StageFailure: naming the stage of the lift trial, and why.
    """
    stages: list[str] = []
    sequence = Pickup(robot, OmplPlanner(robot, motion), simulated, motion, pickup)
    result = sequence.run(grasps, scene, target, supports, stages.append, lambda: False)
    if result.problem is not None:
        raise StageFailure(FAILURE_OF_STAGE.get(stages[-1] if stages else "", "reach"), result.text)
    simulated.wait(HOLD_S + HOLD_MARGIN_S)
    try:
        simulated.execute(shaking(robot, simulated.joint_state().by_name), False, lambda: False)
    except (PlanningFailed, ExecutionFailed) as error:
        raise StageFailure("shake", str(error)) from error
    shaken = simulated.track[0][-1]
    simulated.wait(5 * PERIOD_S)
    verdict = judge_lift(*simulated.track, shaken)
    if not verdict.success:
        raise StageFailure(verdict.failure, f"rose to {verdict.height_m:.2f} m")
    return result.grasp.id if result.grasp else ""


def shaking(robot: RobotModel, positions: Mapping[str, float]) -> Trajectory:
    """The lift trial's shake from measured joint positions [rad].

    Raises:
        PlanningFailed: the arm cannot do it from there.
    """
    start = robot.configuration(positions)[robot.arm.indices]
    return shake(robot.chain, robot.arm.names, start, SHAKING.arm_limits(robot))
