"""``/pickup``: brings the hand to a grasp, closes it and lifts the object; ``~/open_hand``, ``~/retreat``, ``~/home``."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from moveit_msgs.action import Pickup as PickupAction
from moveit_msgs.msg import DisplayRobotState, DisplayTrajectory, MoveItErrorCodes
from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from std_srvs.srv import Trigger

from grasp_pose_net.exceptions import ConfigError, PlanningError
from grasp_pose_net.execution import (
    CheckedPlanner,
    Controllers,
    MeasuredRobot,
    MoveItPlanner,
    MoveItSession,
    OmplPlanner,
    Pickup,
    PickupPlan,
    PickupResult,
    Recovery,
    Tried,
    without_clearance,
)
from grasp_pose_net.nodes.messages.display import grasp_state, planned_motion
from grasp_pose_net.nodes.messages.motion import ERROR_CODES
from grasp_pose_net.nodes.messages.pickup import (
    answer_of,
    check_capture,
    grasps_of_goal,
    motion_of_goal,
    supports_of_goal,
)
from grasp_pose_net.nodes.support.controller_client import ControllerClient
from grasp_pose_net.nodes.support.executor_health import IDLE, ExecutorHealth
from grasp_pose_net.nodes.support.executor_parameters import ExecutorParameters
from grasp_pose_net.nodes.support.guarded_node import GuardedNode
from grasp_pose_net.nodes.support.moveit_start import start_moveit, uses_moveit
from grasp_pose_net.nodes.support.object_scene import ObjectScene
from grasp_pose_net.nodes.support.parameters import declare
from grasp_pose_net.nodes.support.qos import LATCHED
from grasp_pose_net.nodes.support.rivals import Rivals
from grasp_pose_net.nodes.support.runtime import run
from grasp_pose_net.robot import ExecutionFailed, MotionConfig, PlanningFailed, Problem, RobotModel
from grasp_pose_net.world import Grasp, Scene

ANSWER_S = 0.3  # for an answer to be on its way, before the process may end


class ExecutorNode(GuardedNode):
    """Moves the robot, for one request at a time."""

    def __init__(self) -> None:
        """Load the robot and offer action and services.

        Raises:
            ConfigError: a parameter is wrong, the planner asked for is not there, or MoveIt does not start.
        """
        super().__init__("executor")
        self._server: ActionServer | None = None
        self._moveit: MoveItSession | None = None
        self._busy, self._ended, self._answered = threading.Lock(), threading.Event(), -math.inf
        self._config = config = declare(self, ExecutorParameters)
        self._rivals = Rivals(self, (config.controllers.arm, config.controllers.hand))
        use_moveit = uses_moveit(self, config.planner)
        descriptions = config.descriptions()
        self._robot = RobotModel(*descriptions)
        self._robot.chain.warm_up()
        self._scene = ObjectScene(self, config)
        self._client = ControllerClient(self, self._robot, config.controllers)
        self._controllers: Controllers = self._client
        if use_moveit:
            self._moveit, self._controllers = start_moveit(
                self, self._robot, descriptions, config.robot, config.motion, config.controllers, self._client
            )
        self._measured = MeasuredRobot(self._robot, self._controllers, config.pickup)
        self._recovery = Recovery(self._robot, self._controllers, config.motion, config.pickup)
        self._health = ExecutorHealth(self, self._client, self._rivals, self._figures)
        self._rivals.refuse_second()
        self._tried: Tried | None = None
        self._motion_publisher = self.create_publisher(DisplayTrajectory, "~/planned_motion", LATCHED)
        self._state_publisher = self.create_publisher(DisplayRobotState, "~/grasp_states", LATCHED)
        group = ReentrantCallbackGroup()
        self._server = ActionServer(
            self,
            PickupAction,
            "/pickup",
            execute_callback=self._pick_up,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=group,
        )
        for name, do in (("open_hand", self._open_hand), ("retreat", self._retreat), ("home", self._home)):
            self.create_service(Trigger, f"~/{name}", partial(self._answer, name, do), callback_group=group)

    def end(self) -> bool:
        """Stop what moves, since whoever watches it is about to go; whether nothing moves any more, and who asked knows it."""
        self._ended.set()
        return not self._busy.locked() and time.monotonic() - self._answered > ANSWER_S

    def destroy_node(self) -> None:
        """Withdraw the action before the node goes."""
        if self._server:
            self._server.destroy()
        if self._moveit:
            self._moveit.shutdown()
        super().destroy_node()

    # /pickup

    def _enter(self) -> str:
        """Why nothing can be done now; where that is empty, :meth:`_leave` has to follow."""
        if first := self._rivals.first():
            return first
        if not self._busy.acquire(blocking=False):
            return f"another motion is under way ({self._health.doing}); wait for its end or cancel it"
        return ""

    def _leave(self) -> None:
        self._health.doing, self._answered = IDLE, time.monotonic()
        self._busy.release()

    def _pick_up(self, handle: ServerGoalHandle) -> PickupAction.Result:
        if text := self._enter():
            return self._end(handle, PickupAction.Result(), MoveItErrorCodes.FAILURE, text)
        try:
            return self._serve(handle)
        except Exception as error:
            # whoever asked must hear of any failure, and of where the robot is
            text = f"{self.fault('a goal for /pickup', error)}. {self._measured.whereabouts()}"
            return self._end(handle, PickupAction.Result(), MoveItErrorCodes.FAILURE, text)
        finally:
            self._leave()

    def _serve(self, handle: ServerGoalHandle) -> PickupAction.Result:
        """Refuse a goal that is wrong, do one that is right."""
        self._health.doing = "planning a pickup"
        answer = PickupAction.Result()
        goal = handle.request
        try:
            motion = motion_of_goal(goal, self._config.motion)
            scene = self._scene.scene
            supports = supports_of_goal(goal, scene, self._robot)
            check_capture(goal, scene)
            grasps = grasps_of_goal(goal, scene, self._robot, lambda: self._stopping(handle))
        except PlanningFailed as failure:
            return self._end(handle, answer, ERROR_CODES[failure.problem], f"nothing was moved. {failure}")
        except PlanningError as error:
            return self._end(handle, answer, MoveItErrorCodes.INVALID_OBJECT_NAME, str(error))
        except (ConfigError, ValueError) as error:
            return self._end(handle, answer, MoveItErrorCodes.INVALID_GOAL_CONSTRAINTS, str(error))
        result = self._run(handle, grasps, scene, supports, motion)
        return self._end(handle, answer_of(goal, result), ERROR_CODES[result.problem], result.text)

    def _run(
        self,
        handle: ServerGoalHandle,
        grasps: list[Grasp],
        scene: Scene,
        supports: tuple[str, ...],
        motion: MotionConfig,
    ) -> PickupResult:
        goal = handle.request
        plan_only = goal.planning_options.plan_only or self._dry_run

        def cancelled() -> bool:
            return self._stopping(handle) or (self._dry_run and not plan_only)

        def planned(plan: PickupPlan) -> None:
            self._show(plan)
            if not plan_only:
                self._tried = Tried(plan.grasp, goal.target_name)

        planner = self._planner(motion, cancelled)
        pickup = Pickup(self._robot, planner, self._controllers, motion, self._config.pickup)
        result = pickup.run(
            grasps, scene, goal.target_name, supports, lambda stage: self._tell(handle, stage),
            cancelled, plan_only, planned, newest=lambda: self._scene.scene,
        )  # fmt: skip
        if self._tried and not plan_only:
            self._tried = self._tried.after(result.done)
        if result.problem is Problem.CANCELLED:
            return replace(result, text=f"{self._why_stopped(handle)}. {result.text}")
        return result

    def _stopping(self, handle: ServerGoalHandle) -> bool:
        """Whether the client or the end of this process ends a goal."""
        return handle.is_cancel_requested or self._ending()

    def _why_stopped(self, handle: ServerGoalHandle) -> str:
        if handle.is_cancel_requested:
            return "the client has cancelled"
        return "the executor is ending" if self._ending() else "dry_run has been switched on"

    def _planner(self, motion: MotionConfig, cancelled: Callable[[], bool]) -> CheckedPlanner:
        if self._moveit:
            return MoveItPlanner(self._robot, motion, self._moveit, cancelled)
        return OmplPlanner(self._robot, motion, cancelled)

    def _show(self, plan: PickupPlan) -> None:
        self._motion_publisher.publish(planned_motion(plan, self._robot, self._robot.model.name))
        self._state_publisher.publish(grasp_state(plan, self._robot))

    def _tell(self, handle: ServerGoalHandle, stage: str) -> None:
        self._health.doing = stage
        self.get_logger().info(f"{handle.request.target_name}: {stage}")
        handle.publish_feedback(PickupAction.Feedback(state=stage))

    def _end(
        self, handle: ServerGoalHandle, answer: PickupAction.Result, code: int, text: str
    ) -> PickupAction.Result:
        """End the goal in the state that fits its code."""
        answer.error_code = MoveItErrorCodes(val=code, message=text, source=self.get_name())
        self._health.note("/pickup", text, code == MoveItErrorCodes.SUCCESS)
        if code == MoveItErrorCodes.SUCCESS:
            handle.succeed()
        elif code == MoveItErrorCodes.PREEMPTED and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return answer

    # ~/open_hand, ~/retreat and ~/home

    def _open_hand(self) -> str:
        text = self._recovery.open_hand(self._halted)
        # what the hand held, it holds no more
        self._tried = self._tried and replace(self._tried, held=None)
        self._planner(self._config.motion, self._ending).show(self._scene.scene)
        return text

    def _retreat(self) -> str:
        if self._tried is None:
            raise PlanningError("no grasp has been tried since the executor started")
        planner = self._planner(without_clearance(self._config.motion), self._halted)
        return self._recovery.retreat(planner, self._tried, self._scene.scene, self._halted)

    def _home(self) -> str:
        planner = self._planner(self._config.motion, self._halted)
        scene = self._scene
        return self._recovery.home(planner, self._tried, scene.scene, self._halted, lambda: scene.scene)

    def _answer(
        self, what: str, do: Callable[[], str], request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        """Do a motion that a service asks for, unless another is under way."""
        if text := self._enter():
            response.message = text
            return response
        self._health.doing = what
        try:
            if self._dry_run:
                raise PlanningError("dry_run is on")
            response.message, response.success = do(), True
        except ExecutionFailed as failure:
            response.message = f"{what} failed. {failure}. {self._measured.whereabouts()}"
        except (PlanningFailed, PlanningError, ValueError) as error:
            response.message = f"{what}: nothing was moved. {error}"
        finally:
            self._leave()
        self._health.note(what, response.message, response.success)
        return response

    @property
    def _dry_run(self) -> bool:
        return bool(self.get_parameter("dry_run").value)

    def _halted(self) -> bool:
        """Whether a motion that a service has asked for must not go on."""
        return self._ending() or self._dry_run

    def _ending(self) -> bool:
        """Whether this process is about to end."""
        return self._ended.is_set() or not self.context.ok()

    def _figures(self) -> dict[str, Any]:
        scales = (self._config.motion.velocity_scale, self._config.motion.acceleration_scale)
        figures = {"planner": "MoveIt" if self._moveit else "OMPL", "dry run": self._dry_run}
        return figures | dict(zip(("velocity scale", "acceleration scale"), scales, strict=True))


def main() -> None:
    """Start the node."""
    run(ExecutorNode, threads=8)


if __name__ == "__main__":
    main()
