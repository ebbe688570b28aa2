"""One view of each camera for a capture: clouds or depth images, matched by time, with TF at each view's own stamp.

Cameras are subscribed to for as long as a capture waits for them: clouds are megabytes, and a driver or a
simulation that nobody listens to need not make them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from grasp_pose_net.config import setting
from grasp_pose_net.exceptions import GraspPoseNetError, MessageError, PerceptionError
from grasp_pose_net.nodes.messages.basics import time_to_ns
from grasp_pose_net.nodes.messages.clouds import points_from_cloud, points_from_depth
from grasp_pose_net.nodes.support.frames import TransformBuffer
from grasp_pose_net.nodes.support.patience import Patience
from grasp_pose_net.nodes.support.qos import CLOUD, SENSOR
from grasp_pose_net.nodes.support.robot_view import RobotInView, ViewedRobotParameters
from grasp_pose_net.nodes.support.shared import WorldParameters
from grasp_pose_net.perception import PerceptionConfig, View
from grasp_pose_net.perception.matching import together

DISCOVERY_S = 0.5  # a node that has just started does not know of all publishers
AHEAD_S = 1.0  # /clock may lag behind the stamps of a simulation's clouds, but not by this
KEPT = 8  # messages of one camera that wait for those of the others


@dataclass(frozen=True, kw_only=True)
class PerceptionParameters(ViewedRobotParameters, WorldParameters):
    """Parameters of the perception node."""

    cameras: tuple[str, ...] = setting(
        ("camera_1",),
        doc=(
            "cameras; each publishes PointCloud2 on /<camera>/points, or Image on /<camera>/depth/image_rect_raw "
            "with CameraInfo on /<camera>/depth/camera_info"
        ),
    )
    input: str = setting(
        "auto",
        doc="points, depth, or auto: of each camera the clouds if somebody publishes them",
        choices=("auto", "points", "depth"),
    )
    cloud_timeout_s: float = setting(10.0, 0.1, 120, "longest wait for new views, on the node's clock [s]")
    view_spread_s: float = setting(0.2, 0, 60, "views of one moment are stamped within this time [s]")
    transform_timeout_s: float = setting(
        0.5, 0, 10, "longest wait for a view's transform, and for the joints at its stamp [s]"
    )
    scene: PerceptionConfig = field(default_factory=PerceptionConfig)

    def __post_init__(self) -> None:
        """Check names."""
        super().__post_init__()
        if not self.cameras or len(set(self.cameras)) < len(self.cameras):
            raise ValueError(f"cameras: expected different names, at least one, got {list(self.cameras)}")


class CameraViews:
    """Takes views for a node."""

    def __init__(self, node: Node, config: PerceptionParameters) -> None:
        """Listen to TF; to the cameras only in :meth:`take`."""
        self._node, self._config = node, config
        self._robot = RobotInView(node, config)
        self._transforms = TransformBuffer(node)
        # messages must come in while a capture waits for them
        self._reentrant = ReentrantCallbackGroup()

    def take(self) -> tuple[list[View], dict[str, str], Time]:
        """New views of one moment.

        Returns:
            The usable views, why each other camera has none, and when the latest view was stamped.

        Raises:
            PerceptionError: the robot's joints are not told.
        """
        with self._robot.listening():
            since = self._node.get_clock().now()
            with self._listening(_Inbox(self._config, since)) as (inbox, topics):
                Patience(self._node.get_clock(), self._config.cloud_timeout_s).wait(inbox.complete)
            chosen = inbox.chosen()
            views, left_out = [], {}
            for camera in self._config.cameras:
                try:
                    views.append(self._view(camera, inbox, chosen.get(camera), topics[camera]))
                except GraspPoseNetError as error:
                    left_out[camera] = str(error)
        return views, left_out, max((_stamp(m) for m in chosen.values()), key=_seconds, default=since)

    @contextmanager
    def _listening(self, inbox: _Inbox) -> Iterator[tuple[_Inbox, dict[str, str]]]:
        """Subscriptions that fill an inbox, and the topic of each camera."""
        subscriptions, topics = [], {}

        def subscribe(kind: type, topic: str, take: Callable) -> None:
            qos, options = self._qos(topic)
            subscriptions.append(
                self._node.create_subscription(
                    kind, topic, take, qos, callback_group=self._reentrant, qos_overriding_options=options
                )
            )

        clock, deadline = self._node.get_clock(), time.monotonic() + DISCOVERY_S
        for camera in self._config.cameras:
            topics[camera] = self._topic(camera, deadline)
            depth = topics[camera] == _depth_topic(camera)
            subscribe(Image if depth else PointCloud2, topics[camera], partial(inbox.take, camera, clock))
            if depth:
                subscribe(CameraInfo, _info_topic(camera), partial(inbox.learn, camera))
        try:
            yield inbox, topics
        finally:
            for subscription in subscriptions:
                self._node.destroy_subscription(subscription)

    def _topic(self, camera: str, deadline: float) -> str:
        """Where a camera's views come from: the first of its topics that somebody publishes."""
        points, depth = f"/{camera}/points", _depth_topic(camera)
        topics = {"auto": (points, depth), "points": (points,), "depth": (depth,)}[self._config.input]
        while True:
            if published := [topic for topic in topics if self._publishers(topic)]:
                return published[0]
            if time.monotonic() > deadline:
                return topics[0]
            time.sleep(0.02)

    def _publishers(self, topic: str) -> int:
        return self._node.count_publishers(self._node.resolve_topic_name(topic))

    def _qos(self, topic: str) -> tuple[QoSProfile, QoSOverridingOptions | None]:
        """Sensor data, but reliable where every publisher offers it: one lost part loses a whole cloud.

        What ``qos_overrides.<topic>.subscription.*`` says goes first.
        """
        resolved = self._node.resolve_topic_name(topic)
        if any(name.startswith(f"qos_overrides.{resolved}.") for name in self._node._parameter_overrides):
            sensor = qos_profile_sensor_data  # rclpy writes into the profile that it overrides
            own = QoSProfile(depth=sensor.depth, history=sensor.history, reliability=sensor.reliability)
            return own, QoSOverridingOptions.with_default_policies()
        publishers = self._node.get_publishers_info_by_topic(resolved)
        offers = [publisher.qos_profile.reliability for publisher in publishers]
        reliable = offers and all(offer == ReliabilityPolicy.RELIABLE for offer in offers)
        return (CLOUD if reliable else SENSOR), None

    def _view(self, camera: str, inbox: _Inbox, message: PointCloud2 | Image | None, topic: str) -> View:
        if message is None:
            reason = inbox.why_none(camera, topic)
            raise PerceptionError(f"{reason} ({self._publishers(topic)} publisher(s) there)")
        if not message.header.frame_id:
            raise PerceptionError(f"the view on {topic} has no frame_id")
        if isinstance(message, PointCloud2):
            points = points_from_cloud(message)
        elif camera in inbox.infos:
            points = points_from_depth(message, inbox.infos[camera])
        else:
            raise PerceptionError(f"no camera info on {_info_topic(camera)}")
        stamp, timeout_s = _stamp(message), self._config.transform_timeout_s
        frames = (self._config.world_frame, message.header.frame_id)
        T_world_camera = self._transforms.lookup(*frames, stamp, timeout_s)
        return View(camera, points, T_world_camera, self._robot.at(stamp, timeout_s))


