"""The stage of refinement as the inference node runs it: by asking ``/refine_grasp``."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

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
from grasp_pose_net.world import Array, Scene, finite


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
        try:
            yield
        finally:
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
        kept, x, epsilon, reasons = refined(response, self._hand, len(rows), target.T_world_object)
        batch = batch.with_rows(rows[kept], x=x, epsilon=epsilon, quality=epsilon)
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


def refined(
    response: GraspPlanning.Response, hand: Hand, asked: int, T_frame_object: Array
) -> tuple[list[int], Array, Array, list[Reject | None]]:
    """What an answer of ``/refine_grasp`` says of the candidates that were sent.

    Args:
        response: the answer; ids are the candidates' numbers.
        hand: the hand.
        asked: how many were sent.
        T_frame_object: (4, 4) pose of the target in the frame of the request.

    Returns:
        Numbers of those that are left, their pose vectors (B, D) and ε (B,), and of each candidate why it was rejected.

    Raises:
        PlanningError: the answer is none to what was asked.
        GraspPoseNetError: a grasp of it is broken.
    """
    ids = [grasp.id for grasp in response.grasps]
    numbers = {str(number): number for number in range(asked)}
    try:
        reasons = reasons_from_json(response.error_code.message)
    except ValueError as error:
        raise PlanningError(f"/refine_grasp did not answer as it must: {error}") from error
    if len(set(ids)) < len(ids) or not numbers.keys() >= set(ids) or len(reasons) != asked:
        raise PlanningError(
            f"/refine_grasp answered with {len(ids)} grasps and {len(reasons)} reasons to {asked} candidates, not with the "
            "ids that were sent; is its node of another version?"
        )
    epsilon = finite([grasp.grasp_quality for grasp in response.grasps], "/refine_grasp: quality", (None,))
    return [numbers[id] for id in ids], pose_vectors(hand, response.grasps, T_frame_object), epsilon, reasons
