"""``/plan_grasp``: ranked grasps of a perceived object, refined through ``/refine_grasp`` and within the arm's reach."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticStatus
from moveit_msgs.msg import MoveItErrorCodes
from moveit_msgs.srv import GraspPlanning
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from visualization_msgs.msg import MarkerArray

from grasp_pose_net.config import setting
from grasp_pose_net.exceptions import ConfigError, GraspPoseNetError, MessageError
from grasp_pose_net.hand import Hand
from grasp_pose_net.nodes.messages.basics import time_from_ns
from grasp_pose_net.nodes.messages.grasp_markers import grasp_markers
from grasp_pose_net.nodes.messages.grasps import grasp_message
from grasp_pose_net.nodes.messages.motion import ERROR_CODES
from grasp_pose_net.nodes.support.diagnostics import Diagnostics, Health
from grasp_pose_net.nodes.support.guarded_node import GuardedNode
from grasp_pose_net.nodes.support.object_scene import ObjectScene
from grasp_pose_net.nodes.support.parameters import declare
from grasp_pose_net.nodes.support.qos import LATCHED
from grasp_pose_net.nodes.support.remote_refine import RemoteRefine
from grasp_pose_net.nodes.support.report import Report
from grasp_pose_net.nodes.support.runtime import run
from grasp_pose_net.nodes.support.shared import HandParameters, RobotParameters, SceneParameters
from grasp_pose_net.planning import ArmChecks, GraspPlanner, NoGraspFound, Plan, PlannerConfig, best_of
from grasp_pose_net.robot import MotionConfig, RobotModel
from grasp_pose_net.world import Scene, SceneObject


@dataclass(frozen=True, kw_only=True)
class InferenceParameters(HandParameters, RobotParameters, SceneParameters):
    """Parameters of the inference node."""

    refine_timeout_s: float = setting(10.0, 0.1, 600, "longest wait for refinement [s]")
    planner: PlannerConfig = field(default_factory=PlannerConfig)
    motion: MotionConfig = field(default_factory=MotionConfig)


class InferenceNode(GuardedNode):
    """Answers ``/plan_grasp``."""

    def __init__(self) -> None:
        """Load hand, network and robot, and offer the service.

        Raises:
            CheckpointError: the network is missing or belongs to another hand.
            ConfigError: a parameter is wrong.
        """
        super().__init__("inference")
        self._config = declare(self, InferenceParameters)
        self._hand = Hand.load(self._config.hand)
        self._remote = RemoteRefine(self, self._hand, self._config.refine_timeout_s)
        self._arm = self._make_arm()
        self._planner = GraspPlanner(self._hand, self._config.planner, self._arm, self._remote)
        # the planner is for one thread at a time, and always for the same: what PyTorch has prepared is a thread's own, and a
        # network that is asked from another one takes 60 ms instead of 15
        self._planning = ThreadPoolExecutor(1)
        self.get_logger().info(f"{self._planner.description}; compiling (some seconds the first time)")
        self._planning.submit(self._planner.warm_up).result()
        self._scene = ObjectScene(self, self._config, self._prepare)
        self._markers = self.create_publisher(MarkerArray, "~/grasps", LATCHED)
        self._said = Report(self)
        self._health = Health("nothing has been planned yet")
        Diagnostics(self, {"grasp planning": lambda: self._health})
        self.create_service(
            GraspPlanning, "/plan_grasp", self._plan, callback_group=MutuallyExclusiveCallbackGroup()
        )

    def _make_arm(self) -> ArmChecks | None:
        """The arm's checks, if there is an arm that carries the hand."""
        if not self._config.robot:
            return None
        robot = RobotModel(*self._config.descriptions())
        try:
            return ArmChecks(robot, self._hand, self._config.motion)
        except ConfigError as error:
            self.get_logger().warning(f"what the arm can reach is not checked: {error}")
            return None

    def _prepare(self, scene: Scene) -> None:
        self._planning.submit(self._planner.prepare, scene).result()

    def _plan(
        self, request: GraspPlanning.Request, response: GraspPlanning.Response
    ) -> GraspPlanning.Response:
        try:
            scene, target, plan = self._best(request)
            stamp = time_from_ns(target.stamp_ns)
            response.grasps = [grasp_message(grasp, scene.frame, stamp) for grasp in plan.grasps]
            code, text = MoveItErrorCodes.SUCCESS, f"{target.id}: {plan.account.text()}"
            if not request.target.id:
                text += left_out(scene)
            # once the answer is on its way: nobody plans with a picture
            self.later(self._show, plan, target, scene.frame, text)
        except GraspPoseNetError as error:
            code, text = error_code(error), str(error)
            self.get_logger().warning(text)
        response.error_code = MoveItErrorCodes(val=code, message=text, source=self.get_name())
        return response

    def _show(self, plan: Plan, target: SceneObject, frame: str, text: str) -> None:
        self.get_logger().info(text)
        self._markers.publish(
            grasp_markers(self._hand, plan.grasps, target, self._planner.fields[target.mesh], frame)
        )

    def _best(self, request: GraspPlanning.Request) -> tuple[Scene, SceneObject, Plan]:
        """The scene, the target with the best grasp, and its plan.

        Raises:
            NoGraspFound: no target has a grasp; the text is the first one's, /diagnostics has the last one's.
            GraspPoseNetError: what is asked is not supported, or broken.
        """
        self._check(request)
        scene, targets = self._scene.around(request.target, request.movable_obstacles)
        if self._arm and scene.frame != self._config.world_frame:
            raise MessageError(
                f"target {targets[0].id!r} is given in frame {scene.frame!r}; the arm's reach is known in "
                f"{self._config.world_frame!r}: give it there, or set parameter robot to nothing"
            )
        target, plan = best_of(self._planning.submit(self._plans, request, scene, targets).result())
        if not plan.grasps:
            raise NoGraspFound(plan)
        return scene, target, plan

    def _check(self, request: GraspPlanning.Request) -> None:
        """Refuse what would not be done.

        Raises:
            MessageError: naming the field.
        """
        if self._arm and request.group_name not in ("", self._arm.group):
            raise MessageError(f"group_name is {request.group_name!r}; valid: {self._arm.group!r}")
        if request.candidate_grasps:
            raise MessageError("candidate_grasps are for /refine_grasp; leave them empty")

    def _plans(
        self, request: GraspPlanning.Request, scene: Scene, targets: list[SceneObject]
    ) -> list[tuple[SceneObject, Plan]]:
        plans = []
        with self._remote.serving(request, scene):
            for target in targets:
                plans.append((target, self._planner.plan(scene, target, request.support_surfaces)))
                self._report(*plans[-1])
        return plans

    def _report(self, target: SceneObject, plan: Plan) -> None:
        """Reject counts and times on ``/diagnostics`` and ``~/report``."""
        account = plan.account
        level = DiagnosticStatus.OK if plan.grasps else DiagnosticStatus.WARN
        counts = {"candidates": account.candidates, "grasps": account.grasps, "not needed": account.spare}
        rejected = {reason.text: count for reason, count in account.rejected.items()}
        times = {f"{stage} [s]": f"{seconds:.3f}" for stage, seconds in account.seconds.items()}
        self._health = Health(f"{target.id}: {account.text()}", level, counts | rejected | times)
        self._said.publish(target=target.id, account=account.data())


def left_out(scene: Scene) -> str:
    """What of a scene somebody may have wanted to grasp and cannot, as the end of an answer."""
    named = [f"{entry.id} ({entry.reason})" for entry in scene.obstacles if entry.reason]
    return f"; not to be grasped: {', '.join(named[:3])}" if named else ""


def error_code(error: Exception) -> int:
    """Code of a failed request; where most candidates were lost to the arm it is the arm's."""
    if isinstance(error, NoGraspFound) and error.reason is not None:
        for problem, code in ERROR_CODES.items():
            if problem is not None and problem.value == error.reason.text:
                return code
    return MoveItErrorCodes.PLANNING_FAILED


def main() -> None:
    """Start the node."""
    run(InferenceNode)


if __name__ == "__main__":
    main()
