"""``~/capture``: a new cloud of every camera → the objects on the table, as a planning scene.

Cameras are subscribed to for as long as a capture waits for them: clouds are megabytes, and a driver or a
simulation that nobody listens to need not make them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from builtin_interfaces.msg import Time as TimeMessage
from moveit_msgs.msg import PlanningSceneWorld
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from sensor_msgs.msg import PointCloud2
from std_srvs.srv import Trigger

from grasp_pose_net.exceptions import GraspPoseNetError, PerceptionError
from grasp_pose_net.geometry import transform_points
from grasp_pose_net.nodes.messages import (
    box_object,
    coloured_cloud_message,
    mesh_object,
    points_from_cloud,
    xyz_cloud_message,
)
from grasp_pose_net.nodes.parameters import declare
from grasp_pose_net.nodes.qos import CLOUD, LATCHED, SENSOR
from grasp_pose_net.nodes.runtime import run
from grasp_pose_net.nodes.transforms import TransformBuffer
from grasp_pose_net.perception import PerceptionConfig, Scene, View, occupied_cells, perceive

DISCOVERY_S = 0.5  # a node that has just started does not know of all publishers
TABLE_COLOUR = (150, 150, 150)
OBJECT_COLOURS = (
    (230, 80, 60),
    (60, 130, 230),
    (70, 180, 90),
    (240, 180, 40),
    (150, 90, 200),
    (40, 190, 190),
)


@dataclass(frozen=True, kw_only=True)
class PerceptionParameters:
    """Parameters of the perception node."""

    cameras: tuple[str, ...] = field(
        default=("camera_1",), metadata={"doc": "cameras; each publishes PointCloud2 on /<camera>/points"}
    )
    world_frame: str = field(
        default="world", metadata={"doc": "frame with z up that the objects are given in"}
    )
    cloud_timeout_s: float = field(
        default=10.0, metadata={"doc": "longest wait for new clouds, wall time [s]", "range": (0.1, 120)}
    )
    transform_timeout_s: float = field(
        default=0.5, metadata={"doc": "longest wait for a view's transform [s]", "range": (0, 10)}
    )
    scene: PerceptionConfig = field(default_factory=PerceptionConfig)

    def __post_init__(self) -> None:
        """Check the camera list."""
        if not self.cameras or len(set(self.cameras)) < len(self.cameras):
            raise ValueError(f"cameras: expected different names, at least one, got {list(self.cameras)}")


class PerceptionNode(Node):
    """Answers ``~/capture`` and publishes what it sees."""

    def __init__(self) -> None:
        """Declare parameters and offer the service."""
        super().__init__("perception")
        self._config = declare(self, PerceptionParameters)
        self._transforms = TransformBuffer(self)
        self._objects = self.create_publisher(PlanningSceneWorld, "~/objects", LATCHED)
        self._cloud = self.create_publisher(PointCloud2, "~/cloud", LATCHED)
        self._voxels = self.create_publisher(PointCloud2, "~/voxels", LATCHED)
        # clouds must come in while a capture waits for them
        self._reentrant = ReentrantCallbackGroup()
        self.create_service(
            Trigger, "~/capture", self._capture, callback_group=MutuallyExclusiveCallbackGroup()
        )

    def _capture(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            clouds = self._new_clouds()
            started = time.perf_counter()
            views, left_out = self._views(clouds)
            scene = perceive(views, self._config.scene, left_out)
            stamp = max(
                (Time.from_msg(m.header.stamp) for m in clouds.values()), key=lambda t: t.nanoseconds
            ).to_msg()
            self._publish_objects(scene, stamp)
            seconds = time.perf_counter() - started
            response.success, response.message = True, f"{scene.summary()}; perception {1e3 * seconds:.0f} ms"
            self.get_logger().info(response.message)
            self._publish_clouds(scene, stamp)
        except (GraspPoseNetError, ValueError, RuntimeError) as error:  # open3d raises RuntimeError
            response.success, response.message = False, str(error)
            self.get_logger().warning(f"capture failed: {error}")
            # nobody shall plan on what was seen earlier
            self._objects.publish(PlanningSceneWorld())
        return response

    def _new_clouds(self) -> dict[str, PointCloud2]:
        """Clouds by camera that are stamped after now, as many as come in time."""
        since = self.get_clock().now()
        with self._listening(since) as (clouds, complete):
            complete.wait(self._config.cloud_timeout_s)
        return dict(clouds)

    @contextmanager
    def _listening(self, since: Time) -> Iterator[tuple[dict[str, PointCloud2], threading.Event]]:
        """Subscriptions that keep each camera's first cloud stamped at or after ``since``."""
        clouds: dict[str, PointCloud2] = {}
        complete = threading.Event()

        def take(camera: str, message: PointCloud2) -> None:
            if Time.from_msg(message.header.stamp, clock_type=since.clock_type) >= since:
                clouds.setdefault(camera, message)
            if len(clouds) == len(self._config.cameras):
                complete.set()

        subscriptions = [
            self.create_subscription(
                PointCloud2,
                f"/{camera}/points",
                lambda message, camera=camera: take(camera, message),
                self._cloud_qos(f"/{camera}/points"),
                callback_group=self._reentrant,
            )
            for camera in self._config.cameras
        ]
        try:
            yield clouds, complete
        finally:
            for subscription in subscriptions:
                self.destroy_subscription(subscription)

    def _cloud_qos(self, topic: str) -> QoSProfile:
        """Sensor data, but reliable where every publisher offers it: one lost part loses a whole cloud."""
        deadline = time.monotonic() + DISCOVERY_S
        while not (publishers := self.get_publishers_info_by_topic(topic)) and time.monotonic() < deadline:
            time.sleep(0.02)
        offers = [publisher.qos_profile.reliability for publisher in publishers]
        if offers and all(offer == ReliabilityPolicy.RELIABLE for offer in offers):
            return CLOUD
        return SENSOR

    def _views(self, clouds: dict[str, PointCloud2]) -> tuple[list[View], dict[str, str]]:
        """Usable views, and why each other camera has none."""
        views, left_out = [], {}
        for camera in self._config.cameras:
            try:
                views.append(self._view(camera, clouds.get(camera)))
            except (GraspPoseNetError, ValueError) as error:
                left_out[camera] = str(error)
        return views, left_out

    def _view(self, camera: str, message: PointCloud2 | None) -> View:
        if message is None:
            publishers = self.count_publishers(f"/{camera}/points")
            raise PerceptionError(
                f"no new cloud on /{camera}/points within {self._config.cloud_timeout_s:g} s "
                f"({publishers} publisher(s) there)"
            )
        if not message.header.frame_id:
            raise PerceptionError(f"the cloud on /{camera}/points has no frame_id")
        points = points_from_cloud(message)
        T_world_camera = self._transforms.lookup(
            self._config.world_frame,
            message.header.frame_id,
            Time.from_msg(message.header.stamp),
            self._config.transform_timeout_s,
        )
        return View(camera, points, T_world_camera)

    def _publish_objects(self, scene: Scene, stamp: TimeMessage) -> None:
        frame = self._config.world_frame
        message = PlanningSceneWorld()
        message.collision_objects = [
            mesh_object(o.id, o.mesh, o.T_world_object, frame, stamp) for o in scene.objects
        ]
        table = scene.table
        message.collision_objects.append(
            box_object("table", table.size.tolist(), table.T_world_box, frame, stamp)
        )
        self._objects.publish(message)

    def _publish_clouds(self, scene: Scene, stamp: TimeMessage) -> None:
        """The fused cloud coloured by object, and the cells that the network will see."""
        frame = self._config.world_frame
        parts = [(scene.table_points, TABLE_COLOUR)]
        parts += [(o.points, OBJECT_COLOURS[i % len(OBJECT_COLOURS)]) for i, o in enumerate(scene.objects)]
        points = np.vstack([p for p, _ in parts])
        colours = np.vstack([np.tile(np.array(colour, np.uint8), (len(p), 1)) for p, colour in parts])
        self._cloud.publish(coloured_cloud_message(points, colours, frame, stamp))
        cells = np.vstack([transform_points(o.T_world_object, occupied_cells(o.mesh)) for o in scene.objects])
        self._voxels.publish(xyz_cloud_message(cells, frame, stamp))


def main() -> None:
    """Run the node."""
    run(PerceptionNode)


if __name__ == "__main__":
    main()