class _Inbox:
    """What cameras have published since a capture began."""

    def __init__(self, config: PerceptionParameters, since: Time) -> None:
        """Empty."""
        self._config, self._since = config, since
        self._messages: dict[str, list[PointCloud2 | Image]] = {camera: [] for camera in config.cameras}
        self._refused: dict[str, str] = {}
        self._lock = threading.Lock()
        self.infos: dict[str, CameraInfo] = {}
        self.complete = threading.Event()

    def take(self, camera: str, clock: Clock, message: PointCloud2 | Image) -> None:
        """Keep a view that is neither older than the capture nor of the future."""
        began, now = _seconds(self._since), _seconds(clock.now())
        try:
            at = _seconds(_stamp(message))
        except MessageError as error:
            self._refused[camera] = str(error)
            return
        with self._lock:
            if at < began:
                self._refused[camera] = (
                    f"the last one is stamped {at:.3f} s, the capture began at {began:.3f} s"
                )
            elif at > now + AHEAD_S:
                self._refused[camera] = f"the last one is stamped {at:.3f} s, but it is {now:.3f} s"
            else:
                self._messages[camera] = [*self._messages[camera], message][-KEPT:]
        self._check()

    def learn(self, camera: str, info: CameraInfo) -> None:
        """Keep a camera's calibration."""
        self.infos[camera] = info
        self._check()

    def chosen(self) -> dict[str, PointCloud2 | Image]:
        """By camera, the views of one moment."""
        with self._lock:
            stamps = {c: [_seconds(_stamp(m)) for m in own] for c, own in self._messages.items()}
            group = together(stamps, self._config.view_spread_s)
            return {camera: self._messages[camera][i] for camera, i in group.items()}

    def why_none(self, camera: str, topic: str) -> str:
        """Why a camera has no view among the chosen."""
        if own := self._messages[camera]:
            others = sorted(_seconds(_stamp(m)) for m in self.chosen().values())
            return (
                f"its last view on {topic} is stamped {_seconds(_stamp(own[-1])):.3f} s, those of the other cameras "
                f"{others[0]:.3f} s: not within view_spread_s {self._config.view_spread_s:g} s"
            )
        reason = f"no new view on {topic} within {self._config.cloud_timeout_s:g} s"
        if camera in self._refused:
            reason += f"; {self._refused[camera]}: are the clocks in step?"
        return reason

    def _check(self) -> None:
        chosen = self.chosen()
        known = all(
            isinstance(message, PointCloud2) or camera in self.infos for camera, message in chosen.items()
        )
        if len(chosen) == len(self._config.cameras) and known:
            self.complete.set()


def _depth_topic(camera: str) -> str:
    return f"/{camera}/depth/image_rect_raw"


def _info_topic(camera: str) -> str:
    return f"/{camera}/depth/camera_info"


def _stamp(message: PointCloud2 | Image) -> Time:
    return Time(nanoseconds=time_to_ns(message.header.stamp), clock_type=ClockType.ROS_TIME)


def _seconds(stamp: Time) -> float:
    return stamp.nanoseconds * 1e-9
