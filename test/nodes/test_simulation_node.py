"""The simulation node as a process of its own, and a client that uses it as the other nodes do."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import imageio_ffmpeg
import numpy as np
import pytest
import trimesh

pytest.importorskip("rclpy", reason="needs rclpy")

import rclpy
from action_msgs.msg import GoalStatus
from builtin_interfaces.msg import Time
from control_msgs.action import FollowJointTrajectory
from control_msgs.msg import JointTolerance
from geometry_msgs.msg import PoseArray
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState, PointCloud2
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from grasp_pose_net.models import config_file
from grasp_pose_net.nodes.messages.basics import duration_message, stamp_seconds, time_message
from grasp_pose_net.nodes.support.frames import TransformBuffer
from grasp_pose_net.nodes.support.qos import SENSOR
from grasp_pose_net.nodes.support.runtime import spinning
from grasp_pose_net.simulation.laboratory import WorldConfig
from grasp_pose_net.simulation.robot_files import posture, robot_model

pytestmark = [pytest.mark.ros, pytest.mark.sim]
ROBOT = robot_model("ur10_shadow")
HOME, OPEN = posture(ROBOT, ROBOT.arm, "home"), posture(ROBOT, ROBOT.hand, "open")
CAMERAS = WorldConfig().cameras.names
TABLE = WorldConfig().scene.table_top


class Client(Node):
    """Keeps the last message of every topic."""

    def __init__(self):
        super().__init__("simulation_test")
        self.last, self.count, self.stamps = {}, {}, []
        for name in CAMERAS:
            self.create_subscription(
                PointCloud2, f"/{name}/points", lambda m, n=name: self.take(n, m), SENSOR
            )
        self.create_subscription(JointState, "/joint_states", self.take_joints, 200)
        self.create_subscription(Clock, "/clock", lambda m: self.take("clock", m), 10)
        self.create_subscription(PoseArray, "/simulation/object_poses", lambda m: self.take("objects", m), 10)
        self.buffer = TransformBuffer(self)
        self.reset = self.create_client(Trigger, "/simulation/reset")
        self.set_parameters_client = self.create_client(SetParameters, "/simulation/set_parameters")
        self.get_parameters_client = self.create_client(GetParameters, "/simulation/get_parameters")
        self.actions = {
            name: ActionClient(self, FollowJointTrajectory, f"{name}/follow_joint_trajectory")
            for name in ("arm_controller", "hand_controller")
        }

    def take(self, key, message):
        self.last[key] = message
        self.count[key] = self.count.get(key, 0) + 1

    def take_joints(self, message):
        self.take("joints", message)
        self.stamps.append(stamp_seconds(message.header.stamp))

    def positions(self):
        message = self.last["joints"]
        return dict(zip(message.name, message.position, strict=True))

    def now(self):
        return stamp_seconds(self.last["clock"].clock)

    def call(self, client, request):
        return wait_for(client.call_async(request))

    def set(self, **values):
        parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        return [
            r.successful
            for r in self.call(
                self.set_parameters_client, SetParameters.Request(parameters=parameters)
            ).results
        ]

    def send(self, controller, goal):
        handle = wait_for(self.actions[controller].send_goal_async(goal))
        assert handle.accepted
        return handle


def until(condition, timeout_s=30.0, what="condition"):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}"
        time.sleep(0.02)


def wait_for(future, timeout_s=30.0):
    until(future.done, timeout_s, "an answer")
    return future.result()


def start(*overrides):
    command = [sys.executable, "-m", "grasp_pose_net.nodes.simulation", "--ros-args"]
    command += ["--params-file", str(config_file("simulation.yaml"))]
    # the demo's file spares the cores; what the node can do is tested at the full rates
    for override in ("joint_state_rate_hz:=100.0", "recording.rate_hz:=15.0", *overrides):
        command += ["-p", override]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    folder = tmp_path_factory.mktemp("meshes")
    trimesh.creation.box([0.06, 0.08, 0.12]).export(folder / "box.ply")
    trimesh.creation.cylinder(radius=0.03, height=0.11).export(folder / "can.ply")
    made = start(f"objects:={folder}", f"recordings:={folder}", "seed:=3")
    made.folder = folder
    yield made
    made.kill()
    made.communicate()


@pytest.fixture(scope="module")
def client(process):
    rclpy.init()
    node = Client()
    with spinning(node, threads=2):
        until(lambda: {"joints", "clock", "objects"} <= set(node.last), 60, "the simulation's topics")
        yield node
    node.destroy_node()
    rclpy.try_shutdown()


@pytest.fixture
def ready(client):
    """The client, with both action servers there and the arm at home."""
    for action in client.actions.values():
        assert action.wait_for_server(timeout_sec=30)
    assert client.call(client.reset, Trigger.Request()).success
    until(lambda: abs(client.positions()["elbow_joint"] - HOME["elbow_joint"]) < 0.01, what="home")
    return client


def goal(posture, seconds, start=None, **tolerances):
    names = list(posture)
    points = [
        JointTrajectoryPoint(positions=list(posture.values()), time_from_start=duration_message(seconds))
    ]
    if start is not None:
        points.insert(0, JointTrajectoryPoint(positions=[start[name] for name in names]))
    return FollowJointTrajectory.Goal(
        trajectory=JointTrajectory(joint_names=names, points=points), **tolerances
    )


def result(handle):
    return wait_for(handle.get_result_async())


def test_joint_states_come_at_100_hz_of_a_clock_that_only_goes_forward(client):
    first = len(client.stamps)
    until(lambda: len(client.stamps) > first + 100, what="100 joint states")
    steps = np.diff(client.stamps[first : first + 100])
    assert (steps > 0).all()
    assert np.median(steps) <= 0.0101
    assert set(client.positions()) == {*HOME, *OPEN}
    for name, value in (HOME | OPEN).items():
        assert abs(client.positions()[name] - value) < 0.01, name


def test_every_camera_sends_a_cloud_that_its_frame_puts_on_the_table(client):
    until(lambda: set(CAMERAS) <= set(client.last), 60, "a cloud of each camera")
    for name in CAMERAS:
        message = client.last[name]
        assert message.header.frame_id == f"{name}_optical"
        points = np.frombuffer(bytes(message.data), np.float32).reshape(-1, 3)
        assert len(points) == message.width > 100_000
        T_world_optical = client.buffer.lookup("world", message.header.frame_id, timeout_s=5)
        heights = points @ T_world_optical[2, :3] + T_world_optical[2, 3]
        on_table = np.abs(heights - TABLE[2]) < 0.015
        assert on_table.mean() > 0.4
        np.testing.assert_allclose(np.median(heights[on_table]), TABLE[2], atol=0.005)


def test_robot_links_are_on_tf(client):
    T_world_palm = client.buffer.lookup("world", "rh_palm", timeout_s=10)
    assert T_world_palm[2, 3] > TABLE[2] + 0.5
    np.testing.assert_allclose(T_world_palm[:3, 2], [0, 0, -1], atol=0.05)


def test_a_trajectory_is_followed(ready):
    target = HOME | {"elbow_joint": HOME["elbow_joint"] - 0.2, "wrist_1_joint": HOME["wrist_1_joint"] + 0.2}
    answer = result(ready.send("arm_controller", goal(target, 0.8)))
    assert answer.status == GoalStatus.STATUS_SUCCEEDED
    assert answer.result.error_code == FollowJointTrajectory.Result.SUCCESSFUL
    time.sleep(0.1)
    for name, value in target.items():
        until(lambda name=name, value=value: abs(ready.positions()[name] - value) < 0.012, what=name)


def test_arm_and_hand_move_at_the_same_time(ready):
    fist = OPEN | {f"rh_{f}J{j}": 0.9 for f in ("FF", "MF", "RF", "LF") for j in (1, 2, 3)}
    handles = [
        ready.send("arm_controller", goal(HOME | {"wrist_3_joint": 0.3}, 0.8)),
        ready.send("hand_controller", goal(fist, 0.8)),
    ]
    assert [result(handle).status for handle in handles] == [GoalStatus.STATUS_SUCCEEDED] * 2
    until(lambda: abs(ready.positions()["rh_MFJ3"] - 0.9) < 0.1, what="the fist")
    until(lambda: abs(ready.positions()["wrist_3_joint"] - 0.3) < 0.012, what="the wrist's goal")


@pytest.mark.parametrize(
    ("posture", "seconds", "code", "text"),
    [
        (
            {"elbow_joint": 0.0},
            1.0,
            FollowJointTrajectory.Result.INVALID_JOINTS,
            "missing: shoulder_lift_joint",
        ),
        (HOME | {"elbow_joint": 3.5}, 5.0, FollowJointTrajectory.Result.INVALID_GOAL, "outside its limits"),
        (
            HOME | {"elbow_joint": -1.0},
            0.2,
            FollowJointTrajectory.Result.INVALID_GOAL,
            "its limit is 3.142 rad/s",
        ),
    ],
)
def test_a_goal_that_cannot_be_followed_is_aborted_with_its_reason(ready, posture, seconds, code, text):
    answer = result(ready.send("arm_controller", goal(posture, seconds)))
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert answer.result.error_code == code
    assert text in answer.result.error_string


def test_a_trajectory_that_starts_elsewhere_or_in_the_past_is_refused(ready):
    elsewhere = goal(HOME, 1.0, start=HOME | {"elbow_joint": HOME["elbow_joint"] + 0.3})
    assert (
        "plan from the measured joint state"
        in result(ready.send("arm_controller", elsewhere)).result.error_string
    )
    past = goal(HOME, 0.1)
    past.trajectory.header.stamp = time_message(0.001)
    code = result(ready.send("arm_controller", past)).result.error_code
    assert code == FollowJointTrajectory.Result.OLD_HEADER_TIMESTAMP


def test_a_trajectory_of_another_clock_or_of_no_number_is_refused(ready):
    for stamp, text in ((Time(sec=2**31 - 1), "are the clocks in step?"), (Time(sec=-5), "is no time")):
        later = goal(HOME, 0.1)
        later.trajectory.header.stamp = stamp
        answer = result(ready.send("arm_controller", later)).result
        assert answer.error_code == FollowJointTrajectory.Result.INVALID_GOAL and text in answer.error_string
    broken = goal(HOME, 1.0, goal_tolerance=[JointTolerance(name="elbow_joint", position=float("nan"))])
    assert "nan is not a finite number" in result(ready.send("arm_controller", broken)).result.error_string


def test_a_tolerance_that_is_broken_aborts(ready):
    strict = goal(
        HOME | {"shoulder_pan_joint": 1.0},
        0.6,
        path_tolerance=[JointTolerance(name="shoulder_pan_joint", position=1e-6)],
    )
    answer = result(ready.send("arm_controller", strict))
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert answer.result.error_code == FollowJointTrajectory.Result.PATH_TOLERANCE_VIOLATED
    assert "shoulder_pan_joint was off by" in answer.result.error_string


def test_cancel_stops_the_arm_where_it_is(ready):
    handle = ready.send("arm_controller", goal(HOME | {"shoulder_pan_joint": 1.5}, 3.0))
    until(lambda: ready.positions()["shoulder_pan_joint"] > 0.2, what="motion")
    wait_for(handle.cancel_goal_async())
    assert result(handle).status == GoalStatus.STATUS_CANCELED
    time.sleep(0.3)
    stopped = ready.positions()["shoulder_pan_joint"]
    assert 0.2 < stopped < 1.4
    time.sleep(0.5)
    assert abs(ready.positions()["shoulder_pan_joint"] - stopped) < 0.005


def test_a_new_goal_takes_over_and_the_old_one_is_aborted(ready):
    old = ready.send("arm_controller", goal(HOME | {"shoulder_pan_joint": 1.5}, 30.0))
    until(lambda: ready.positions()["shoulder_pan_joint"] > 0.01, what="motion")
    new = ready.send("arm_controller", goal(HOME, 1.5))
    answer = result(old)
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert "replaced" in answer.result.error_string
    assert result(new).status == GoalStatus.STATUS_SUCCEEDED
    until(lambda: abs(ready.positions()["shoulder_pan_joint"]) < 0.012, what="the new goal")


def test_feedback_tells_desired_and_actual(ready):
    feedback = []
    future = ready.actions["arm_controller"].send_goal_async(
        goal(HOME | {"wrist_3_joint": 0.5}, 1.0), feedback_callback=feedback.append
    )
    assert result(wait_for(future)).status == GoalStatus.STATUS_SUCCEEDED
    assert len(feedback) >= 3
    last = feedback[-1].feedback
    column = list(last.joint_names).index("wrist_3_joint")
    assert last.desired.positions[column] - last.actual.positions[column] == last.error.positions[column]
    assert abs(last.error.positions[column]) < 0.05


def test_reset_places_the_episode_of_the_parameters(client):
    before = client.now()
    assert client.set(seed=5, episode=7) == [True, True]
    answers = [client.call(client.reset, Trigger.Request()) for _ in range(3)]
    reports = [json.loads(answer.message) for answer in answers]
    assert [report["episode"] for report in reports] == [7, 8, 9]
    assert [report["object"] for report in reports[:2]] in (["box", "can"], ["can", "box"])
    assert reports[0]["object"] == reports[2]["object"]
    until(lambda: client.now() > before + 0.5, what="time that goes on")
    pose = client.last["objects"].poses[0].position
    assert client.last["objects"].header.frame_id == "world"
    assert np.hypot(pose.x - TABLE[0], pose.y - TABLE[1]) < 0.2
    assert 0.02 < pose.z - TABLE[2] < 0.07
    assert (np.diff(client.stamps) > 0).all()


def test_reset_aborts_a_running_goal(ready):
    handle = ready.send("arm_controller", goal(HOME | {"shoulder_pan_joint": 1.5}, 5.0))
    assert ready.call(ready.reset, Trigger.Request()).success
    answer = result(handle)
    assert answer.status == GoalStatus.STATUS_ABORTED and "reset" in answer.result.error_string


def test_reset_without_a_usable_object_says_why(client, tmp_path):
    old = (
        client.call(client.get_parameters_client, GetParameters.Request(names=["objects"]))
        .values[0]
        .string_value
    )
    client.set(objects=str(tmp_path))
    answer = client.call(client.reset, Trigger.Request())
    assert not answer.success and "no mesh" in answer.message
    client.set(objects=old)


def test_fixed_parameters_cannot_be_changed(client):
    assert client.set(real_time_factor=2.0) == [False]


def test_a_video_is_finished_when_the_parameter_is_cleared(process, client):
    file = process.folder / "episode.mp4"
    assert client.set(video="episode.mp4") == [True]
    begin = client.now()
    until(lambda: client.now() > begin + 2, what="two simulated seconds")
    client.set(video="")

    frames, _ = imageio_ffmpeg.count_frames_and_secs(str(file))
    assert 25 <= frames <= 60


def test_no_file_is_written_outside_the_folder_that_the_node_was_started_with(process, client, tmp_path):
    other = tmp_path / "other.mp4"
    for name in (str(other), f"../{tmp_path.name}/other.mp4", "episode.txt"):
        parameter = Parameter("video", value=name).to_parameter_msg()
        request = SetParameters.Request(parameters=[parameter])
        (result,) = client.call(client.set_parameters_client, request).results
        assert not result.successful
        assert "video: " in result.reason and ("it is not in" in result.reason or "MP4" in result.reason)
    begin = client.now()
    until(lambda: client.now() > begin + 0.5, what="half a simulated second")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_ends_the_process_soon_and_quietly(process, client):
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=8)
    assert process.returncode == 0
    assert "Traceback" not in output


def test_an_unknown_parameter_ends_the_process_with_one_line():
    process = start("cloud_rate:=2.0")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "unknown key 'cloud_rate'; valid keys: " in output and "Traceback" not in output
