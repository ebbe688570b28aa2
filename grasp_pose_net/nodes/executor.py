"""``/pickup``: brings the hand to a grasp, closes it and lifts the object; ``~/open_hand``, ``~/retreat``, ``~/home``."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from diagnostic_msgs.msg import DiagnosticStatus
from moveit_msgs.action import Pickup as PickupAction
from moveit_msgs.msg import DisplayRobotState, DisplayTrajectory, MoveItErrorCodes, RobotTrajectory
from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from std_srvs.srv import Trigger

from grasp_pose_net.exceptions import PlanningError
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
from grasp_pose_net.nodes.messages.grasps import grasp_from_message
from grasp_pose_net.nodes.messages.motion import ERROR_CODES, trajectory_message
from grasp_pose_net.nodes.messages.pickup import supports_of_goal
from grasp_pose_net.nodes.support.controller_client import ControllerClient
from grasp_pose_net.nodes.support.diagnostics import Diagnostics, Health
from grasp_pose_net.nodes.support.executor_parameters import ExecutorParameters
from grasp_pose_net.nodes.support.moveit_start import start_moveit, uses_moveit
from grasp_pose_net.nodes.support.object_scene import ObjectScene
from grasp_pose_net.nodes.support.parameters import declare
from grasp_pose_net.nodes.support.qos import LATCHED
from grasp_pose_net.nodes.support.runtime import run
from grasp_pose_net.robot import ExecutionFailed, MotionConfig, PlanningFailed, RobotModel
from grasp_pose_net.world import Grasp, Scene

IDLE = "idle"


class ExecutorNode(Node):
    """Moves the robot, for one request at a time."""

    def __init__(self) -> None:
        """Load the robot and offer action and services.

        Raises:
            ConfigError: a parameter is wrong, the planner asked for is not there, or MoveIt does not start.
        """
        super().__init__("executor")
        self._server: ActionServer | None = None
        self._moveit: MoveItSession | None = None
        self._busy, self._ended = threading.Lock(), threading.Event()
        self._config = config = declare(self, ExecutorParameters)
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
        self._doing, self._last = IDLE, Health("nothing has been done yet")
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
        Diagnostics(self, {"robot": self._robot_health, "motions": self._motions_health})

    def end(self) -> bool:
        """Stop what moves, since whoever watches it is about to go; whether nothing moves any more."""
        self._ended.set()
        return not self._busy.locked()

    def destroy_node(self) -> None:
        """Withdraw the action before the node goes."""
        if self._server:
            self._server.destroy()
        if self._moveit:
            self._moveit.shutdown()
        super().destroy_node()

    # /pickup

    def _pick_up(self, handle: ServerGoalHandle) -> PickupAction.Result:
        if not self._busy.acquire(blocking=False):
            text = f"another motion is under way ({self._doing}); wait for its end or cancel it"
            return self._end(handle, PickupAction.Result(), MoveItErrorCodes.FAILURE, text)
        try:
            return self._serve(handle)
        except Exception as error:
            # whoever asked must hear of any failure, and of where the robot is
            self.get_logger().error(traceback.format_exc())
            text = f"unexpected error, see the executor's log: {error!r}. {self._measured.whereabouts()}"
            return self._end(handle, PickupAction.Result(), MoveItErrorCodes.FAILURE, text)
        finally:
            self._doing = IDLE
            self._busy.release()

    def _serve(self, handle: ServerGoalHandle) -> PickupAction.Result:
        """Refuse a goal that is wrong, do one that is right."""
        self._doing = "planning a pickup"
        answer = PickupAction.Result()
        try:
            scene = self._scene.scene
            supports = supports_of_goal(handle.request, scene, self._robot.arm_group)
            grasps = [
                grasp_from_message(message, scene, self._robot.tip, self._robot.hand.names)
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
            if result.grasp is not None and grasp.id == result.grasp.id:
                answer.grasp = message
        return self._end(handle, answer, ERROR_CODES[result.problem], result.text)

    def _run(
        self, handle: ServerGoalHandle, grasps: list[Grasp], scene: Scene, supports: tuple[str, ...]
    ) -> PickupResult:
        goal = handle.request
        motion = self._config.motion
        if goal.allowed_planning_time > 0:
            motion = replace(motion, planning_time_s=goal.allowed_planning_time)
        plan_only = goal.planning_options.plan_only or self._dry_run

        def cancelled() -> bool:
            return handle.is_cancel_requested or self._ending()

        def planned(plan: PickupPlan) -> None:
            self._show(plan)
            if not plan_only:
                self._tried = Tried(plan.grasp, goal.target_name)

        planner = self._planner(motion, cancelled)
        pickup = Pickup(self._robot, planner, self._controllers, motion, self._config.pickup)
        result = pickup.run(
            grasps,
            scene,
            goal.target_name,
            supports,
            feedback=lambda stage: self._tell(handle, stage),
            cancelled=cancelled,
            plan_only=plan_only,
            planned=planned,
        )
        if self._tried and not plan_only:
            self._tried = self._tried.after(result.done)
        return result

    def _planner(self, motion: MotionConfig, cancelled: Callable[[], bool]) -> CheckedPlanner:
        if self._moveit:
            return MoveItPlanner(self._robot, motion, self._moveit, cancelled)
        return OmplPlanner(self._robot, motion, cancelled)

    def _show(self, plan: PickupPlan) -> None:
        self._motion_publisher.publish(planned_motion(plan, self._robot, self._robot.model.name))
        self._state_publisher.publish(grasp_state(plan, self._robot))

    def _tell(self, handle: ServerGoalHandle, stage: str) -> None:
        self._doing = stage
        self.get_logger().info(f"{handle.request.target_name}: {stage}")
        handle.publish_feedback(PickupAction.Feedback(state=stage))

    def _end(
        self, handle: ServerGoalHandle, answer: PickupAction.Result, code: int, text: str
    ) -> PickupAction.Result:
        """End the goal in the state that fits its code."""
        answer.error_code = MoveItErrorCodes(val=code, message=text, source=self.get_name())
        self._note("/pickup", text, code == MoveItErrorCodes.SUCCESS)
        if code == MoveItErrorCodes.SUCCESS:
            handle.succeed()
        elif code == MoveItErrorCodes.PREEMPTED and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return answer

    # ~/open_hand, ~/retreat and ~/home

    def _open_hand(self) -> str:
        text = self._recovery.open_hand(self._ending)
        # what the hand held, it holds no more
        self._tried = self._tried and replace(self._tried, held=None)
        self._planner(self._config.motion, self._ending).show(self._scene.scene)
        return text

    def _retreat(self) -> str:
        if self._tried is None:
            raise PlanningError("no grasp has been tried since the executor started")
        planner = self._planner(without_clearance(self._config.motion), self._ending)
        return self._recovery.retreat(planner, self._tried, self._scene.scene, self._ending)

    def _home(self) -> str:
        planner = self._planner(self._config.motion, self._ending)
        return self._recovery.home(planner, self._tried, self._scene.scene, self._ending)

    def _answer(
        self, what: str, do: Callable[[], str], request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        """Do a motion that a service asks for, unless another is under way."""
        if not self._busy.acquire(blocking=False):
            response.message = f"a motion is under way ({self._doing}); wait for its end or cancel it"
            return response
        self._doing = what
        try:
            if self._dry_run:
                raise PlanningError("dry_run is on")
            response.message, response.success = do(), True
        except ExecutionFailed as failure:
            response.message = f"{what} failed. {failure}. {self._measured.whereabouts()}"
        except (PlanningFailed, PlanningError, ValueError) as error:
            response.message = f"{what}: nothing was moved. {error}"
        finally:
            self._doing = IDLE
            self._busy.release()
        self._note(what, response.message, response.success)
        return response

    @property
    def _dry_run(self) -> bool:
        return bool(self.get_parameter("dry_run").value)

    def _ending(self) -> bool:
        """Whether this process is about to end."""
        return self._ended.is_set() or not self.context.ok()

    def _note(self, what: str, text: str, success: bool) -> None:
        """Keep how a motion ended for the log and for diagnostics."""
        if success:
            self.get_logger().info(text)
        else:
            self.get_logger().warning(f"{what} failed: {text}")
        self._last = Health(text, DiagnosticStatus.OK if success else DiagnosticStatus.WARN)

    def _robot_health(self) -> Health:
        try:
            age_s = self._client.joint_state().age_s
        except ExecutionFailed as failure:
            return Health(str(failure), DiagnosticStatus.ERROR)
        values = {"age of the joint states [s]": f"{age_s:.3f}"}
        if missing := self._client.missing_servers():
            return Health(f"not there: {', '.join(missing)}", DiagnosticStatus.ERROR, values)
        return Health("joint states come, controllers are there", values=values)

    def _motions_health(self) -> Health:
        motion = self._config.motion
        values = {
            "doing": self._doing,
            "planner": "MoveIt" if self._moveit else "OMPL",
            "dry run": self._dry_run,
            "velocity scale": motion.velocity_scale,
            "acceleration scale": motion.acceleration_scale,
        }
        return replace(self._last, values=values)


def main() -> None:
    """Start the node."""
    run(ExecutorNode, threads=8)


if __name__ == "__main__":
    main()
