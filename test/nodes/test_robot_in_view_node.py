"""The perception node with a robot of one boom that may hang over the table."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

pytest.importorskip("rclpy", reason="needs rclpy")

import rclpy
from moveit_msgs.msg import PlanningSceneWorld
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from test_perception_node import Cameras, capture, table_and_box

from grasp_pose_net.nodes.perception import PerceptionNode
from grasp_pose_net.nodes.support.qos import LATCHED
from grasp_pose_net.nodes.support.runtime import spinning

pytestmark = pytest.mark.ros
REACH, RADIUS, HEIGHT = 0.5, 0.03, 0.22  # of the boom, which turns about (0, -0.5)
LIMIT = '<limit lower="-3" upper="3" velocity="1" effort="1"/>'
URDF = f"""<robot name="boom">
  <link name="world"/>
  <joint name="swing" type="revolute"><parent link="world"/><child link="arm"/>
    <origin xyz="0 -0.5 {HEIGHT}"/><axis xyz="0 0 1"/>{LIMIT}</joint>
  <link name="arm"><collision><origin xyz="0 {REACH / 2} 0" rpy="1.5708 0 0"/>
    <geometry><cylinder radius="{RADIUS}" length="{REACH}"/></geometry></collision></link>
  <joint name="grip" type="revolute"><parent link="arm"/><child link="finger"/>
    <origin xyz="0 {REACH} 0"/><axis xyz="1 0 0"/>{LIMIT}</joint>
  <link name="finger"><collision><geometry><sphere radius="{RADIUS}"/></geometry></collision></link>
</robot>"""
SRDF = """<robot name="boom">
  <group name="arm"><joint name="swing"/></group><group name="hand"><joint name="grip"/></group>
  <end_effector name="hand" parent_link="arm" parent_group="arm" group="hand"/>
</robot>"""
AWAY, OVER = np.pi / 2, 0.1  # of the swing [rad]


def boom(swing):
    """What a camera sees of the robot."""
    mesh = trimesh.creation.cylinder(radius=RADIUS, height=REACH)
    mesh.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
    mesh.apply_translation([0, REACH / 2, 0])
    mesh.apply_transform(trimesh.transformations.rotation_matrix(swing, [0, 0, 1]))
    mesh.apply_translation([0, -0.5, HEIGHT])
    return mesh


class Cell(Cameras):
    """Cameras, and a driver that tells where the boom is."""

    def __init__(self):
        super().__init__()
        self.swing = AWAY
        self.states = self.create_publisher(JointState, "/joint_states", 10)
        self.create_timer(0.05, self.tell)
        over = {camera: self.cloud_of(camera, [*table_and_box(), boom(OVER)]) for camera in self.poses}
        self.views = {AWAY: dict(self.good), OVER: over}

    def tell(self):
        if self.swing is not None:
            state = JointState(name=["swing", "grip"], position=[self.swing, 0.0])
            state.header.stamp = self.get_clock().now().to_msg()
            self.states.publish(state)


@pytest.fixture(scope="module")
def cell(tmp_path_factory):
    folder = tmp_path_factory.mktemp("boom")
    (folder / "boom.urdf").write_text(URDF)
    (folder / "boom.srdf").write_text(SRDF)
    parameters = {
        "cameras": "[left, right]",
        "robot_description": folder / "boom.urdf",
        "robot_description_semantic": folder / "boom.srdf",
    }
    rclpy.init(args=["--ros-args", *(t for k, v in parameters.items() for t in ("-p", f"{k}:={v}"))])
    cameras, node, client = Cell(), PerceptionNode(), rclpy.create_node("client")
    client.capture = client.create_client(Trigger, "/perception/capture")
    client.create_subscription(PlanningSceneWorld, "/perception/objects", lambda message: None, LATCHED)
    with spinning(cameras, node, client):
        assert client.capture.wait_for_service(60)
        yield cameras, client
    for one in (cameras, node, client):
        one.destroy_node()
    rclpy.shutdown()


def test_the_robot_is_gone_where_its_joints_say_that_it_is(cell):
    cameras, client = cell
    cameras.say, cameras.swing = cameras.views[OVER], OVER
    answer = capture(client)
    assert answer.success and answer.message.startswith("1 object(s): object_0 "), answer.message
    assert "not to be grasped" not in answer.message and "the robot is in view" in answer.message
    cameras.say, cameras.swing = cameras.views[AWAY], AWAY
    answer = capture(client)
    assert answer.success and "the robot" not in answer.message
    # joints that say otherwise than the cameras do leave it where it is
    cameras.say = cameras.views[OVER]
    assert "not to be grasped: obstacle_0" in capture(client).message


def test_without_joint_states_nothing_is_captured_and_the_node_lives_on(cell):
    cameras, client = cell
    cameras.say, cameras.swing = cameras.views[AWAY], None
    answer = capture(client)
    assert not answer.success
    assert answer.message.startswith("/joint_states has not told 2 of 2 joints within 5 s (swing, grip)")
    cameras.swing = float("nan")
    answer = capture(client)
    assert not answer.success and "2 of 2 joints" in answer.message
    cameras.swing = AWAY
    assert capture(client).success
    assert cameras.count_subscribers("/joint_states") == 0
