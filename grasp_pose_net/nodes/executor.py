"""``/pickup``: brings the hand to a grasp, closes it and lifts the object."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from moveit_msgs.action import Pickup as PickupAction
from moveit_msgs.msg import Constraints, MoveItErrorCodes, RobotTrajectory
from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node

from grasp_pose_net.exceptions import ConfigError, PlanningError
from grasp_pose_net.execution import (
    Controllers,
    MotionConfig,
    MotionPlanner,
    MoveItControllers,
    MoveItPlanner,
    MoveItSession,
    OmplPlanner,
    PickGrasp,
    Pickup,
    PickupConfig,
    PickupResult,
    RobotModel,
    Scene,
    moveit_parameters,
    moveit_problem,
)
from grasp_pose_net.models import robot_srdf, robot_urdf
from grasp_pose_net.nodes import moveit_messages
from grasp_pose_net.nodes.controller_client import ControllerClient, ControllerParameters
from grasp_pose_net.nodes.motion_messages import (
    ERROR_CODES,
    pick_grasp,
    scene_from_messages,
    trajectory_message,
)
from grasp_pose_net.nodes.parameters import declare
from grasp_pose_net.nodes.runtime import run
from grasp_pose_net.nodes.scene import ObjectScene

PLANNERS = ("auto", "moveit", "ompl")


@dataclass(frozen=True, kw_only=True)
class ExecutorParameters:
    """Parameters of the executor node."""

    robot: str = field(default="ur10_shadow", metadata={"doc": "robot in models/robots/"})
    planner: str = field(default="auto", metadata={"doc": f"motion planner: {', '.join(PLANNERS)}"})
    objects_topic: str = field(default="/perception/objects", metadata={"doc": "objects around the robot"})
    motion: MotionConfig = field(default_factory=MotionConfig)
    pickup: PickupConfig = field(default_factory=PickupConfig)
    controllers: ControllerParameters = field(default_factory=ControllerParameters)

    def __post_init__(self) -> None:
        """Check the choice of planner."""
        if self.planner not in PLANNERS:
            raise ValueError(f"planner is {self.planner!r}; valid: {', '.join(PLANNERS)}")


class ExecutorNode(Node):
    """Serves ``/pickup``, one at a time."""

    def __init__(self) -> None:
        """Load the robot and offer the action.

        Raises:
            ConfigError: a parameter is wrong, the planner asked for is not there, or MoveIt does not start.
        """
        super().__init__("executor")
        self._server: ActionServer | None = None
        self._moveit: MoveItSession | None = None
        self._config = declare(self, ExecutorParameters)
        use_moveit = self._uses_moveit()
        self._robot = RobotModel(robot_urdf(self._config.robot), robot_srdf(self._config.robot))
        self._robot.chain.warm_up()
        self._scene = ObjectScene(self, self._config.objects_topic)
        self._controllers: Controllers = ControllerClient(self, self._robot, self._config.controllers)
        self._moveit = self._start_moveit() if use_moveit else None
        self._busy = threading.Lock()
        self._server = ActionServer(
            self,
            PickupAction,
            "/pickup",
            execute_callback=self._pick_up,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=ReentrantCallbackGroup(),
        )

    def destroy_node(self) -> None:
        """Withdraw the action before the node goes."""
        if self._server:
            self._server.destroy()
        if self._moveit:
            self._moveit.shutdown()
        super().destroy_node()

    def _uses_moveit(self) -> bool:
        """Whether motions are MoveIt's.

        Raises:
            ConfigError: they shall be, and it is not there.
        """
        problem = moveit_problem() if self._config.planner != "ompl" else None
        if problem and self._config.planner == "moveit":
            raise ConfigError(
                f"planner is 'moveit', but Python cannot import it ({problem}); "
                "install moveit_py, or set planner to auto or ompl"
            )
        moveit = self._config.planner != "ompl" and not problem
        self.get_logger().info(f"motions are planned with {'MoveIt' if moveit else 'OMPL'}")
        return moveit

    def _start_moveit(self) -> MoveItSession:
        """Start MoveIt and let it execute motions, too.

        Raises:
            ConfigError: it does not start.
        """
        name, controllers = self._config.robot, self._config.controllers
        actions = {self._robot.arm_group: controllers.arm, self._robot.hand_group: controllers.hand}
        parameters = moveit_parameters(
            name, robot_urdf(name), robot_srdf(name), self._robot, self._config.motion, actions
        )
        parameters["use_sim_time"] = self.get_parameter("use_sim_time").value
        try:
            session = MoveItSession(self._robot, self._config.motion, parameters, moveit_messages)
        except RuntimeError as error:
            raise ConfigError(
                f"MoveIt does not start: {error}; see its log, or set planner to ompl"
            ) from error
        self._controllers = MoveItControllers(
            session,
            self._controllers,
            controllers.late_s,
            controllers.slowest_clock,
            controllers.answer_timeout_s,
        )
        return session

    def _pick_up(self, handle: ServerGoalHandle) -> PickupAction.Result:
        if not self._busy.acquire(blocking=False):
            text = "another pickup is under way; wait for its end or cancel it"
            return self._end(handle, PickupAction.Result(), MoveItErrorCodes.FAILURE, text)
        try:
            return self._serve(handle)
        finally:
            self._busy.release()

    def _serve(self, handle: ServerGoalHandle) -> PickupAction.Result:
        """Refuse a goal that is wrong, do one that is right."""
        answer = PickupAction.Result()
        try:
            scene, supports = self._checked_scene(handle.request)
            grasps = [
                pick_grasp(message, scene, self._robot.tip, self._robot.hand.names)
                for message in handle.request.possible_grasps
            ]
        except PlanningError as error:
            return self._end(handle, answer, MoveItErrorCodes.INVALID_OBJECT_NAME, str(error))
        except ValueError as error:
            return self._end(handle, answer, MoveItErrorCodes.INVALID_GOAL_CONSTRAINTS, str(error))
        result = self._run(handle, grasps, scene, supports)
        answer.planning_time = result.planning_s
        answer.trajectory_stages = [
            RobotTrajectory(joint_trajectory=trajectory_message(step.trajectory)) for step in result.done
        ]
        answer.trajectory_descriptions = [step.stage for step in result.done]
        for message, grasp in zip(handle.request.possible_grasps, grasps, strict=True):
            if grasp is result.grasp:
                answer.grasp = message
        return self._end(handle, answer, ERROR_CODES[result.problem], result.text)

    def _checked_scene(self, goal: PickupAction.Goal) -> tuple[Scene, tuple[str, ...]]:
        """Scene of a goal and what its target stands on.

        Raises:
            PlanningError: target or support is not in the scene.
            ValueError: the goal asks for what this executor cannot do, or the scene is broken.
        """
        if goal.group_name not in ("", self._robot.arm_group):
            raise ValueError(f"group_name is {goal.group_name!r}; valid: {self._robot.arm_group!r}")
        if goal.path_constraints != Constraints():
            raise ValueError("path_constraints are not supported; leave them empty")
        scene = scene_from_messages(self._scene.objects.values())
        target = scene[goal.target_name].name
        if goal.support_surface_name:
            return scene, (scene[goal.support_surface_name].name,)
        return scene, tuple(entry.name for entry in scene.objects if entry.boxes and entry.name != target)

    def _run(
        self, handle: ServerGoalHandle, grasps: list[PickGrasp], scene: Scene, supports: tuple[str, ...]
    ) -> PickupResult:
        goal = handle.request
        motion = self._config.motion
        if goal.allowed_planning_time > 0:
            motion = replace(motion, planning_time_s=goal.allowed_planning_time)

        def cancelled() -> bool:
            return handle.is_cancel_requested or not self.context.ok()

        planner = self._planner(motion, cancelled)
        pickup = Pickup(self._robot, planner, self._controllers, motion, self._config.pickup)
        return pickup.run(
            grasps,
            scene,
            goal.target_name,
            supports,
            feedback=lambda stage: self._tell(handle, stage),
            cancelled=cancelled,
            plan_only=goal.planning_options.plan_only,
        )

    def _planner(self, motion: MotionConfig, cancelled: Callable[[], bool]) -> MotionPlanner:
        if self._moveit:
            return MoveItPlanner(self._robot, motion, self._moveit, cancelled)
        return OmplPlanner(self._robot, motion, cancelled)

    def _tell(self, handle: ServerGoalHandle, stage: str) -> None:
        self.get_logger().info(f"{handle.request.target_name}: {stage}")
        handle.publish_feedback(PickupAction.Feedback(state=stage))

    def _end(
        self, handle: ServerGoalHandle, answer: PickupAction.Result, code: int, text: str
    ) -> PickupAction.Result:
        """End the goal in the state that fits its code."""
        answer.error_code = MoveItErrorCodes(val=code, message=text, source=self.get_name())
        if code == MoveItErrorCodes.SUCCESS:
            self.get_logger().info(text)
            handle.succeed()
        else:
            self.get_logger().warning(f"/pickup failed: {text}")
            if code == MoveItErrorCodes.PREEMPTED and handle.is_cancel_requested:
                handle.canceled()
            else:
                handle.abort()
        return answer


def main() -> None:
    """Start the node."""
    run(ExecutorNode, threads=8)


if __name__ == "__main__":
    main()
