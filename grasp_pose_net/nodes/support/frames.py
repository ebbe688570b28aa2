"""TF behind a small interface: what ``/tf`` and ``/tf_static`` say, checked, over the last seconds.

``lookup(a, b)`` is always ``T_a_b``: the pose of frame b in frame a.

Not ``tf2_ros``, which has no rule for stamps of another clock (one message from the far future and nothing newer is taken any
more) and none for two publishers that say different places of one fixed frame (the last one that was heard wins).
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, insort
from collections.abc import Callable, Container, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from rclpy.clock import JumpThreshold
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.time import Time
from scipy.spatial.transform import Rotation, Slerp
from tf2_msgs.msg import TFMessage

from grasp_pose_net.exceptions import GraspPoseNetError, MessageError, PlanningError
from grasp_pose_net.nodes.messages.basics import stamp_seconds, transform_from_message, transform_stamped
from grasp_pose_net.nodes.support.qos import LATCHED
from grasp_pose_net.world import Array, inverse_transform

HISTORY_S = 10.0
AHEAD_S = 10.0  # a localiser stamps a second ahead; what is farther ahead is of another clock
BACK_S = 1.0  # a clock that goes back by this has begun again
MOST_FRAMES, MOST_STAMPS = 10_000, 20_000
SAME_M, SAME_RAD = 1e-4, 1e-3  # two publishers of one fixed frame that differ by less say the same
WARN_EVERY_S = 60.0  # of one frame

STATIC = QoSProfile(depth=100, durability=LATCHED.durability, reliability=LATCHED.reliability)

Claim = tuple[str, Array]  # parent and T_parent_child


class FrameGraph:
    """Poses of frames over time, without ROS: what was said on ``/tf`` and ``/tf_static``."""

    def __init__(self, living: Callable[[], Container[Hashable]] | None = None) -> None:
        """Start without any frame; ``living`` tells which sources of fixed frames are there still."""
        self._lock = threading.Lock()
        self._living = living or (lambda: ())
        self._moving: dict[
            str, tuple[str, list[float], dict[float, Array]]
        ] = {}  # child -> parent, stamps, poses
        self._fixed: dict[str, dict[Hashable, Claim]] = {}  # child -> by source, the newest last

    def add(
        self,
        parent: str,
        child: str,
        T_parent_child: Array,
        stamp: float,
        static: bool,
        source: Hashable = None,
        now: float = 0.0,
    ) -> None:
        """Store one pose of ``child`` in ``parent``.

        Args:
            parent: name of the frame in which it is.
            child: name of the frame.
            T_parent_child: (4, 4) its pose.
            stamp: when it was there [s].
            static: it is there always.
            source: who says so; a fixed frame is where its newest source says, unless two living ones differ.
            now: the clock [s]; 0 where it has not begun.

        Raises:
            MessageError: a name is empty, both are one, the stamp is of another clock, or there are too many frames.
        """
        parent, child = parent.removeprefix("/"), child.removeprefix("/")
        if not parent or not child:
            raise MessageError("a transform without the names of both frames")
        if parent == child:
            raise MessageError("a frame in itself")
        with self._lock:
            if child not in self._moving and child not in self._fixed and len(self._known) >= MOST_FRAMES:
                raise MessageError(f"there are {MOST_FRAMES} frames already")
            if static:
                claims = self._fixed.setdefault(child, {})
                claims.pop(source, None)  # the newest last
                claims[source] = (parent, T_parent_child)
                return
            if child in self._fixed:
                raise MessageError("it is fixed on /tf_static, which counts")
            if now and stamp > now + AHEAD_S:
                raise MessageError(f"stamped {stamp:.3f} s, but it is {now:.3f} s; are the clocks in step?")
            before, stamps, poses = self._moving.get(child, (parent, [], {}))
            if before != parent or (now and stamps and stamps[-1] > now + AHEAD_S):  # the clock was set back
                stamps, poses = [], {}
            if stamp not in poses:
                insort(stamps, stamp)
            poses[stamp] = T_parent_child
            while stamps[-1] - stamps[0] > HISTORY_S or len(stamps) > MOST_STAMPS:
                del poses[stamps.pop(0)]
            self._moving[child] = (parent, stamps, poses)

    def begin_again(self) -> None:
        """Forget where moving frames were: the clock has gone back."""
        with self._lock:
            self._moving.clear()

    def lookup(self, a: str, b: str, stamp: float | None) -> Array:
        """``T_a_b`` (4, 4) at ``stamp`` seconds, the latest where it is None.

        Raises:
            PlanningError: a frame is unknown, the two are not connected, the frames form a loop, two publishers differ about a
                frame, or the stamp lies outside the history.
        """
        a, b = a.removeprefix("/"), b.removeprefix("/")
        with self._lock:
            T_root_a, root_a = self._to_root(a, stamp)
            T_root_b, root_b = self._to_root(b, stamp)
            known = sorted(self._known)
        if root_a != root_b:
            more = f" and {len(known) - 20} more" if len(known) > 20 else ""
            raise PlanningError(
                f"no transform between {a!r} and {b!r}; frames on /tf: {', '.join(known[:20]) or 'none'}{more}"
            )
        return inverse_transform(T_root_a) @ T_root_b

    @property
    def _known(self) -> set[str]:
        parents = {parent for parent, _, _ in self._moving.values()}
        parents |= {parent for claims in self._fixed.values() for parent, _ in claims.values()}
        return parents | self._moving.keys() | self._fixed.keys()

    def _to_root(self, frame: str, stamp: float | None) -> tuple[Array, str]:
        way = self._way(frame)
        T_root_frame = np.eye(4)
        for child in way[:-1]:
            if child in self._fixed:
                _, T_parent_child = self._place(child)
            else:
                _, stamps, poses = self._moving[child]
                T_parent_child = _at(stamps, poses, stamp, child)
            T_root_frame = T_parent_child @ T_root_frame
        return T_root_frame, way[-1]

    def _way(self, frame: str) -> list[str]:
        """Frames from one to its root."""
        way = {frame: None}  # a dictionary keeps the order
        while frame in self._fixed or frame in self._moving:
            frame = self._place(frame)[0] if frame in self._fixed else self._moving[frame][0]
            if frame in way:
                loop = list(way)[list(way).index(frame) :]
                raise PlanningError(
                    f"the frames {', '.join(sorted(loop)[:10])} form a loop; a calibration was published in both directions?"
                )
            way[frame] = None
        return list(way)

    def _place(self, frame: str) -> Claim:
        """Where a fixed frame is."""
        claims = self._fixed[frame]
        newest = next(reversed(claims.values()))
        if all(_agree(newest, claim) for claim in claims.values()):
            return newest
        living = self._living()
        there = [claim for source, claim in claims.items() if source in living]
        for claim in there[:-1]:
            if not _agree(there[-1], claim):
                raise PlanningError(
                    f"two publishers on /tf_static differ about {frame!r}: {_text(claim)}, and {_text(there[-1])}; stop one"
                )
        return there[-1] if there else newest


def _agree(one: Claim, other: Claim) -> bool:
    turn = Rotation.from_matrix(one[1][:3, :3].T @ other[1][:3, :3]).magnitude()
    apart = np.linalg.norm(one[1][:3, 3] - other[1][:3, 3])
    return bool(one[0] == other[0] and apart <= SAME_M and turn <= SAME_RAD)


def _text(claim: Claim) -> str:
    parent, T_parent_child = claim
    turn = np.degrees(Rotation.from_matrix(T_parent_child[:3, :3]).magnitude())
    return f"at {np.round(T_parent_child[:3, 3], 4).tolist()} m, turned by {turn:.1f}°, in {parent!r}"


def _at(stamps: Sequence[float], poses: Mapping[float, Array], stamp: float | None, frame: str) -> Array:
    """Pose at a stamp, interpolated between its neighbours."""
    if stamp is None:
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
        self._node, self._warned = node, dict[str, float]()
        self._graph = FrameGraph(self._publishers)
        node.create_subscription(
            TFMessage, "/tf", lambda message: self._take(message, None, False), QoSProfile(depth=100)
        )
        node.create_subscription(
            TFMessage, "/tf_static", lambda message, info: self._take(message, info, True), STATIC
        )
        back = JumpThreshold(min_forward=None, min_backward=Duration(seconds=-BACK_S), on_clock_change=True)
        self._jump = node.get_clock().create_jump_callback(back, post_callback=self._begin_again)

    def lookup(self, a: str, b: str, at: Time | None = None, timeout_s: float = 0.0) -> Array:
        """``T_a_b`` (4, 4): the pose of frame ``b`` in frame ``a`` at a time (None: the latest).

        Waits up to ``timeout_s`` for it; call from a thread other than the only one that spins.

        Raises:
            PlanningError: there is no such transform; the text names the frames.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return self._graph.lookup(a, b, None if at is None else at.nanoseconds * 1e-9)
            except PlanningError:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(0.01)

    def _take(self, message: TFMessage, info: Any, static: bool) -> None:
        now = self._node.get_clock().now().nanoseconds * 1e-9
        source = (info or {}).get("publisher_gid")
        for stamped in message.transforms:
            try:
                self._graph.add(
                    stamped.header.frame_id,
                    stamped.child_frame_id,
                    transform_from_message(stamped.transform),
                    stamp_seconds(stamped.header.stamp),
                    static,
                    bytes(source["data"]) if source else None,
                    now,
                )
            except GraspPoseNetError as error:
                self._warn(stamped.child_frame_id, error)

    def _warn(self, child: str, error: Exception) -> None:
        """Say that a transform is ignored, not with every message."""
        now = time.monotonic()
        if now - self._warned.get(child, -WARN_EVERY_S) >= WARN_EVERY_S and len(self._warned) < MOST_FRAMES:
            self._warned[child] = now
            self._node.get_logger().warning(f"the transform of {child!r} is ignored: {error}")

    def _publishers(self) -> set[bytes]:
        return {
            bytes(publisher.endpoint_gid)
            for publisher in self._node.get_publishers_info_by_topic("/tf_static")
        }

    def _begin_again(self, jump: object) -> None:
        self._graph.begin_again()


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
