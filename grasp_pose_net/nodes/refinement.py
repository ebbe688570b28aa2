"""``/refine_grasp``: candidate grasps of a target come back without penetration, ranked by ε."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from moveit_msgs.msg import CollisionObject, Grasp, MoveItErrorCodes
from moveit_msgs.srv import GraspPlanning
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup

from grasp_pose_net.config import setting
from grasp_pose_net.exceptions import GraspPoseNetError, MessageError, PlanningError
from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.inference import SAMPLED
from grasp_pose_net.nodes.messages.basics import time_from_ns, time_to_ns
from grasp_pose_net.nodes.messages.grasps import candidate_messages, pose_vectors
from grasp_pose_net.nodes.support.diagnostics import Diagnostics, Health
from grasp_pose_net.nodes.support.guarded_node import GuardedNode
from grasp_pose_net.nodes.support.object_scene import ObjectScene
from grasp_pose_net.nodes.support.parameters import declare
from grasp_pose_net.nodes.support.patience import Patience
from grasp_pose_net.nodes.support.runtime import run
from grasp_pose_net.nodes.support.shared import HandParameters, SceneParameters
from grasp_pose_net.planning import (
    Account,
    Batch,
    Context,
    Fields,
    GraspPlanner,
    Judge,
    PlannerConfig,
    Refine,
    surroundings,
    to_json,
)
from grasp_pose_net.planning import run as run_stages
from grasp_pose_net.refinement import ObjectiveConfig
from grasp_pose_net.shapes import RUN_TIME_RESOLUTION
from grasp_pose_net.world import Scene, SceneObject

# A caller may have got the newest objects a little earlier than this node.
SCENE_WAIT_S = 6.0  # a scene may be prepared by one node while the other still compiles
POLL_S = 0.002


@dataclass(frozen=True, kw_only=True)
class RefinementParameters(HandParameters, SceneParameters):
    """Parameters of the refinement node."""

    field_cells: int = setting(RUN_TIME_RESOLUTION, 32, 256, "cells of the distance field per side")
    descent: ObjectiveConfig = field(default_factory=ObjectiveConfig)


class RefinementNode(GuardedNode):
    """Answers ``/refine_grasp`` with the stages of refinement and judgement of a plan."""

    def __init__(self) -> None:
        """Load the hand, compile the kernel, offer the service."""
        super().__init__("refinement")
        self._config = declare(self, RefinementParameters)
        self._hand = Hand.load(self._config.hand)
        self._kinematics, self._fields = Kinematics(self._hand), Fields(self._config.field_cells)
        self._stages = (Refine(self._config.descent.refinement()), Judge())
        self.get_logger().info("compiling the descent (some seconds the first time)")
        GraspPlanner(self._hand, PlannerConfig(network=SAMPLED, tries=1)).warm_up()
        self._scene = ObjectScene(self, self._config, self._prepare)
        self._health = Health("nothing has been asked yet")
        Diagnostics(self, {"refinement": lambda: self._health})
        # one request at a time: more would only share the same cores
        group = MutuallyExclusiveCallbackGroup()
        self.create_service(GraspPlanning, "/refine_grasp", self._refine, callback_group=group)

    def _prepare(self, scene: Scene) -> None:
        for target in scene.targets:
            self._fields[target.mesh]

    def _refine(
        self, request: GraspPlanning.Request, response: GraspPlanning.Response
    ) -> GraspPlanning.Response:
        started = time.perf_counter()
        try:
            target, batch, text = self._refined(request)
            response.grasps = self._messages(request, target, batch)
            code, message = MoveItErrorCodes.SUCCESS, to_json(text, batch)
            if not response.grasps:
                code = MoveItErrorCodes.PLANNING_FAILED
        except GraspPoseNetError as error:
            code, text = MoveItErrorCodes.FAILURE, str(error)
            message = text
        text += f" ({1e3 * (time.perf_counter() - started):.0f} ms)"
        self.get_logger().info(text)
        self._health = Health(text, DiagnosticStatus.OK if response.grasps else DiagnosticStatus.WARN)
        response.error_code = MoveItErrorCodes(val=code, message=message, source=self.get_name())
        return response

    def _refined(self, request: GraspPlanning.Request) -> tuple[SceneObject, Batch, str]:
        self._wait_for(request.target)
        scene, (target, *others) = self._scene.around(request.target, request.movable_obstacles)
        if others:
            raise MessageError("target has no id and no mesh; name the object that the grasps are for")
        if not request.candidate_grasps:
            raise MessageError("candidate_grasps is empty; send the grasps to refine")
        for grasp in request.candidate_grasps:
            if grasp.grasp_pose.header.frame_id not in ("", scene.frame):
                raise MessageError(
                    f"grasp {grasp.id!r} is given in frame {grasp.grasp_pose.header.frame_id!r}, "
                    f"its target in {scene.frame!r}; give both in one frame"
                )
        x = pose_vectors(self._hand, request.candidate_grasps, target.T_world_object)
        context = Context(
            hand=self._hand,
            kinematics=self._kinematics,
            target=target,
            field=self._fields[target.mesh],
            near=surroundings(scene, target, request.support_surfaces),
            rng=np.random.default_rng(0),  # these stages draw nothing
        )
        batch = run_stages(self._stages, Batch.of(x), context)
        left = int(batch.alive.sum())
        return (
            target,
            batch,
            f"{left} of {len(x)} grasps of {target.id!r} refined; {Account.of(batch, context.seconds).text()}",
        )

    def _wait_for(self, asked: CollisionObject) -> None:
        """Wait until an object that is asked for by its id is as new as the caller's.

        Raises:
            PlanningError: there is only an older or newer one.
        """
        stamp = time_to_ns(asked.header.stamp)
        if asked.meshes or stamp <= 0:
            return
        patience = Patience(self.get_clock(), SCENE_WAIT_S)
        while asked.id not in self._scene.scene or self._scene.scene[asked.id].stamp_ns != stamp:
            if patience.over:
                raise PlanningError(
                    f"object {asked.id!r} as of {1e-9 * stamp:.3f} s is not on "
                    f"{self._config.objects_topic}; ask for the newest, or send its mesh"
                )
            time.sleep(POLL_S)

    def _messages(self, request: GraspPlanning.Request, target: SceneObject, batch: Batch) -> list[Grasp]:
        """The candidates that are left, the best first, with other pose and grasp posture; approach and retreat stay."""
        rows = batch.best()
        given = [request.candidate_grasps[row] for row in rows]
        frame = request.target.header.frame_id if request.target.meshes else self._config.world_frame
        messages = candidate_messages(
            self._hand,
            batch.x[rows],
            [grasp.id for grasp in given],
            target.T_world_object,
            frame,
            time_from_ns(target.stamp_ns),
        )
        for message, candidate, quality in zip(messages, given, batch.quality[rows].tolist(), strict=True):
            message.grasp_quality = quality
            message.pre_grasp_posture = candidate.pre_grasp_posture
            message.pre_grasp_approach = candidate.pre_grasp_approach
            message.post_grasp_retreat = candidate.post_grasp_retreat
        return messages


def main() -> None:
    """Start the node."""
    run(RefinementNode)


if __name__ == "__main__":
    main()
