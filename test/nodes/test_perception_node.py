"""The perception node on one executor with cameras that say what a test wants."""

from __future__ import annotations

import time

import numpy as np
import open3d as o3d
import pytest
import trimesh

pytest.importorskip("rclpy", reason="needs rclpy")

import rclpy
from moveit_msgs.msg import PlanningSceneWorld
from rclpy.node import Node
from sensor_msgs.msg import PointCloud2, PointField
from std_srvs.srv import Trigger

from grasp_pose_net.nodes.messages import (
    boxes_and_meshes,
    coloured_cloud_message,
    points_from_cloud,
    xyz_cloud_message,
)
from grasp_pose_net.nodes.perception import PerceptionNode, PerceptionParameters
from grasp_pose_net.nodes.qos import CLOUD, LATCHED, SENSOR
from grasp_pose_net.nodes.runtime import spinning
from grasp_pose_net.nodes.transforms import TransformBroadcaster

pytestmark = pytest.mark.ros
TIMEOUT_S = 1.5
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
    """Publishes what ``say`` has for each camera, stamped now, at 20 Hz."""

    def __init__(self):
        super().__init__("cameras")
        self.say = {}
        self.poses = {"left": optical_pose([0.4, 0.4, 0.5]), "right": optical_pose([-0.4, -0.4, 0.5])}
        TransformBroadcaster(self).send_static([("world", f"{c}_optical", T) for c, T in self.poses.items()])
        self.clouds = {
            "left": self.create_publisher(PointCloud2, "/left/points", SENSOR),
            "right": self.create_publisher(PointCloud2, "/right/points", CLOUD),
        }
        self.good = {camera: self.cloud_of(camera, table_and_box()) for camera in self.poses}
        self.create_timer(0.05, self.publish)

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
    for topic in ("cloud", "voxels"):
        client.create_subscription(
            PointCloud2, f"/perception/{topic}", lambda m, t=topic: client.others.update({t: m}), LATCHED
        )
    client.capture = client.create_client(Trigger, "/perception/capture")
    with spinning(cameras, node, client):
        assert client.capture.wait_for_service(10)
        yield cameras, client, node
    for one in (cameras, node, client):
        one.destroy_node()
    rclpy.shutdown()


def wait(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def capture(client):
    future = client.capture.call_async(Trigger.Request())
    wait(future.done, 30)
    return future.result()


def test_capture_publishes_objects_table_cloud_and_voxels(system):
    cameras, client, node = system
    cameras.say = dict(cameras.good)
    client.scenes.clear()
    before = node.get_clock().now()
    answer = capture(client)
    assert answer.success, answer.message
    assert answer.message.startswith("1 object(s): object_0 ") and "perception " in answer.message
    wait(lambda: client.scenes and {"cloud", "voxels"} <= set(client.others))
    item, table = client.scenes[-1].collision_objects
    assert (item.id, table.id, item.header.frame_id) == ("object_0", "table", "world")
    assert item.operation == type(item).ADD
    assert rclpy.time.Time.from_msg(item.header.stamp) >= before
    ((mesh, T_world_mesh),) = boxes_and_meshes(item)[1]
    assert mesh.is_watertight
    np.testing.assert_allclose(mesh.extents, BOX, atol=0.006)
    np.testing.assert_allclose(T_world_mesh[:3, 3], [0, 0, 0.05], atol=0.004)
    ((size, T_world_box),) = boxes_and_meshes(table)[0]
    np.testing.assert_allclose(sorted(size), [0.04, 0.4, 0.4], atol=0.02)
    assert T_world_box[2, 3] + size[2] / 2 == pytest.approx(0, abs=0.002)
    voxels = points_from_cloud(client.others["voxels"])
    assert len(voxels) * 0.005**3 == pytest.approx(mesh.volume, rel=0.1)
    np.testing.assert_allclose(voxels.mean(0), [0, 0, 0.05], atol=0.004)
    assert [f.name for f in client.others["cloud"].fields] == ["x", "y", "z", "rgb"]


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


BAD = [
    (without_x, "cloud has no field x; its fields: y, z"),
    (cut_off, "bytes of data; was it cut off?"),
    (all_nan, "none of its 100 points is a finite number"),
    (empty, "the cloud is empty"),
    (one_point, "none of its 1 points lies in the workspace"),
    (other_frame, "no transform between 'world' and 'moon'"),
    (no_frame, "the cloud on /left/points has no frame_id"),
    (old, "no new cloud on /left/points within 1.5 s (1 publisher(s) there)"),
]


@pytest.mark.parametrize(("spoil", "reason"), BAD, ids=[spoil.__name__ for spoil, _ in BAD])
def test_a_bad_view_is_left_out_with_its_reason(system, spoil, reason):
    cameras, client, _ = system
    cameras.say = {"left": lambda stamp: spoil(cameras.good["left"](stamp)), "right": cameras.good["right"]}
    answer = capture(client)
    assert answer.success, answer.message
    assert "left out: left: " in answer.message and reason in answer.message


def test_silent_cameras_are_a_failure_and_the_scene_is_emptied_and_the_node_lives_on(system):
    cameras, client, _ = system
    cameras.say = {}
    client.scenes.clear()
    answer = capture(client)
    assert not answer.success
    assert answer.message.startswith(
        "1 view(s) of the table are needed, 0 usable (left: no new cloud on /left/points"
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
