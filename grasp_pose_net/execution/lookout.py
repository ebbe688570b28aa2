"""Whether a motion may go on, as the newest scene has it: a person's arm may have come into the way, or the target gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from grasp_pose_net.execution.stages import Controllers, PickupConfig, Step
from grasp_pose_net.robot.collision import scene_checker
from grasp_pose_net.robot.model import RobotModel
from grasp_pose_net.robot.problems import ExecutionFailed, Problem
from grasp_pose_net.world import Scene, SceneObject, transform_points


class Lookout:
    """Looks at the newest scene before and during the motions of a plan; one plan each."""

    def __init__(
        self,
        robot: RobotModel,
        controllers: Controllers,
        config: PickupConfig,
        planned: Scene,
        target: str | None,
        newest: Callable[[], Scene],
    ) -> None:
        """Store where to look.

        Args:
            robot: the robot.
            controllers: measure it.
            config: how far the target may seem to have moved.
            planned: the scene that the plan was made in.
            target: id of what is reached for, None for nothing.
            newest: gives the newest scene, the same one as long as there is no other; raises ``ValueError`` where what is
                around is not known any more.
        """
        self._robot, self._controllers, self._config = robot, controllers, config
        self._target, self._newest = None if target is None else planned[target], newest
        self._good: tuple[Scene, Step | None] = (planned, None)
        self._planned = planned

    def over(self, step: Step, cancelled: Callable[[], bool]) -> Callable[[], bool]:
        """``cancelled``, which looks around, too, each time that it is asked, and raises where the motion must not go on.

        The function raises ``ExecutionFailed`` with ``Problem.WORLD_CHANGED``.
        """

        def stopped() -> bool:
            self.look(step)
            return cancelled()

        return stopped

    def look(self, step: Step) -> None:
        """Refuse what is left of a motion if it is not good in the newest scene.

        Raises:
            ExecutionFailed: the target has gone or moved, or the arm would hit something.
        """
        try:
            newest = self._newest()
        except ValueError as error:
            raise ExecutionFailed(
                Problem.WORLD_CHANGED, f"what is around is not known any more: {error}"
            ) from error
        if newest is self._planned or (newest is self._good[0] and step is self._good[1]):
            return
        if step.empty and self._target is not None:
            self._look_at_target(self._target, newest)
        if step.trajectory.joint_names == self._robot.arm.names:
            self._look_ahead(step, newest)
        self._good = (newest, step)

    def _look_at_target(self, target: SceneObject, newest: Scene) -> None:
        name = target.id
        if name not in newest:
            raise ExecutionFailed(Problem.WORLD_CHANGED, f"{name} is no longer there; plan again")
        moved = _moved_m(target, newest[name])
        if moved > self._config.target_moved_m:
            raise ExecutionFailed(
                Problem.WORLD_CHANGED,
                f"{name} has moved by {moved:.3f} m since the motion was planned, allowed {self._config.target_moved_m:g}; "
                "plan again",
            )

    def _look_ahead(self, step: Step, newest: Scene) -> None:
        """Check the motion from where the arm is."""
        scene = replace(step.scene, objects=newest.objects)
        held = step.scene.attached
        if held is not None and held.id not in newest:
            scene = scene.with_object(step.scene[held.id])
        # what comes closer than was planned, but not into the way, shall not stop the arm beside it
        checker = scene_checker(self._robot, scene)
        configuration, arm = step.start.copy(), self._robot.arm.indices
        measured = self._robot.configuration(self._controllers.joint_state().by_name)[arm]
        passed = int(np.abs(step.trajectory.positions - measured).max(axis=1).argmin())
        for joints in step.trajectory.positions[passed:]:
            configuration[arm] = joints
            if not checker.free(configuration):
                first, second = checker.collision(configuration) or ("the arm", "something")
                raise ExecutionFailed(
                    Problem.WORLD_CHANGED, f"{first} would hit {second} on what was left of the motion"
                )


def _moved_m(before: SceneObject, now: SceneObject) -> float:
    """How far an object's middle is from where it was [m]; its furthest corner, where its shape is the same."""
    same = [part.shape.content for part in before.parts] == [part.shape.content for part in now.parts]
    ends = [
        np.vstack([transform_points(pose, shape.corners) for shape, pose in entry.placed()])
        for entry in (before, now)
    ]
    if same:
        return float(np.linalg.norm(ends[0] - ends[1], axis=1).max(initial=0.0))
    if not all(len(corners) for corners in ends):
        return 0.0  # a wall without end cannot be reached for
    middles = [0.5 * (corners.min(axis=0) + corners.max(axis=0)) for corners in ends]
    return float(np.linalg.norm(middles[0] - middles[1]))
