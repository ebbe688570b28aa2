"""``/plan_grasp``: ranked grasps of a perceived object, refined through ``/refine_grasp`` and within the arm's reach."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from moveit_msgs.msg import Grasp, MoveItErrorCodes
from moveit_msgs.srv import GraspPlanning
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.client import Client
from rclpy.node import Node
from visualization_msgs.msg import MarkerArray

from grasp_pose_net.exceptions import GraspPoseNetError, PlanningError
from grasp_pose_net.execution import MotionConfig
from grasp_pose_net.geometry import Array
from grasp_pose_net.hand import Hand
from grasp_pose_net.inference import (
    GraspPlanner,
    Plan,
    PlannedGrasp,
    PlannerConfig,
    Reachable,
    explain_failure,
)
from grasp_pose_net.nodes.grasp_markers import grasp_markers
from grasp_pose_net.nodes.grasp_messages import (
    candidate_message,
    grasp_message,
    pose_vector,
    rejections,
)
from grasp_pose_net.nodes.parameters import declare
from grasp_pose_net.nodes.qos import LATCHED
from grasp_pose_net.nodes.reach import Reach
from grasp_pose_net.nodes.runtime import run
from grasp_pose_net.nodes.scene import ObjectScene, Target
from grasp_pose_net.refinement import Ranked
from grasp_pose_net.shapes import SignedDistanceField


@dataclass(frozen=True, kw_only=True)
class InferenceParameters:
    """Parameters of the inference node."""

    hand: str = field(default="shadow", metadata={"doc": "hand in models/hands/, or a path to a hand.yaml"})
    robot: str = field(
        default="ur10_shadow", metadata={"doc": "robot in models/robots/; empty: reach is not checked"}
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
        """Load hand, network and robot, and offer the service."""
        super().__init__("inference")
        self._config = declare(self, InferenceParameters)
        self._hand = Hand.load(self._config.hand)
        self._planner = GraspPlanner(self._hand, self._config.planner)
        self._planner.warm_up()
        self._scene = ObjectScene(self, self._config.objects_topic)
        self._reach = Reach(self._config.robot, self._config.motion) if self._config.robot else None
        # the answer of /refine_grasp must be taken while /plan_grasp is being served
        self._refine_client: Client = self.create_client(
            GraspPlanning, "/refine_grasp", callback_group=ReentrantCallbackGroup()
        )
        self._markers = self.create_publisher(MarkerArray, "~/grasps", LATCHED)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_service(
            GraspPlanning, "/plan_grasp", self._plan, callback_group=MutuallyExclusiveCallbackGroup()
        )

    def _plan(
        self, request: GraspPlanning.Request, response: GraspPlanning.Response
    ) -> GraspPlanning.Response:
        try:
            target, plan, seconds = self._best(request)
            response.grasps = self._messages(plan, target)
            self._markers.publish(grasp_markers(self._hand, response.grasps, target))
            text = f"{target.name}: {plan.summary()}; plan {1e3 * seconds:.0f} ms"
            code = MoveItErrorCodes.SUCCESS
            self.get_logger().info(text)
        except (GraspPoseNetError, ValueError) as error:
            code, text = MoveItErrorCodes.PLANNING_FAILED, str(error)
            self.get_logger().warning(text)
        response.error_code = MoveItErrorCodes(val=code, message=text, source=self.get_name())
        return response

    def _best(self, request: GraspPlanning.Request) -> tuple[Target, Plan, float]:
        """The target with the best grasp, its plan, and the seconds that its planning took."""
        targets = self._scene.targets(request.target)
        plans = []
        for target in targets:
            started = time.perf_counter()
            plan = self._plan_target(request, target)
            plans.append((target, plan, time.perf_counter() - started))
            self._report(target, plan)
        best = max(plans, key=lambda entry: entry[1].grasps[0].epsilon if entry[1].grasps else -1.0)
        if not best[1].grasps:
            raise explain_failure(best[1])
        return best

    def _plan_target(self, request: GraspPlanning.Request, target: Target) -> Plan:
        started = time.perf_counter()
        distance = SignedDistanceField.from_mesh(target.mesh, self._config.planner.field_cells)
        field_s = time.perf_counter() - started
        plan = self._planner.plan(
            distance,
            plane=self._scene.support_plane(request.support_surfaces, target),
            refine=lambda x: self._refined(x, target, request),
            reachable=self._reachable(request, target),
        )
        plan.seconds["field"] = field_s
        return plan

    def _reachable(self, request: GraspPlanning.Request, target: Target) -> Reachable | None:
        """The arm's check of one grasp in the scene of this request."""
        if self._reach is None:
            return None
        reach = self._reach
        objects = self._scene.objects
        supports = tuple(request.support_surfaces) or tuple(
            name for name, o in objects.items() if o.primitives
        )
        objects.update({obstacle.id: obstacle for obstacle in request.movable_obstacles})
        if target.name not in objects:
            objects[target.name] = request.target
        motion = reach.motion(objects.values(), target.name, supports)
        return lambda grasp: reach.reason(motion, self._message(grasp, target, "candidate"))

    def _refined(self, x: Array, target: Target, request: GraspPlanning.Request) -> Ranked:
        """Candidates through ``/refine_grasp``.

        Raises:
            PlanningError: the service is not there, does not answer in time, or says why it cannot.
        """
        call = GraspPlanning.Request(group_name=request.group_name, support_surfaces=request.support_surfaces)
        call.target = self._scene.objects.get(target.name, request.target)
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
        """Reject counts on ``/diagnostics``."""
        level = DiagnosticStatus.OK if plan.grasps else DiagnosticStatus.WARN
        values = {"candidates": plan.candidates, "grasps": len(plan.grasps), **plan.rejected}
        status = DiagnosticStatus(
            level=level,
            name=f"{self.get_name()}: grasp planning",
            message=f"{target.name}: {plan.summary()}",
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)


def main() -> None:
    """Start the node."""
    run(InferenceNode)


if __name__ == "__main__":
    main()
