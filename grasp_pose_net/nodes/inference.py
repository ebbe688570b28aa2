"""``/plan_grasp``: ranked grasps of a perceived object, refined through ``/refine_grasp`` and within the arm's reach."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from moveit_msgs.msg import CollisionObject, Grasp, MoveItErrorCodes
from moveit_msgs.srv import GraspPlanning
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.client import Client
from rclpy.node import Node
from visualization_msgs.msg import MarkerArray

from grasp_pose_net.exceptions import ConfigError, GraspPoseNetError, PlanningError
from grasp_pose_net.hand import Hand
from grasp_pose_net.models import robot_srdf, robot_urdf
from grasp_pose_net.nodes.messages.grasp_markers import grasp_markers
from grasp_pose_net.nodes.messages.grasps import candidate_message, grasp_message, pose_vector
from grasp_pose_net.nodes.messages.motion import ERROR_CODES, WORLD
from grasp_pose_net.nodes.messages.scene import MessageScenes
from grasp_pose_net.nodes.support.diagnostics import Diagnostics, Health
from grasp_pose_net.nodes.support.object_scene import ObjectScene, Target
from grasp_pose_net.nodes.support.parameters import declare
from grasp_pose_net.nodes.support.qos import LATCHED
from grasp_pose_net.nodes.support.runtime import run
from grasp_pose_net.planning import (
    GraspPlanner,
    NoGraspFound,
    Plan,
    PlannedGrasp,
    PlannerConfig,
    Ranked,
    Reach,
    ScenePlanner,
    best_of,
    rejections,
)
from grasp_pose_net.robot import MotionConfig, RobotModel
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.world import Array


@dataclass(frozen=True, kw_only=True)
class InferenceParameters:
    """Parameters of the inference node."""

    hand: str = field(default="shadow", metadata={"doc": "hand in models/hands/, or a path to a hand.yaml"})
    robot: str = field(
        default="ur10_shadow", metadata={"doc": "robot in models/robots/; empty: reach is not checked"}
    )
    robot_description: str = field(
        default="", metadata={"doc": "URDF or xacro file in place of the robot's own; empty: its own"}
    )
    robot_description_semantic: str = field(
        default="", metadata={"doc": "SRDF file in place of the robot's own; empty: its own"}
    )
    objects_topic: str = field(
        default="/perception/objects", metadata={"doc": "scene with targets and support"}
    )
    refine_timeout_s: float = field(
        default=10.0, metadata={"doc": "longest wait for refinement [s]", "range": (0.1, 600)}
    )
    planner: PlannerConfig = field(default_factory=PlannerConfig)
    motion: MotionConfig = field(default_factory=MotionConfig)


class InferenceNode(Node):
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
        self._reach = self._make_reach()
        self._planner = ScenePlanner(GraspPlanner(self._hand, self._config.planner), self._reach)
        self.get_logger().info(f"{self._planner.description}; compiling (some seconds the first time)")
        self._planner.warm_up()
        self._scene, self._scenes = ObjectScene(self, self._config.objects_topic), MessageScenes()
        # the answer of /refine_grasp must be taken while /plan_grasp is being served
        self._refine_client: Client = self.create_client(
            GraspPlanning, "/refine_grasp", callback_group=ReentrantCallbackGroup()
        )
        self._markers = self.create_publisher(MarkerArray, "~/grasps", LATCHED)
        self._health = Health("nothing has been planned yet")
        Diagnostics(self, {"grasp planning": lambda: self._health})
        self.create_service(
            GraspPlanning, "/plan_grasp", self._plan, callback_group=MutuallyExclusiveCallbackGroup()
        )

    def _make_reach(self) -> Reach | None:
        """The arm's checks, if there is an arm that carries the hand."""
        if not self._config.robot:
            return None
        robot = RobotModel(
            robot_urdf(self._config.robot_description or self._config.robot),
            robot_srdf(self._config.robot_description_semantic or self._config.robot),
        )
        try:
            return Reach(robot, self._hand, self._config.motion, self._config.planner)
        except ConfigError as error:
            self.get_logger().warning(f"what the arm can reach is not checked: {error}")
            return None

    def _plan(
        self, request: GraspPlanning.Request, response: GraspPlanning.Response
    ) -> GraspPlanning.Response:
        try:
            target, plan = self._best(request)
            response.grasps = self._messages(plan, target)
            code, text = MoveItErrorCodes.SUCCESS, f"{target.name}: {plan.summary()}"
            self.get_logger().info(text)
            if self.executor is not None:  # drawn once the answer is on its way: nobody plans with a picture
                self.executor.create_task(
                    self._show, response.grasps, target, self._planner.field(target.mesh)
                )
        except (GraspPoseNetError, ValueError) as error:
            code, text = error_code(error), str(error)
            self.get_logger().warning(text)
        response.error_code = MoveItErrorCodes(val=code, message=text, source=self.get_name())
        return response

    def _show(self, grasps: list[Grasp], target: Target, field: SignedDistanceField) -> None:
        self._markers.publish(grasp_markers(self._hand, grasps, target, field))

    def _best(self, request: GraspPlanning.Request) -> tuple[Target, Plan]:
        """The target with the best grasp, and its plan.

        Raises:
            NoGraspFound: no target has a grasp; the text is the first one's, /diagnostics has the last one's.
        """
        plans = []
        for target in self._scene.targets(request.target):
            plan = self._plan_target(request, target)
            plans.append((target, plan))
            self._report(target, plan)
        target, plan = best_of(plans)
        if not plan.grasps:
            raise NoGraspFound(plan)
        return target, plan

    def _plan_target(self, request: GraspPlanning.Request, target: Target) -> Plan:
        if self._reach and target.frame != WORLD:
            raise ValueError(
                f"target {target.name!r} is given in frame {target.frame!r}; the arm's reach is known in {WORLD!r}: "
                "give it there, or set parameter robot to nothing"
            )
        around = self._scenes.scene((*self._scene.objects.values(), *request.movable_obstacles), target.frame)
        return self._planner.plan(
            around,
            target.placed,
            request.support_surfaces,
            refine=lambda x: self._refined(x, target, request),
        )

    def _refined(self, x: Array, target: Target, request: GraspPlanning.Request) -> Ranked:
        """Candidates through ``/refine_grasp``.

        Raises:
            PlanningError: the service is not there, does not answer in time, or says why it cannot.
        """
        call = GraspPlanning.Request(
            group_name=request.group_name,
            support_surfaces=request.support_surfaces,
            movable_obstacles=request.movable_obstacles,
        )
        # by name and time: the node has the mesh from where this one has it
        call.target = request.target if request.target.meshes else CollisionObject(id=target.name)
        call.target.header.stamp = target.stamp
        call.candidate_grasps = [
            candidate_message(
                self._hand,
                pose,
                name=str(number),
                T_frame_object=target.T_frame_object,
                frame=target.frame,
                stamp=target.stamp,
            )
            for number, pose in enumerate(x)
        ]
        response = self._call_refinement(call)
        if response.error_code.val == MoveItErrorCodes.FAILURE:
            raise PlanningError(f"/refine_grasp refused: {response.error_code.message}")
        kept = response.grasps
        poses = [pose_vector(self._hand, grasp, target.T_frame_object) for grasp in kept]
        return Ranked(
            index=np.array([int(grasp.id) for grasp in kept], np.int64),
            x=np.array(poses).reshape(len(kept), self._hand.size),
            epsilon=np.array([grasp.grasp_quality for grasp in kept], float),
            rejected=rejections(response.error_code.message),
        )

    def _call_refinement(self, call: GraspPlanning.Request) -> GraspPlanning.Response:
        timeout = self._config.refine_timeout_s
        if not self._refine_client.wait_for_service(timeout_sec=timeout):
            raise PlanningError(
                f"/refine_grasp is not there after {timeout:g} s; is the refinement node running?"
            )
        done = threading.Event()
        future = self._refine_client.call_async(call)
        future.add_done_callback(lambda _: done.set())
        if not done.wait(timeout):
            self._refine_client.remove_pending_request(future)
            raise PlanningError(
                f"/refine_grasp did not answer within {timeout:g} s; see the refinement node's log"
            )
        return future.result()

    def _messages(self, plan: Plan, target: Target) -> list[Grasp]:
        return [
            self._message(grasp, target, f"{target.name}/{rank}") for rank, grasp in enumerate(plan.grasps)
        ]

    def _message(self, grasp: PlannedGrasp, target: Target, name: str) -> Grasp:
        return grasp_message(
            self._hand,
            grasp,
            self._config.planner,
            name=name,
            T_frame_object=target.T_frame_object,
            frame=target.frame,
            stamp=target.stamp,
        )

    def _report(self, target: Target, plan: Plan) -> None:
        """Reject counts and times on ``/diagnostics``."""
        level = DiagnosticStatus.OK if plan.grasps else DiagnosticStatus.WARN
        counts = {"candidates": plan.candidates, "grasps": len(plan.grasps), "not needed": plan.spare}
        times = {f"{stage} [s]": f"{seconds:.3f}" for stage, seconds in plan.seconds.items()}
        self._health = Health(f"{target.name}: {plan.summary()}", level, counts | plan.rejected | times)


def error_code(error: Exception) -> int:
    """Code of a failed request; where most candidates were lost to the arm it is the arm's."""
    if isinstance(error, NoGraspFound):
        for problem, code in ERROR_CODES.items():
            if problem is not None and problem.value == error.reason:
                return code
    return MoveItErrorCodes.PLANNING_FAILED


def main() -> None:
    """Start the node."""
    run(InferenceNode)


if __name__ == "__main__":
    main()
