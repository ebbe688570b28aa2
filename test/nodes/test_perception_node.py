"""The perception node on one executor with cameras that say what a test wants."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import open3d as o3d
import pytest
import trimesh

pytest.importorskip("rclpy", reason="needs rclpy")

import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from moveit_msgs.msg import PlanningSceneWorld
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import PointCloud2, PointField
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.nodes import perception
from grasp_pose_net.nodes.messages.basics import transform_stamped
from grasp_pose_net.nodes.messages.clouds import (
    camera_info_message,
    coloured_cloud_message,
    depth_image_message,
    points_from_cloud,
    points_from_depth,
    xyz_cloud_message,
)
from grasp_pose_net.nodes.messages.scene import object_from_message
from grasp_pose_net.nodes.perception import PerceptionNode, PerceptionParameters
from grasp_pose_net.nodes.support.frames import TransformBroadcaster
from grasp_pose_net.nodes.support.qos import CLOUD, LATCHED, SENSOR
from grasp_pose_net.nodes.support.runtime import spinning

pytestmark = pytest.mark.ros
TIMEOUT_S = 3.0
BOX = (0.06, 0.08, 0.1)


def optical_pose(eye):
    """``T_world_optical`` (4, 4) of a camera at ``eye`` (3,) that looks at the origin."""
    z = -np.asarray(eye) / np.linalg.norm(eye)
    x = np.cross(z, [0, 0, 1])
    x /= np.linalg.norm(x)
    T_world_optical = np.eye(4)
    T_world_optical[:3] = np.column_stack([x, np.cross(z, x), z, eye])
    return T_world_optical


def measured(T_world_optical, meshes):
    """Points (N, 3) of a depth image of 320 x 240 pixels, optical frame."""
    scene = o3d.t.geometry.RaycastingScene()
    for mesh in meshes:
        vertices, faces = mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32)
        scene.add_triangles(o3d.core.Tensor(vertices), o3d.core.Tensor(faces))
    u, v = np.meshgrid(np.arange(320) - 159.5, np.arange(240) - 119.5)
    ray = np.stack([u / 290, v / 290, np.ones_like(u)], -1).reshape(-1, 3)
    start = np.broadcast_to(T_world_optical[:3, 3], ray.shape)
    rays = np.hstack([start, ray @ T_world_optical[:3, :3].T]).astype(np.float32)
    depth = scene.cast_rays(o3d.core.Tensor(rays))["t_hit"].numpy()
    return ray[np.isfinite(depth)] * depth[np.isfinite(depth), None]


def table_and_box():
    table = trimesh.creation.box([0.4, 0.4, 0.02])
    table.apply_translation([0, 0, -0.01])
    box = trimesh.creation.box(BOX)
    box.apply_translation([0, 0, BOX[2] / 2])
    return [table, box]


class Cameras(Node):
    """Publishes what ``say`` has for each camera, stamped now, at 10 Hz."""

    def __init__(self):
        super().__init__("cameras")
        self.say = {}
        self.poses = {"left": optical_pose([0.4, 0.4, 0.5]), "right": optical_pose([-0.4, -0.4, 0.5])}
        self.tf = TransformBroadcaster(self)
        self.tf.send_static([("world", f"{c}_optical", T) for c, T in self.poses.items()])
        self.clouds = {
            "left": self.create_publisher(PointCloud2, "/left/points", SENSOR),
            "right": self.create_publisher(PointCloud2, "/right/points", CLOUD),
        }
        self.good = {camera: self.cloud_of(camera, table_and_box()) for camera in self.poses}
        self.create_timer(0.1, self.publish)

    def cloud_of(self, camera, meshes):
        """Function of a stamp: the message with what a camera sees of meshes."""
        points = measured(self.poses[camera], meshes)
        return lambda stamp: xyz_cloud_message(points, f"{camera}_optical", stamp)

    def publish(self):
        for camera, make in list(self.say.items()):
            self.clouds[camera].publish(make(self.get_clock().now().to_msg()))


@pytest.fixture(scope="module")
def system():
    rclpy.init(args=["--ros-args", "-p", f"cloud_timeout_s:={TIMEOUT_S}", "-p", "cameras:=[left, right]"])
    cameras = Cameras()
    node = PerceptionNode()
    client = rclpy.create_node("client")
    client.scenes, client.others = [], {}
    client.create_subscription(PlanningSceneWorld, "/perception/objects", client.scenes.append, LATCHED)
    for topic, kind in (("cloud", PointCloud2), ("voxels", PointCloud2), ("markers", MarkerArray)):
        client.create_subscription(
            kind, f"/perception/{topic}", lambda m, t=topic: client.others.update({t: m}), LATCHED
        )
    client.capture = client.create_client(Trigger, "/perception/capture")
    with spinning(cameras, node, client):
        assert client.capture.wait_for_service(60)
        yield cameras, client, node
    for one in (cameras, node, client):
        one.destroy_node()
    rclpy.shutdown()


def wait(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def capture(client):
    future = client.capture.call_async(Trigger.Request())
    wait(future.done, 150)
    return future.result()


def test_capture_publishes_objects_table_cloud_and_voxels(system):
    cameras, client, node = system
    cameras.say = dict(cameras.good)
    client.scenes.clear()
    before = node.get_clock().now()
    answer = capture(client)
    assert answer.success, answer.message
    assert answer.message.startswith("1 object(s): object_0 ") and "perception " in answer.message
    wait(lambda: client.scenes and {"cloud", "voxels", "markers"} <= set(client.others))
    item, table = client.scenes[-1].collision_objects
    assert (item.id, table.id, item.header.frame_id) == ("object_0", "table", "world")
    assert item.operation == type(item).ADD
    assert rclpy.time.Time.from_msg(item.header.stamp) >= before
    seen, support = (object_from_message(message, "world") for message in (item, table))
    mesh = seen.mesh
    assert mesh.is_watertight
    np.testing.assert_allclose(mesh.extents, BOX, atol=0.006)
    np.testing.assert_allclose(seen.T_world_object[:3, 3], [0, 0, 0.05], atol=0.004)
    (size,) = (part.shape.size for part in support.parts)
    np.testing.assert_allclose(sorted(size), [0.04, 0.4, 0.4], atol=0.02)
    assert support.T_world_object[2, 3] + size[2] / 2 == pytest.approx(0, abs=0.002)
    voxels = points_from_cloud(client.others["voxels"])
    assert len(voxels) * 0.005**3 == pytest.approx(mesh.volume, rel=0.1)
    np.testing.assert_allclose(voxels.mean(0), [0, 0, 0.05], atol=0.004)
    assert [f.name for f in client.others["cloud"].fields] == ["x", "y", "z", "rgb"]
    assert (item.type.key, table.type.key) == ("object", "support")
    markers = client.others["markers"].markers
    assert [marker.ns for marker in markers] == ["", "table", "meshes", "names"]
    assert len(markers[2].points) == 3 * len(mesh.faces) and markers[3].text == "object_0"


def test_an_object_that_stays_keeps_its_id_and_one_that_cannot_be_grasped_is_an_obstacle(system):
    cameras, client, _ = system
    plank = trimesh.creation.box([0.02, 0.36, 0.02])
    plank.apply_translation([0.1, 0, 0.1])  # it floats
    say = {camera: cameras.cloud_of(camera, [*table_and_box(), plank]) for camera in cameras.poses}
    cameras.say = dict(cameras.good)
    assert "object_0 " in capture(client).message
    cameras.say = say
    client.scenes.clear()
    answer = capture(client)
    assert answer.success and "object_0 " in answer.message
    assert "not to be grasped: obstacle_0 at " in answer.message and "floats " in answer.message
    wait(lambda: client.scenes)
    kept, thing, _ = client.scenes[-1].collision_objects
    assert (kept.id, thing.id, thing.type.key) == ("object_0", "obstacle_0", "obstacle")
    assert thing.type.db.startswith("floats ") and len(thing.primitives) == 1


def test_cameras_are_listened_to_only_while_a_capture_waits(system):
    cameras, client, _ = system
    cameras.say = dict(cameras.good)
    capture(client)
    wait(lambda: cameras.count_subscribers("/left/points") == 0)


def without_x(message):
    message.fields = [field for field in message.fields if field.name != "x"]
    return message


def cut_off(message):
    message.data = message.data[: len(message.data) // 2]
    return message


def all_nan(message):
    return xyz_cloud_message(np.full((100, 3), np.nan), message.header.frame_id, message.header.stamp)


def empty(message):
    return xyz_cloud_message(np.empty((0, 3)), message.header.frame_id, message.header.stamp)


def one_point(message):
    return xyz_cloud_message(np.ones((1, 3)) * 50, message.header.frame_id, message.header.stamp)


def other_frame(message):
    message.header.frame_id = "moon"
    return message


def no_frame(message):
    message.header.frame_id = ""
    return message


def old(message):
    message.header.stamp.sec -= 5
    return message


def of_the_future(message):
    message.header.stamp.sec += 60
    return message


def below_zero(message):
    message.header.stamp.sec = -5
    return message


def in_a_loop(message):
    message.header.frame_id = "there"
    return message


def with_pose_of_the_future(message):
    message.header.frame_id = "walking"  # its pose is said for the time in 5 s
    return message


BAD = [
    (without_x, "cloud must have each of the fields x, y, z once; its fields: y, z"),
    (cut_off, "bytes of data; was it cut off?"),
    (all_nan, "none of its 100 points is a finite number"),
    (empty, "the cloud is empty"),
    (one_point, "none of its 1 points lies in the workspace"),
    (other_frame, "no transform between 'world' and 'moon'"),
    (no_frame, "the view on /left/points has no frame_id"),
    (old, "the capture began at "),
    (of_the_future, "are the clocks in step? (1 publisher(s) there)"),
    (below_zero, "stamp of -5 s and "),
    (in_a_loop, "the frames back, there form a loop; a calibration was published in both directions?"),
    (with_pose_of_the_future, "transform of 'walking' asked at "),
]


@pytest.mark.parametrize(("spoil", "reason"), BAD, ids=[spoil.__name__ for spoil, _ in BAD])
def test_a_bad_view_is_left_out_with_its_reason(system, spoil, reason):
    cameras, client, _ = system
    cameras.tf.send([("back", "there", np.eye(4)), ("there", "back", np.eye(4))], cameras.get_clock().now())
    if spoil is with_pose_of_the_future:
        cameras.tf.send([("world", "walking", np.eye(4))], cameras.get_clock().now() + Duration(seconds=5))
    cameras.say = {"left": lambda stamp: spoil(cameras.good["left"](stamp)), "right": cameras.good["right"]}
    answer = capture(client)
    assert answer.success, answer.message
    assert "left out: left: " in answer.message and reason in answer.message


def bad_transforms(stamp):
    """What tf2 would ignore, too: no rotation, no number, a frame in itself, and a time of another clock."""
    bad = [transform_stamped("world", f"bad {i}", np.eye(4), stamp) for i in range(5)]
    bad[0].transform.rotation.w = 0.0
    bad[1].transform.translation.x = float("nan")
    bad[2].child_frame_id = "world"
    bad[3].header.stamp.sec = -3
    bad[4].header.stamp.sec += 3600
    return TFMessage(transforms=bad)


def test_transforms_that_are_none_are_ignored_and_nothing_ends(system):
    cameras, client, node = system
    cameras.say = dict(cameras.good)
    said = []
    logger = node.get_logger()
    node.get_logger = lambda: SimpleNamespace(warning=said.append, info=logger.info, error=said.append)
    for topic in ("/tf", "/tf_static"):
        publisher = cameras.create_publisher(TFMessage, topic, LATCHED)
        for _ in range(3):
            publisher.publish(bad_transforms(cameras.get_clock().now().to_msg()))
        wait(lambda: any("'bad 1'" in text for text in said))
        cameras.destroy_publisher(publisher)
    answer = capture(client)
    del node.get_logger
    assert answer.success and "left out" not in answer.message
    ignored = [text for text in said if text.startswith("the transform of 'bad 0' is ignored: quaternion")]
    assert len(ignored) == 1, "one warning, not one a message"


def test_two_publishers_of_a_cameras_place_are_refused_until_one_is_gone(system):
    cameras, client, _ = system
    cameras.say = dict(cameras.good)
    rival = rclpy.create_node("rival")
    TransformBroadcaster(rival).send_static([("world", "left_optical", optical_pose([0.4, 0.4, 0.6]))])
    answer = capture(client)
    assert answer.success, answer.message
    assert "left out: left: two publishers on /tf_static differ about 'left_optical'" in answer.message
    rival.destroy_node()
    wait(lambda: "left out" not in capture(client).message)


def test_a_change_of_clocks_while_it_runs_is_named_and_recovered_from(system):
    cameras, client, node = system
    cameras.say = dict(cameras.good)
    node.set_parameters([Parameter("use_sim_time", value=True)])  # nobody publishes /clock
    answer = capture(client)
    node.set_parameters([Parameter("use_sim_time", value=False)])
    assert not answer.success and "but it is 0.000 s: are the clocks in step?" in answer.message
    assert capture(client).success


def test_what_nobody_expected_is_answered_and_nobody_plans_on_what_was_seen_before(system, monkeypatch):
    cameras, client, node = system
    cameras.say = dict(cameras.good)
    assert capture(client).success

    def broken(*given, **named):
        raise IndexError("a fault of the package")

    monkeypatch.setattr(perception, "perceive", broken)
    client.scenes.clear()
    answer = capture(client)
    assert not answer.success
    assert (
        "unexpected error in a request to ~/capture: IndexError('a fault of the package')" in answer.message
    )
    wait(lambda: client.scenes)
    assert len(client.scenes[-1].collision_objects) == 0
    assert node.faults.health().level == DiagnosticStatus.ERROR
    monkeypatch.undo()
    assert capture(client).success


def test_silent_cameras_are_a_failure_and_the_scene_is_emptied_and_the_node_lives_on(system):
    cameras, client, _ = system
    cameras.say = {}
    client.scenes.clear()
    answer = capture(client)
    assert not answer.success
    assert answer.message.startswith(
        "1 view(s) of the table are needed, 0 usable (left: no new view on /left/points"
    )
    wait(lambda: client.scenes)
    assert len(client.scenes[-1].collision_objects) == 0
    cameras.say = dict(cameras.good)
    assert capture(client).success


def test_empty_table_is_a_failure_that_says_so(system):
    cameras, client, _ = system
    cameras.say = {"left": cameras.cloud_of("left", table_and_box()[:1])}
    answer = capture(client)
    assert not answer.success and answer.message.startswith("nothing on the table: 0 points")


def big_endian(message):
    """The same cloud as a machine with the other byte order writes it."""
    numbers = np.frombuffer(bytes(message.data), "<f4")
    message.data, message.is_bigendian = numbers.astype(">f4").tobytes(), True
    return message


def test_big_endian_clouds_are_as_good(system):
    cameras, client, _ = system
    cameras.say = {c: lambda stamp, c=c: big_endian(cameras.good[c](stamp)) for c in ("left", "right")}
    answer = capture(client)
    assert answer.success and "left out" not in answer.message


def one_point_in_the_workspace(message):
    return xyz_cloud_message(np.array([[0, 0, 0.5]]), message.header.frame_id, message.header.stamp)


def test_views_without_a_plane_or_of_one_point_show_no_table(system):
    cameras, client, _ = system
    ball = trimesh.creation.icosphere(3, 0.04)
    cameras.say = {camera: cameras.cloud_of(camera, [ball]) for camera in cameras.poses}
    answer = capture(client)
    assert not answer.success and answer.message.startswith(
        "no table: asked for a connected plane of at least"
    )
    good = dict(cameras.good)
    cameras.say = {c: lambda stamp, c=c: one_point_in_the_workspace(good[c](stamp)) for c in good}
    answer = capture(client)
    assert not answer.success and "found only 2 points" in answer.message
    cameras.say = good
    assert capture(client).success


def test_a_view_of_another_moment_is_left_out(system):
    cameras, client, _ = system
    sent = []

    def once(stamp):
        if not sent and cameras.count_subscribers("/left/points"):
            sent.append(stamp)
        return cameras.good["left"](sent[0] if sent else stamp)

    def later(stamp):
        message = cameras.good["right"](stamp)
        if sent:
            message.header.stamp = (rclpy.time.Time.from_msg(sent[0]) + Duration(seconds=0.6)).to_msg()
        return message

    cameras.say = {"left": once, "right": later}
    answer = capture(client)
    assert answer.success, answer.message
    assert "left out: right: its last view on /right/points is stamped " in answer.message
    assert "not within view_spread_s 0.2 s" in answer.message


def test_input_is_checked():
    with pytest.raises(ConfigError, match="input is 'stereo'; valid: auto, points, depth"):
        PerceptionParameters(input="stereo")


def depth_messages(depth):
    stamp = rclpy.time.Time(seconds=3).to_msg()
    image = depth_image_message(depth, "a", stamp)
    return image, camera_info_message(image.width, image.height, 100.0, "a", stamp)


def test_depth_images_become_points():
    depth = np.array([[1.0, 2.0, np.nan], [0.5, np.inf, 1.0]])
    image, info = depth_messages(depth)
    points = points_from_depth(image, info).reshape(2, 3, 3)
    np.testing.assert_allclose(points[0, 0], [-0.01, -0.005, 1.0], atol=1e-6)
    np.testing.assert_allclose(points[1, 2], [0.01, 0.005, 1.0], atol=1e-6)
    assert np.isnan(points[0, 2]).all() and np.isnan(points[1, 1]).all()
    metres = depth.astype(">f4")
    image.encoding, image.is_bigendian, image.step, image.data = "32FC1", True, 12, metres.tobytes()
    info.p = [0.0] * 12  # a driver without rectification fills k only
    np.testing.assert_allclose(
        points_from_depth(image, info).reshape(2, 3, 3)[0, :2], points[0, :2], atol=1e-6
    )


def test_broken_depth_images_are_named():
    image, info = depth_messages(np.ones((2, 3)))
    image.data = image.data[:-1]
    with pytest.raises(
        ValueError, match=r"depth image of 3 x 2 pixels .* does not fit into 11 bytes .* cut off"
    ):
        points_from_depth(image, info)
    image, info = depth_messages(np.ones((2, 3)))
    info.width = 640
    with pytest.raises(ValueError, match="camera info is of 640 x 2 pixels, the depth image of 3 x 2; is it"):
        points_from_depth(image, info)
    image, info = depth_messages(np.ones((2, 3)))
    info.p, info.k = [0.0] * 12, [0.0] * 9
    with pytest.raises(ValueError, match="camera info has focal lengths of 0 and 0 px in k; calibrate"):
        points_from_depth(image, info)
    image.encoding = "rgb8"
    with pytest.raises(ValueError, match="depth image has encoding 'rgb8'; expected one of 16UC1"):
        points_from_depth(image, info)


def test_ten_million_points_are_read():
    points = np.zeros((10_000_000, 3), np.float32)
    points[-1] = 1, 2, 3
    read = points_from_cloud(xyz_cloud_message(points, "a", rclpy.time.Time(seconds=3).to_msg()))
    np.testing.assert_array_equal(read[-1], [1, 2, 3])
    assert len(read) == len(points)


def test_camera_list_is_checked():
    with pytest.raises(ValueError, match="cameras: expected different names"):
        PerceptionParameters(cameras=("a", "a"))


def test_points_of_any_layout_are_read():
    rows = np.zeros((2, 3), np.dtype([("pad", "u1", 4), ("z", ">f8"), ("x", ">f4"), ("y", ">f4")]))
    rows["x"], rows["y"], rows["z"] = 1.0, np.arange(6).reshape(2, 3), np.nan
    message = PointCloud2(height=2, width=3, is_bigendian=True, point_step=20, row_step=64)
    message.fields = [
        PointField(name="z", offset=4, datatype=PointField.FLOAT64, count=1),
        PointField(name="x", offset=12, datatype=PointField.FLOAT32, count=1),
        PointField(name="y", offset=16, datatype=PointField.FLOAT32, count=1),
    ]
    message.data = b"".join(row.tobytes() + b"\0" * 4 for row in rows)
    points = points_from_cloud(message)
    np.testing.assert_array_equal(points[:, :2], np.column_stack([np.ones(6), np.arange(6)]))
    assert np.isnan(points[:, 2]).all() and points.dtype == np.float32
    message.fields[0].datatype = PointField.INT32
    with pytest.raises(ValueError, match=r"cloud field z has datatype 5; expected FLOAT32"):
        points_from_cloud(message)


def test_clouds_survive_the_way_there_and_back():
    points = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    stamp = rclpy.time.Time(seconds=3).to_msg()
    np.testing.assert_array_equal(points_from_cloud(xyz_cloud_message(points, "a", stamp)), points)
    colours = np.tile(np.array([[1, 2, 3]], np.uint8), (50, 1))
    coloured = coloured_cloud_message(points, colours, "a", stamp)
    np.testing.assert_array_equal(points_from_cloud(coloured), points)
    assert bytes(coloured.data)[12:16] == bytes([3, 2, 1, 0])
    assert len(points_from_cloud(PointCloud2(fields=coloured.fields, point_step=16))) == 0
