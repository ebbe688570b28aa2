"""``~/capture``: a new view of every camera → the objects on the table, as a planning scene."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
from builtin_interfaces.msg import Time as TimeMessage
from diagnostic_msgs.msg import DiagnosticStatus
from moveit_msgs.msg import CollisionObject, PlanningSceneWorld
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from sensor_msgs.msg import PointCloud2
from std_srvs.srv import Trigger
from visualization_msgs.msg import MarkerArray

from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.nodes.messages.basics import box_object, mesh_object
from grasp_pose_net.nodes.messages.clouds import xyz_cloud_message
from grasp_pose_net.nodes.messages.scene_markers import scene_cloud, scene_markers
from grasp_pose_net.nodes.support.camera_views import CameraViews, PerceptionParameters
from grasp_pose_net.nodes.support.diagnostics import Diagnostics, Health
from grasp_pose_net.nodes.support.parameters import declare
from grasp_pose_net.nodes.support.qos import LATCHED
from grasp_pose_net.nodes.support.runtime import run
from grasp_pose_net.perception import Identities, Scene, occupied_cells, perceive, warm_up
from grasp_pose_net.world import transform_points

SUPPORT, OBSTACLE, OBJECT, SEVERAL = "support", "obstacle", "object", "several"  # keys of ObjectType


class PerceptionNode(Node):
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
        self._health = Health("nothing has been captured yet")
        Diagnostics(self, {"capture": lambda: self._health})
        self.create_service(
            Trigger, "~/capture", self._capture, callback_group=MutuallyExclusiveCallbackGroup()
        )

    def _capture(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            views, left_out, stamp = self._cameras.take()
            started = time.perf_counter()
            scene = perceive(views, self._config.scene, left_out)
            scene = dataclasses.replace(scene, objects=self._identities.named(scene.objects))
            self._publish_objects(scene, stamp.to_msg())
            seconds = time.perf_counter() - started
            response.success = bool(scene.objects)
            response.message = f"{scene.summary()}; perception {1e3 * seconds:.0f} ms"
            self.get_logger().info(response.message)
            self._publish_pictures(scene, stamp.to_msg())
        except (GraspPoseNetError, ValueError, RuntimeError) as error:  # open3d raises RuntimeError
            response.success, response.message = False, str(error)
            self.get_logger().warning(f"capture failed: {error}")
            # nobody shall plan on what was seen earlier
            self._objects.publish(PlanningSceneWorld())
        level = DiagnosticStatus.OK if response.success else DiagnosticStatus.WARN
        self._health = Health(response.message, level)
        return response

    def _publish_objects(self, scene: Scene, stamp: TimeMessage) -> None:
        """Objects as meshes, table and obstacles as boxes; ``type.key`` says which is which."""
        frame, table = self._config.world_frame, scene.table
        entries: list[CollisionObject] = []
        for item in scene.objects:
            entries.append(mesh_object(item.id, item.mesh, item.T_world_object, frame, stamp))
            entries[-1].type.key = SEVERAL if item.several else OBJECT
        for thing in scene.obstacles:
            entries.append(box_object(thing.id, thing.size.tolist(), thing.T_world_box, frame, stamp))
            entries[-1].type.key, entries[-1].type.db = OBSTACLE, thing.reason
        entries.append(box_object("table", table.size.tolist(), table.T_world_box, frame, stamp))
        entries[-1].type.key = SUPPORT
        self._objects.publish(PlanningSceneWorld(collision_objects=entries))

    def _publish_pictures(self, scene: Scene, stamp: TimeMessage) -> None:
        """For RViz: the fused cloud, markers, and the cells that the network will see."""
        frame = self._config.world_frame
        self._cloud.publish(scene_cloud(scene, frame, stamp))
        self._markers.publish(scene_markers(scene, frame, stamp))
        cells = [transform_points(o.T_world_object, occupied_cells(o.mesh)) for o in scene.objects]
        self._voxels.publish(xyz_cloud_message(np.vstack([np.empty((0, 3)), *cells]), frame, stamp))


def main() -> None:
    """Run the node."""
    run(PerceptionNode)


if __name__ == "__main__":
    main()
