"""``/refine_grasp``: candidate grasps of a target come back without penetration, ranked by ε."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from moveit_msgs.msg import CollisionObject, Grasp, MoveItErrorCodes
from moveit_msgs.srv import GraspPlanning
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node

from grasp_pose_net.exceptions import GraspPoseNetError, PlanningError
from grasp_pose_net.hand import Hand
from grasp_pose_net.nodes.messages.basics import stamp_seconds
from grasp_pose_net.nodes.messages.grasps import candidate_message, pose_vector
from grasp_pose_net.nodes.messages.scene import MessageScenes
from grasp_pose_net.nodes.support.diagnostics import Diagnostics, Health
from grasp_pose_net.nodes.support.object_scene import ObjectScene, Target
from grasp_pose_net.nodes.support.parameters import declare
from grasp_pose_net.nodes.support.runtime import run
from grasp_pose_net.planning import Fields, refine_and_rank, rejection_text, surroundings, warm_up
from grasp_pose_net.refinement import ObjectiveConfig
from grasp_pose_net.shapes import RUN_TIME_RESOLUTION

# A caller may have got the newest objects a little earlier than this node.
SCENE_WAIT_S = 2.0
POLL_S = 0.01


@dataclass(frozen=True, kw_only=True)
class RefinementParameters:
    """Parameters of the refinement node."""

    hand: str = field(default="shadow", metadata={"doc": "hand in models/hands/, or a path to a hand.yaml"})
    objects_topic: str = field(
        default="/perception/objects", metadata={"doc": "scene with targets and support"}
    )
    field_cells: int = field(
        default=RUN_TIME_RESOLUTION,
        metadata={"doc": "cells of the distance field per side", "range": (32, 256)},
    )
    descent: ObjectiveConfig = field(default_factory=ObjectiveConfig)


class RefinementNode(Node):
    """Answers ``/refine_grasp``."""

    def __init__(self) -> None:
        """Load the hand, compile the kernel, offer the service."""
        super().__init__("refinement")
        self._config = declare(self, RefinementParameters)
        self._hand = Hand.load(self._config.hand)
        self._descent = self._config.descent.refinement()
        self._scene = ObjectScene(self, self._config.objects_topic)
        self._messages, self._fields = MessageScenes(), Fields(self._config.field_cells)
        self.get_logger().info("compiling the descent (some seconds the first time)")
        warm_up(self._hand)
        # one request at a time: more would only share the same cores
        self._health = Health("nothing has been asked yet")
        Diagnostics(self, {"refinement": lambda: self._health})
        group = MutuallyExclusiveCallbackGroup()
        self.create_service(GraspPlanning, "/refine_grasp", self._refine, callback_group=group)

    def _refine(
        self, request: GraspPlanning.Request, response: GraspPlanning.Response
    ) -> GraspPlanning.Response:
        started = time.perf_counter()
        try:
            response.grasps, text = self._refined(request)
            code = MoveItErrorCodes.SUCCESS if response.grasps else MoveItErrorCodes.PLANNING_FAILED
        except (GraspPoseNetError, ValueError) as error:
            code, text = MoveItErrorCodes.FAILURE, str(error)
        text += f" ({1e3 * (time.perf_counter() - started):.0f} ms)"
        self.get_logger().info(text)
        self._health = Health(text, DiagnosticStatus.OK if response.grasps else DiagnosticStatus.WARN)
        response.error_code = MoveItErrorCodes(val=code, message=text, source=self.get_name())
        return response

    def _refined(self, request: GraspPlanning.Request) -> tuple[list[Grasp], str]:
        target = self._target(request.target)
        if not request.candidate_grasps:
            raise ValueError("candidate_grasps is empty; send the grasps to refine")
        for grasp in request.candidate_grasps:
            if grasp.grasp_pose.header.frame_id not in ("", target.frame):
                raise ValueError(
                    f"grasp {grasp.id!r} is given in frame {grasp.grasp_pose.header.frame_id!r}, "
                    f"its target in {target.frame!r}; give both in one frame"
                )
        x = np.stack(
            [pose_vector(self._hand, grasp, target.T_frame_object) for grasp in request.candidate_grasps]
        )
        around = self._messages.scene(
            (*self._scene.objects.values(), *request.movable_obstacles), target.frame
        )
        near = surroundings(around, target.placed, request.support_surfaces)
        refined = refine_and_rank(
            self._hand, self._fields[target.mesh], x, near.plane, near.obstacles, self._descent
        )
        grasps = [
            self._message(request.candidate_grasps[index], pose, epsilon, target)
            for index, pose, epsilon in zip(refined.index, refined.x, refined.epsilon, strict=True)
        ]
        return (
            grasps,
            f"{len(grasps)} of {len(x)} grasps of {target.name!r} refined; {rejection_text(refined.rejected)}",
        )

    def _target(self, asked: CollisionObject) -> Target:
        """The object asked for; one that is asked for by its id is waited for until it is as new as the caller's.

        Raises:
            PlanningError: there is no such object, or only an older or newer one.
        """
        if not asked.meshes and stamp_seconds(asked.header.stamp) > 0:
            deadline = time.monotonic() + SCENE_WAIT_S
            while not self._has(asked):
                if time.monotonic() > deadline:
                    raise PlanningError(
                        f"object {asked.id!r} as of {stamp_seconds(asked.header.stamp):.3f} s is not on "
                        f"{self._config.objects_topic}; ask for the newest, or send its mesh"
                    )
                time.sleep(POLL_S)
        return self._scene.targets(asked)[0]

    def _has(self, asked: CollisionObject) -> bool:
        entry = self._scene.objects.get(asked.id)
        return entry is not None and entry.header.stamp == asked.header.stamp

    def _message(self, candidate: Grasp, x: np.ndarray, epsilon: float, target: Target) -> Grasp:
        """The candidate with its pose and grasp posture replaced; approach and retreat stay."""
        message = candidate_message(
            self._hand,
            x,
            name=candidate.id,
            T_frame_object=target.T_frame_object,
            frame=target.frame,
            stamp=candidate.grasp_pose.header.stamp,
        )
        message.grasp_quality = float(epsilon)
        message.pre_grasp_posture = candidate.pre_grasp_posture
        message.pre_grasp_approach = candidate.pre_grasp_approach
        message.post_grasp_retreat = candidate.post_grasp_retreat
        return message


def main() -> None:
    """Start the node."""
    run(RefinementNode)


if __name__ == "__main__":
    main()
