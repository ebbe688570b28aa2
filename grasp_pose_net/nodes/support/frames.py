"""TF behind a small interface: ``tf2_ros`` where a ROS installation has it, else our own reader of ``/tf``.

``lookup(a, b)`` is always ``T_a_b``: the pose of frame b in frame a.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, insort
from collections.abc import Sequence

import numpy as np
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.time import Time
from scipy.spatial.transform import Rotation, Slerp
from tf2_msgs.msg import TFMessage

from grasp_pose_net.exceptions import PlanningError
from grasp_pose_net.nodes.messages.basics import stamp_seconds, transform_from_message, transform_stamped
from grasp_pose_net.nodes.support.qos import LATCHED
from grasp_pose_net.world import Array, inverse_transform

try:
    import tf2_ros
except ImportError:
    tf2_ros = None

HISTORY_S = 10.0


class FrameGraph:
    """Poses of frames over time, without ROS: what was said on ``/tf`` and ``/tf_static``."""

    def __init__(self) -> None:
        """Start without any frame."""
        self._lock = threading.Lock()
        # child -> (parent, stamps, poses); one entry with stamp -inf marks a static frame
        self._edges: dict[str, tuple[str, list[float], dict[float, Array]]] = {}

    def add(self, parent: str, child: str, T_parent_child: Array, stamp: float, static: bool) -> None:
        """Store one pose of ``child`` in ``parent`` at ``stamp`` seconds."""
        stamp = -np.inf if static else stamp
        with self._lock:
            known, stamps, poses = self._edges.get(child, (parent, [], {}))
            if known != parent:
                stamps, poses = [], {}
            if stamp not in poses:
                insort(stamps, stamp)
            poses[stamp] = T_parent_child
            while stamps[-1] - stamps[0] > HISTORY_S and len(stamps) > 1:
                del poses[stamps.pop(0)]
            self._edges[child] = (parent, stamps, poses)

    def lookup(self, a: str, b: str, stamp: float | None) -> Array:
        """``T_a_b`` (4, 4) at ``stamp`` seconds, the latest where it is None.

        Raises:
            PlanningError: a frame is unknown, the two are not connected, or the stamp lies outside the history.
        """
        with self._lock:
            T_root_a, root_a = self._to_root(a, stamp)
            T_root_b, root_b = self._to_root(b, stamp)
            known = sorted(set(self._edges) | {edge[0] for edge in self._edges.values()})
        if root_a != root_b:
            raise PlanningError(
                f"no transform between {a!r} and {b!r}; frames on /tf: {', '.join(known) or 'none'}"
            )
        return inverse_transform(T_root_a) @ T_root_b

    def _to_root(self, frame: str, stamp: float | None) -> tuple[Array, str]:
        T_root_frame = np.eye(4)
        while frame in self._edges:
            parent, stamps, poses = self._edges[frame]
            T_root_frame = _at(stamps, poses, stamp, frame) @ T_root_frame
            frame = parent
        return T_root_frame, frame


def _at(stamps: Sequence[float], poses: dict[float, Array], stamp: float | None, frame: str) -> Array:
    """Pose at a stamp, interpolated between its neighbours."""
    if stamp is None or stamps[0] == -np.inf:
        return poses[stamps[-1]]
    if not stamps[0] <= stamp <= stamps[-1]:
        raise PlanningError(
            f"transform of {frame!r} asked at {stamp:.3f} s, known from {stamps[0]:.3f} s to {stamps[-1]:.3f} s"
        )
    after = bisect_left(stamps, stamp)
    if stamps[after] == stamp:
        return poses[stamp]
    s0, s1 = stamps[after - 1], stamps[after]
    T = np.eye(4)
    ratio = (stamp - s0) / (s1 - s0)
    T[:3, 3] = (1 - ratio) * poses[s0][:3, 3] + ratio * poses[s1][:3, 3]
    ends = Rotation.from_matrix(np.stack([poses[s0][:3, :3], poses[s1][:3, :3]]))
    T[:3, :3] = Slerp([s0, s1], ends)([stamp])[0].as_matrix()
    return T


class TransformBuffer:
    """Listens to TF for a node."""

    def __init__(self, node: Node) -> None:
        """Subscribe to ``/tf`` and ``/tf_static``."""
        if tf2_ros is not None:
            self._buffer = tf2_ros.Buffer()
            self._listener = tf2_ros.TransformListener(self._buffer, node)
            return
        self._graph = FrameGraph()
        node.create_subscription(TFMessage, "/tf", lambda m: self._take(m, False), QoSProfile(depth=100))
        static = QoSProfile(depth=100, durability=LATCHED.durability, reliability=LATCHED.reliability)
        node.create_subscription(TFMessage, "/tf_static", lambda m: self._take(m, True), static)

    def lookup(self, a: str, b: str, at: Time | None = None, timeout_s: float = 0.0) -> Array:
        """``T_a_b`` (4, 4): the pose of frame ``b`` in frame ``a`` at a time (None: the latest).

        Waits up to ``timeout_s`` for it; call from a thread other than the only one that spins.

        Raises:
            PlanningError: there is no such transform; the text names the frames.
        """
        if tf2_ros is not None:
            try:
                stamped = self._buffer.lookup_transform(a, b, at or Time(), Duration(seconds=timeout_s))
            except tf2_ros.TransformException as error:
                raise PlanningError(f"no transform between {a!r} and {b!r}: {error}") from error
            return transform_from_message(stamped.transform)
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return self._graph.lookup(a, b, None if at is None else at.nanoseconds * 1e-9)
            except PlanningError:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(0.01)

    def _take(self, message: TFMessage, static: bool) -> None:
        for stamped in message.transforms:
            self._graph.add(
                stamped.header.frame_id,
                stamped.child_frame_id,
                transform_from_message(stamped.transform),
                stamp_seconds(stamped.header.stamp),
                static,
            )


class TransformBroadcaster:
    """Says poses of frames on ``/tf`` and ``/tf_static``."""

    def __init__(self, node: Node) -> None:
        """Create both publishers."""
        self._node = node
        self._statics: dict[str, object] = {}
        self._dynamic_publisher = node.create_publisher(TFMessage, "/tf", QoSProfile(depth=100))
        self._static_publisher = node.create_publisher(TFMessage, "/tf_static", LATCHED)

    def send(self, transforms: Sequence[tuple[str, str, Array]], stamp: Time) -> None:
        """Publish moving frames: (a, b, T_a_b) each."""
        stamped = [transform_stamped(a, b, T_a_b, stamp.to_msg()) for a, b, T_a_b in transforms]
        self._dynamic_publisher.publish(TFMessage(transforms=stamped))

    def send_static(self, transforms: Sequence[tuple[str, str, Array]]) -> None:
        """Publish fixed frames: (a, b, T_a_b) each; earlier ones stay."""
        stamp = self._node.get_clock().now().to_msg()
        self._statics.update({b: transform_stamped(a, b, T_a_b, stamp) for a, b, T_a_b in transforms})
        self._static_publisher.publish(TFMessage(transforms=list(self._statics.values())))
