"""What every motion planner of the arm can do; OMPL and MoveIt stand behind it."""

from __future__ import annotations

from abc import ABC, abstractmethod

from grasp_pose_net.world import Array, Scene, Trajectory


class MotionPlanner(ABC):
    """Plans motions of the arm; the hand keeps the posture that the start gives it.

    Every trajectory returned is within the limits and free of collisions at each of its samples.
    """

    @abstractmethod
    def plan_to_joints(self, start: Array, goal: Array, scene: Scene) -> Trajectory:
        """Motion of the arm to joint positions.

        Args:
            start: (J,) configuration of the whole robot [rad].
            goal: (A,) joints of the arm [rad].
            scene: what is around.

        Raises:
            PlanningFailed: naming what is wrong with start, goal or the way between.
        """

    @abstractmethod
    def plan_to_pose(self, start: Array, T_world_tip: Array, scene: Scene) -> Trajectory:
        """Motion of the arm that ends with the tip at a pose (4, 4); otherwise as :meth:`plan_to_joints`."""

    @abstractmethod
    def plan_cartesian(self, start: Array, T_world_tip: Array, scene: Scene) -> Trajectory:
        """Straight motion of the tip from where it is to a pose (4, 4), all of it or none.

        Raises:
            PlanningFailed: the line leaves the arm's reach, needs a jump of a joint, or is blocked.
        """

    def show(self, scene: Scene) -> None:  # noqa: B027 - most planners have nothing to do here
        """Say what is around and held from now on, to whoever watches; a planner alone has nobody to tell."""
