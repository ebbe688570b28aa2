"""A recording of one scene, played to the real node: depth images, camera infos, TF of standing and moving cameras."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy")
pytest.importorskip("rosbags", reason="needs rosbags (requirements-dev.txt)")

import rclpy
import rclpy.time
from moveit_msgs.msg import PlanningSceneWorld
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from rosbags.rosbag2 import Reader
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

from grasp_pose_net.nodes.messages.scene import object_from_message
from grasp_pose_net.nodes.perception import PerceptionNode
from grasp_pose_net.nodes.support.qos import LATCHED
from grasp_pose_net.nodes.support.runtime import spinning
from grasp_pose_net.world import transform_points

pytestmark = pytest.mark.ros
FOLDER = Path(__file__).parents[1] / "data" / "tabletop"
TYPES = {kind.__name__: kind for kind in (CameraInfo, Image, TFMessage)}
# what tools/record_tabletop.py says: centre of mass and sides [m]
TRUTH = [
    ((0.7480, 0.1033, 0.7762), (0.0838, 0.1143, 0.0950)),
    ((0.8033, -0.1460, 0.7450), (0.1374, 0.1296, 0.0500)),
    ((0.6099, -0.0348, 0.7529), (0.1210, 0.1143, 0.0658)),
]
PARAMETERS = """
/perception:
  ros__parameters:
    use_sim_time: true
    cameras: [camera_1, camera_2, camera_3, camera_4]
    scene:
      workspace_min: [0.32, -0.38, 0.62]
      workspace_max: [1.08, 0.38, 1.22]
      min_views: 4
    qos_overrides:
      /camera_2/depth/image_rect_raw:
        subscription:
          depth: 3
          reliability: reliable
"""


def wait(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


class Player(rclpy.node.Node):
    """Plays the recording, and its clock."""

    def __init__(self):
        super().__init__("player")
        with Reader(FOLDER) as reader:
            self.messages = [
                (c.topic, at, deserialize_message(bytes(data), TYPES[c.msgtype.rpartition("/")[2]]))
                for c, at, data in reader.messages()
            ]
        self.clock = self.create_publisher(Clock, "/clock", 10)
        self.topics = {
            topic: self.create_publisher(
                type(message), topic, LATCHED if topic == "/tf_static" else QoSProfile(depth=10)
            )
            for topic, _, message in self.messages
        }

    def tell(self, nanoseconds):
        self.clock.publish(Clock(clock=rclpy.time.Time(nanoseconds=nanoseconds).to_msg()))

    def play(self, only):
        for topic, at, message in self.messages:
            if only(topic, at):
                self.tell(at)
                self.topics[topic].publish(message)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """The node, the answer to a capture while the recording is played, and what the node published then."""
    file = tmp_path_factory.mktemp("played") / "perception.yaml"
    file.write_text(PARAMETERS)
    rclpy.init(args=["--ros-args", "--params-file", str(file)])
    player, node, client = Player(), PerceptionNode(), rclpy.create_node("client")
    scenes = []
    client.create_subscription(PlanningSceneWorld, "/perception/objects", scenes.append, LATCHED)
    service = client.create_client(Trigger, "/perception/capture")
    start = player.messages[0][1]
    with spinning(player, node, client):
        assert service.wait_for_service(60)
        wait(lambda: player.count_subscribers("/tf") and player.count_subscribers("/clock"))

        def begun():
            player.tell(start)
            return node.get_clock().now().nanoseconds == start

        wait(begun)
        player.play(lambda topic, at: at == start)
        future = service.call_async(Trigger.Request())
        views = [topic for topic in player.topics if topic.startswith("/camera")]
        wait(lambda: all(player.count_subscribers(topic) for topic in views))
        player.play(lambda topic, at: at > start)
        wait(future.done, 150)
        wait(lambda: scenes)
        yield node, future.result(), scenes[-1]
    for one in (player, node, client):
        one.destroy_node()
    rclpy.shutdown()


def test_recording_is_small_enough_to_keep():
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 1_000_000
    assert [file.suffix for file in FOLDER.iterdir() if file.name != "metadata.yaml"] == [".mcap"]


def test_every_object_of_the_recording_is_found_where_it_stood(played):
    _, answer, scene = played
    assert answer.success and "left out" not in answer.message, answer.message
    found = {}
    for item in scene.collision_objects:
        if item.meshes:
            mesh = (entry := object_from_message(item, "world")).mesh
            found[item.id] = transform_points(entry.T_world_object, mesh.center_mass), mesh.extents
    assert len(found) == len(TRUTH)
    for centre, sides in TRUTH:
        name = min(found, key=lambda name: np.linalg.norm(found[name][0] - centre))
        # the mug stands upside down: its inside is hidden and comes out filled, its centre 9 mm too low
        np.testing.assert_allclose(found.pop(name), (centre, sides), atol=0.01)


def test_qos_overrides_hold_for_the_topic_that_they_name(played):
    node, _, _ = played
    prefix = "qos_overrides./camera_2/depth/image_rect_raw.subscription"
    assert node.get_parameter(f"{prefix}.depth").value == 3
    assert node.get_parameter(f"{prefix}.reliability").value == "reliable"
    assert not node.has_parameter("qos_overrides./camera_1/depth/image_rect_raw.subscription.depth")
