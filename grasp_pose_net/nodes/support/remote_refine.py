"""The stage of refinement as the inference node runs it: by asking ``/refine_grasp``."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from moveit_msgs.msg import CollisionObject, MoveItErrorCodes
from moveit_msgs.srv import GraspPlanning
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.client import Client
from rclpy.node import Node

from grasp_pose_net.exceptions import PlanningError
from grasp_pose_net.hand import Hand
from grasp_pose_net.nodes.messages.basics import time_from_ns
from grasp_pose_net.nodes.messages.grasps import candidate_messages, pose_vectors
from grasp_pose_net.nodes.support.patience import Patience
from grasp_pose_net.planning import Batch, Context, Refine, Reject, reasons_from_json
from grasp_pose_net.world import Scene


class RemoteRefine:
    """A `planning.Stage`: pose vectors and ε come back from the refinement node, and why each of the others does not."""

    name = Refine.name

    def __init__(self, node: Node, hand: Hand, timeout_s: float) -> None:
        """Create the client; answers are taken while a request of the node's own is being served."""
        self._hand, self._timeout_s, self._clock = hand, timeout_s, node.get_clock()
        self._client: Client = node.create_client(
            GraspPlanning, "/refine_grasp", callback_group=ReentrantCallbackGroup()
        )
        self._request, self._frame = GraspPlanning.Request(), ""

    @contextmanager
    def serving(self, request: GraspPlanning.Request, scene: Scene) -> Iterator[None]:
        """Pass on what a request says of obstacles and supports, while it is served."""
        self._request, self._frame = request, scene.frame
        yield
        self._request = GraspPlanning.Request()

    def __call__(self, batch: Batch, context: Context) -> Batch:
        """See `Stage`.

        Raises:
            PlanningError: the service is not there, does not answer in time, or says why it cannot.
        """
        rows, target = batch.rows, context.target
        stamp = time_from_ns(target.stamp_ns)
        call = GraspPlanning.Request(
            group_name=self._request.group_name,
            support_surfaces=self._request.support_surfaces,
            movable_obstacles=self._request.movable_obstacles,
        )
        # by name and time: the node has the mesh from where this one has it
        call.target = self._request.target if self._request.target.meshes else CollisionObject(id=target.id)
        call.target.header.stamp = stamp
        ids = [str(number) for number in range(len(rows))]
        call.candidate_grasps = candidate_messages(
            self._hand, batch.x[rows], ids, target.T_world_object, self._frame, stamp
        )
        response = self._answer(call)
        if response.error_code.val == MoveItErrorCodes.FAILURE:
            raise PlanningError(f"/refine_grasp refused: {response.error_code.message}")
        kept = rows[[int(grasp.id) for grasp in response.grasps]]
        epsilon = np.array([grasp.grasp_quality for grasp in response.grasps])
        x = pose_vectors(self._hand, response.grasps, target.T_world_object)
        batch = batch.with_rows(kept, x=x, epsilon=epsilon, quality=epsilon)
        reasons = reasons_from_json(response.error_code.message)
        for reason in set(reasons) - {None}:
            assert isinstance(reason, Reject)
            batch = batch.rejected(rows[[one is reason for one in reasons]], reason)
        return batch

    def _answer(self, call: GraspPlanning.Request) -> GraspPlanning.Response:
        if not self._client.wait_for_service(timeout_sec=self._timeout_s):
            raise PlanningError(
                f"/refine_grasp is not there after {self._timeout_s:g} s; is the refinement node running?"
            )
        done = threading.Event()
        future = self._client.call_async(call)
        future.add_done_callback(lambda _: done.set())
        if not Patience(self._clock, self._timeout_s).wait(done):
            self._client.remove_pending_request(future)
            raise PlanningError(
                f"/refine_grasp did not answer within {self._timeout_s:g} s; see the refinement node's log"
            )
        return future.result()
