"""An executor, a robot that obeys or not, and a client: what the tests of the executor node share."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import rclpy
import trimesh
from control_msgs.action import FollowJointTrajectory
from geometry_msgs.msg import Vector3Stamped
from moveit_msgs.action import Pickup
from moveit_msgs.msg import (
    Grasp,
    GripperTranslation,
    PlanningSceneWorld,
)
from node_messages import box_object, mesh_object
from rclpy.action import ActionClient, ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.duration import Duration
from rclpy.node import Node
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import JointState
from std_msgs.msg import Header
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from grasp_pose_net.models import robot_srdf, robot_urdf
from grasp_pose_net.nodes.executor import ExecutorNode
from grasp_pose_net.nodes.messages.basics import (
    pose_stamped,
    time_message,
)
from grasp_pose_net.nodes.support.qos import LATCHED
from grasp_pose_net.nodes.support.runtime import spinning
from grasp_pose_net.robot import RobotModel
from grasp_pose_net.world import inverse_transform

ANSWER_S, LATE_S, STATE_AGE_S = 1.5, 3.0, 3.0
OVERRIDES = [
    f"controllers.answer_timeout_s:={ANSWER_S}",
    f"controllers.late_s:={LATE_S}",
    "controllers.slowest_clock:=0.5",
    # the fake robot shares one interpreter with the executor's planning
    f"controllers.state_age_s:={STATE_AGE_S}",
    "motion.velocity_scale:=1.0",
    "motion.acceleration_scale:=1.0",
]
CAN = (0.7, 0.1, 0.78)
HELD_RAD = 0.02  # by which fingers that may be stopped by an object are held up


class FakeRobot(Node):
    """Publishes joint states and serves both controllers; ``mode`` says how the ``fail_at``-th goal ends."""

    def __init__(self, robot):
        super().__init__("fake_robot")
        self.robot = robot
        self.publisher = self.create_publisher(JointState, "/joint_states", 10)
        group = ReentrantCallbackGroup()
        self.create_timer(0.02, self.publish, callback_group=group)
        self.servers = []
        self.offer()
        self.reset()

    def offer(self):
        """Both controllers."""
        self.servers = [
            ActionServer(
                self,
                FollowJointTrajectory,
                f"{name}/follow_joint_trajectory",
                execute_callback=self.follow,
                goal_callback=self.decide,
                cancel_callback=self.stop,
                callback_group=ReentrantCallbackGroup(),
            )
            for name in ("arm_controller", "hand_controller")
        ]

    def withdraw(self):
        """Both controllers go."""
        for server in self.servers:
            server.destroy()

    def reset(self, mode="succeed", fail_at=0):
        """Back home, behave; returns when the joint states of home have gone out and no late goal is left."""
        if getattr(self, "mode", "") in ("slow answer", "late wait"):
            time.sleep(2 * ANSWER_S)
        home = self.robot.named_states["home"]
        self.positions = dict(zip(self.robot.joint_names, home, strict=True))
        self.mode, self.fail_at = mode, fail_at
        self.goals, self.stopped, self.silent = [], [], False
        self.ahead_s = 0.0  # by which joint states are stamped ahead of time
        self.said = {}  # positions that are told in place of the true ones
        time.sleep(0.1)

    def publish(self):
        if not self.silent:
            header = Header(stamp=(self.get_clock().now() + Duration(seconds=self.ahead_s)).to_msg())
            names, values = zip(*(self.positions | self.said).items(), strict=True)
            self.publisher.publish(
                JointState(header=header, name=list(names), position=list(map(float, values)))
            )

    def decide(self, goal):
        self.goals.append(goal)
        failing = len(self.goals) == self.fail_at
        if failing and self.mode in ("slow answer", "late wait"):
            time.sleep(2 * ANSWER_S)
        return GoalResponse.REJECT if failing and self.mode == "reject" else GoalResponse.ACCEPT

    def stop(self, handle):
        return CancelResponse.REJECT if self.mode == "deaf" else CancelResponse.ACCEPT

    def follow(self, handle):
        result = FollowJointTrajectory.Result()
        if len(self.goals) == self.fail_at and self.mode == "mute":
            self.silent = True  # no joint states any more, while the motion goes on
        if len(self.goals) == self.fail_at and self.mode != "slow answer":
            if self.mode == "abort":
                handle.abort()
                result.error_code, result.error_string = (
                    result.PATH_TOLERANCE_VIOLATED,
                    "the elbow is blocked",
                )
                return result
            if self.mode == "lie":
                handle.succeed()
                return result
            if self.mode in ("wait", "mute", "late wait", "deaf"):
                deadline = time.monotonic() + 6
                while (
                    not handle.is_cancel_requested and self.mode != "succeed" and time.monotonic() < deadline
                ):
                    time.sleep(0.005)
                self.stopped.append(time.monotonic())
                handle.canceled() if handle.is_cancel_requested else handle.abort()
                return result
        trajectory = handle.request.trajectory
        start, end = (np.array(trajectory.points[i].positions) for i in (0, -1))
        if handle.request.goal_tolerance and self.mode != "empty":
            end = end - np.clip(end - start, -HELD_RAD, HELD_RAD)
        self.positions |= dict(zip(trajectory.joint_names, end.tolist(), strict=True))
        if len(self.goals) == self.fail_at and self.mode == "nan":
            self.said = {"shoulder_pan_joint": float("nan")}
        if len(self.goals) == self.fail_at and self.mode == "slow":
            time.sleep(1.0)
        time.sleep(0.05)  # joint states of the end go out before the result
        handle.succeed()
        return result


class Caller(Node):
    """Shows the scene and calls ``/pickup``."""

    def __init__(self):
        super().__init__("caller")
        self.client = ActionClient(self, Pickup, "/pickup")
        self.scene_publisher = self.create_publisher(PlanningSceneWorld, "/perception/objects", LATCHED)
        self.triggers = [
            self.create_client(Trigger, f"/executor/{name}") for name in ("open_hand", "retreat")
        ]
        self.feedback = []

    def show(self, frame="world", at=CAN, more=(), stamp=None):
        pose = np.eye(4)
        pose[:3, 3] = at
        table = np.eye(4)
        table[:3, 3] = (0.7, 0.0, 0.70)
        can = trimesh.creation.cylinder(radius=0.033, height=0.12)
        objects = [
            mesh_object("can", can, pose, frame, stamp),
            box_object("table", (0.8, 0.8, 0.04), table),
            *more,
        ]
        self.scene_publisher.publish(PlanningSceneWorld(collision_objects=objects))

    def send(self, goal):
        self.feedback = []
        assert self.client.wait_for_server(10.0)
        sent = wait(
            self.client.send_goal_async(goal, lambda message: self.feedback.append(message.feedback.state))
        )
        assert sent.accepted
        return sent

    def pick(self, goal, timeout_s=60.0):
        response = wait(self.send(goal).get_result_async(), timeout_s)
        return response.status, response.result


def wait(future, timeout_s=30.0):
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    assert done.wait(timeout_s), "no answer in time"
    return future.result()


def until(condition, timeout_s=30.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def system():
    rclpy.init(args=["--ros-args", *[part for text in OVERRIDES for part in ("-p", f"executor:{text}")]])
    robot = RobotModel(robot_urdf(), robot_srdf())
    node, fake, caller = ExecutorNode(), FakeRobot(robot), Caller()
    with spinning(node, fake, caller, threads=8):
        caller.show()
        until(lambda: len(node._scene.scene.objects) == 2)
        yield fake, caller, node
    for each in (node, fake, caller):
        each.destroy_node()
    rclpy.try_shutdown()


@pytest.fixture
def fake(system):
    system[0].reset()
    return system[0]


@pytest.fixture
def caller(system):
    return system[1]


@pytest.fixture
def goal(fake):
    return pickup_goal(fake.robot)


def pickup_goal(robot, frame="world"):
    home = robot.named_states["home"]
    R_world_palm = Rotation.from_euler("xz", [150, -90], degrees=True)
    T_world_palm = np.eye(4)
    T_world_palm[:3, :3] = R_world_palm.as_matrix()
    T_world_palm[:3, 3] = np.add(CAN, (0, 0, 0.035)) - R_world_palm.apply((0.0, -0.06, 0.07))
    T_tip_palm = inverse_transform(robot.link_pose(home, robot.tip)) @ robot.link_pose(home, "rh_palm")
    T_frame_tip = T_world_palm @ inverse_transform(T_tip_palm)
    direction = R_world_palm.apply((0.0, -1.0, 0.0))
    if frame != "world":
        T_frame_tip[:3, 3] -= CAN  # the object's axes are the world's
    message = Grasp(id="can/0")
    message.grasp_pose = pose_stamped(frame, T_frame_tip, time_message(0.0))
    message.pre_grasp_posture = posture(robot, [0.0])
    message.grasp_posture = posture(robot, [0.3, 0.4])
    message.pre_grasp_approach = translation(direction, frame, 0.1)
    message.post_grasp_retreat = translation((0.0, 0.0, 1.0), "world", 0.15)
    goal = Pickup.Goal(target_name="can", group_name="right_arm", support_surface_name="table")
    goal.possible_grasps = [message]
    return goal


def posture(robot, bends):
    """Fingers bent; names in an order of their own."""
    names = list(reversed(robot.hand.names))
    bent = [name[-1] in "23" and "TH" not in name and "WR" not in name for name in names]
    points = [JointTrajectoryPoint(positions=[bend * b for b in bent]) for bend in bends]
    return JointTrajectory(joint_names=names, points=points)


def translation(direction, frame, distance):
    stamped = Vector3Stamped(header=Header(frame_id=frame))
    stamped.vector.x, stamped.vector.y, stamped.vector.z = map(float, direction)
    return GripperTranslation(direction=stamped, desired_distance=distance, min_distance=distance)


def assert_refused(outcome, code, *texts):
    status, result = outcome
    assert result.error_code.val == code, result.error_code.message
    assert status == 6  # aborted
    for text in texts:
        assert text in result.error_code.message
