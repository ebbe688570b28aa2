"""``~/capture``: a new view of every camera → the objects on the table, as a planning scene."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from builtin_interfaces.msg import Time as TimeMessage
from diagnostic_msgs.msg import DiagnosticStatus
from moveit_msgs.msg import PlanningSceneWorld
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from sensor_msgs.msg import PointCloud2
from std_srvs.srv import Trigger
from visualization_msgs.msg import MarkerArray

from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.nodes.messages.basics import time_to_ns
from grasp_pose_net.nodes.messages.clouds import xyz_cloud_message
from grasp_pose_net.nodes.messages.scene import object_message
from grasp_pose_net.nodes.messages.scene_markers import scene_cloud, scene_markers
from grasp_pose_net.nodes.support.camera_views import CameraViews, PerceptionParameters
from grasp_pose_net.nodes.support.diagnostics import Diagnostics, Health
from grasp_pose_net.nodes.support.guarded_node import GuardedNode
from grasp_pose_net.nodes.support.parameters import declare
from grasp_pose_net.nodes.support.qos import LATCHED
from grasp_pose_net.nodes.support.report import Report
from grasp_pose_net.nodes.support.runtime import run
from grasp_pose_net.perception import Capture, Identities, occupied_cells, perceive, warm_up
from grasp_pose_net.world import Scene, transform_points


class PerceptionNode(GuardedNode):
    """Answers ``~/capture`` and publishes what it sees."""

    def __init__(self) -> None:
        """Declare parameters, compile, offer the service."""
        super().__init__("perception")
        self._config = declare(self, PerceptionParameters)
        self._cameras = CameraViews(self, self._config)
        self._identities = Identities()
        self.get_logger().info("compiling (some seconds the first time)")
        warm_up()
        self._objects = self.create_publisher(PlanningSceneWorld, "~/objects", LATCHED)
        self._cloud = self.create_publisher(PointCloud2, "~/cloud", LATCHED)
        self._voxels = self.create_publisher(PointCloud2, "~/voxels", LATCHED)
        self._markers = self.create_publisher(MarkerArray, "~/markers", LATCHED)
        self._said = Report(self)
        self._health = Health("nothing has been captured yet")
        Diagnostics(self, {"capture": lambda: self._health})
        self.create_service(
            Trigger, "~/capture", self._capture, callback_group=MutuallyExclusiveCallbackGroup()
        )

    def _capture(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            views, left_out, stamp = self._cameras.take()
            started = time.perf_counter()
            capture = perceive(views, self._config.scene, left_out)
            capture = capture.named(self._identities.named(capture.scene.targets))
            self._publish_objects(capture.scene, stamp.to_msg())
            seconds = time.perf_counter() - started
            self._said.publish(seconds={**capture.seconds, "perception": seconds})
            response.success = bool(capture.scene.targets)
            response.message = f"{capture.summary()}; perception {1e3 * seconds:.0f} ms"
            self.get_logger().info(response.message)
            self._publish_pictures(capture, stamp.to_msg())
        except Exception as error:
            # nobody shall plan on what was seen earlier
            self._objects.publish(PlanningSceneWorld())
            if not isinstance(error, (GraspPoseNetError, RuntimeError)):  # open3d raises RuntimeError
                raise
            response.success, response.message = False, str(error)
            self.get_logger().warning(f"capture failed: {error}")
        level = DiagnosticStatus.OK if response.success else DiagnosticStatus.WARN
        self._health = Health(response.message, level)
        return response

    def _publish_objects(self, scene: Scene, stamp: TimeMessage) -> None:
        """Objects as meshes, table and obstacles as boxes; ``type.key`` says which is which."""
        stamped = [replace(entry, stamp_ns=time_to_ns(stamp)) for entry in scene.objects]
        entries = [object_message(entry, self._config.world_frame) for entry in stamped]
        self._objects.publish(PlanningSceneWorld(collision_objects=entries))

    def _publish_pictures(self, capture: Capture, stamp: TimeMessage) -> None:
        """For RViz: the fused cloud, markers, and the cells that the network will see."""
        frame = self._config.world_frame
        self._cloud.publish(scene_cloud(capture, frame, stamp))
        self._markers.publish(scene_markers(capture, frame, stamp))
        cells = [transform_points(o.T_world_object, occupied_cells(o.mesh)) for o in capture.scene.targets]
        self._voxels.publish(xyz_cloud_message(np.vstack([np.empty((0, 3)), *cells]), frame, stamp))


def main() -> None:
    """Run the node."""
    run(PerceptionNode)


if __name__ == "__main__":
    main()
