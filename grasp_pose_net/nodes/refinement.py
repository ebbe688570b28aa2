"""``/refine_grasp``: candidate grasps of a target come back without penetration, ranked by ε."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
from moveit_msgs.msg import Grasp, MoveItErrorCodes
from moveit_msgs.srv import GraspPlanning
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node

from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.hand import Hand
from grasp_pose_net.nodes.grasp_messages import candidate_message, pose_vector, rejection_text
from grasp_pose_net.nodes.parameters import declare
from grasp_pose_net.nodes.runtime import run
from grasp_pose_net.nodes.scene import ObjectScene, Target
from grasp_pose_net.refinement import refine_and_rank, warm_up
from grasp_pose_net.shapes import RUN_TIME_RESOLUTION, SignedDistanceField

CACHED_FIELDS = 8


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


class RefinementNode(Node):
    """Answers ``/refine_grasp``."""

    def __init__(self) -> None:
        """Load the hand, compile the kernel, offer the service."""
        super().__init__("refinement")
        self._config = declare(self, RefinementParameters)
        self._hand = Hand.load(self._config.hand)
        self._scene = ObjectScene(self, self._config.objects_topic)
        self._fields: OrderedDict[int, SignedDistanceField] = OrderedDict()
        self.get_logger().info("compiling the descent (some seconds the first time)")
        warm_up(self._hand)
        group = ReentrantCallbackGroup()
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
        response.error_code = MoveItErrorCodes(val=code, message=text, source=self.get_name())
        return response

    def _refined(self, request: GraspPlanning.Request) -> tuple[list[Grasp], str]:
        target = self._scene.targets(request.target)[0]
        plane = self._scene.support_plane(request.support_surfaces, target)
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
        refined = refine_and_rank(self._hand, self._field(target), x, plane=plane)
        grasps = [
            self._message(request.candidate_grasps[index], pose, epsilon, target)
            for index, pose, epsilon in zip(refined.index, refined.x, refined.epsilon, strict=True)
        ]
        return (
            grasps,
            f"{len(grasps)} of {len(x)} grasps of {target.name!r} refined; {rejection_text(refined.rejected)}",
        )

    def _field(self, target: Target) -> SignedDistanceField:
        """Distance field of the target; the same mesh is computed once."""
        key = hash(target.mesh)
        if key not in self._fields:
            self._fields[key] = SignedDistanceField.from_mesh(target.mesh, self._config.field_cells)
        self._fields.move_to_end(key)
        while len(self._fields) > CACHED_FIELDS:
            self._fields.popitem(last=False)
        return self._fields[key]

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
