"""Cancels pick-ups in simulation, in each of their stages, and sees what the robot does; see `study cancel`.

Long because it is one measurement, from the set-up to its table.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseArray
from moveit_msgs.action import Pickup
from moveit_msgs.msg import MoveItErrorCodes, PlanningSceneWorld
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from grasp_pose_net.bringup import Runner
from grasp_pose_net.exceptions import ExecutionError
from grasp_pose_net.markdown import table
from grasp_pose_net.models import robot_srdf, robot_urdf
from grasp_pose_net.nodes.messages.basics import duration_seconds, stamp_seconds, transform_from_pose
from grasp_pose_net.nodes.messages.grasps import grasp_message
from grasp_pose_net.nodes.messages.scene import object_message
from grasp_pose_net.nodes.support.demo_client import DemoClient, connected
from grasp_pose_net.nodes.support.qos import LATCHED
from grasp_pose_net.nodes.support.runtime import without_pauses
from grasp_pose_net.provenance import record
from grasp_pose_net.robot import RobotModel
from grasp_pose_net.shapes import load_mesh
from grasp_pose_net.simulation.scene_model import SceneConfig
from grasp_pose_net.storage import save_json
from grasp_pose_net.system import NODES, Start
from grasp_pose_net.world import WORLD, Array, Grasp, Role, SceneObject, inverse_transform, make_transform

PLAN = "plan"
STAGES = (PLAN, "reach", "approach", "close", "lift")
STOP_WITHIN_S = 0.3
STILL_RAD_S = 0.01
SPEED_TOLERANCE = 1.01  # as the simulated controllers allow between the points of a trajectory
SETTLE_S = 0.3  # after a reset, simulated
WATCH_S = 1.0  # after a cancel, simulated
ANSWER_S = 900.0  # longest wait for anything, wall: simulated time may be much slower
TARGET, TABLE = "object", "table"
YAWS_DEG = (0, 45, -45, 90, -90, 135, -135, 180)
TILT_DEG = 150.0
# Where the object comes to be in the palm: in front of it and between palm and fingertips [m]. Fingers that reach below
# need room above the table.
IN_HAND_M, LEAST_HEIGHT_M = (0.0, -0.06, 0.07), 0.10
BEND_RAD = (0.0, 0.5, 0.6)  # of the fingers at pre-grasp, grasp and squeeze


@dataclass(frozen=True)
class Trial:
    """One cancelled pick-up; times in seconds of the robot's clock unless named otherwise."""

    stage: str
    delay_s: float
    answer_s: float
    answer_wall_s: float
    arm_stop_s: float
    arm_stop_wall_s: float
    hand_stop_s: float
    hand_drift_rad: float
    largest_speed: float  # of any joint, as part of its limit
    outside_limits: list[str]
    preempted: bool
    answer: str
    home_succeeds: bool | None  # None: it was not asked for
    home_answer: str
    next_succeeds: bool
    next_answer: str
    next_rose_m: float  # of the object, with that pick-up

    @property
    def good(self) -> bool:
        """Whether all was as asked."""
        in_limits = self.largest_speed <= SPEED_TOLERANCE and not self.outside_limits
        in_time = max(self.arm_stop_s, self.answer_s) <= STOP_WITHIN_S
        went_on = self.home_succeeds is not False and self.next_succeeds
        return in_time and in_limits and self.preempted and went_on


class Joints:
    """Records the joint states of the robot."""

    def __init__(self, client: DemoClient, robot: RobotModel) -> None:
        """Begin to listen."""
        self._robot = robot
        self._rows: list[tuple[float, float, Array, Array]] = []
        client.create_subscription(JointState, "/joint_states", self._take, 50)

    def _take(self, message: JointState) -> None:
        order = [message.name.index(name) for name in self._robot.joint_names]
        row = (np.array(message.position)[order], np.array(message.velocity)[order])
        self._rows.append((stamp_seconds(message.header.stamp), time.monotonic(), *row))

    def restart(self) -> None:
        """Forget what was recorded."""
        self._rows = []

    @property
    def now(self) -> float:
        """Time of the newest joint state [s]; minus infinity before the first."""
        return self._rows[-1][0] if self._rows else -np.inf

    def stop(self, indices: Array, since: float, since_wall: float) -> tuple[float, float]:
        """Time from a moment until some joints stand still for good [s]: of the robot's clock, of the wall's."""
        moving = [row for row in self._rows if row[0] > since and np.abs(row[3][indices]).max() > STILL_RAD_S]
        if not moving:
            return 0.0, 0.0
        return moving[-1][0] - since, moving[-1][1] - since_wall

    def drift(self, indices: Array, since: float) -> float:
        """Most that a joint has moved after a moment [rad]."""
        positions = np.array([row[2][indices] for row in self._rows if row[0] >= since])
        return float(np.abs(positions - positions[0]).max()) if len(positions) else 0.0

    def largest_speed(self) -> float:
        """Of any joint, as part of its limit."""
        speeds = np.abs(np.array([row[3] for row in self._rows]))
        return float((speeds / self._robot.model.velocityLimit).max())

    def outside_limits(self) -> list[str]:
        """Joints that were outside their limits of position by more than 0.05 rad, as the executor tolerates it."""
        found: set[str] = set()
        for _, _, positions, _ in self._rows:
            found |= set(self._robot.outside_limits(positions, 0.05))
        return sorted(found)


class Check:
    """Does the trials."""

    def __init__(self, client: DemoClient, rng: np.random.Generator) -> None:
        """Connect to the services."""
        self._client, self._rng = client, rng
        self._robot = RobotModel(robot_urdf(), robot_srdf())
        self._joints = Joints(client, self._robot)
        self._services: dict[str, Any] = {
            name: client.create_client(Trigger, f"/executor/{name}")
            for name in ("open_hand", "retreat", "home")
        }
        self._scene = client.create_publisher(PlanningSceneWorld, "/perception/objects", LATCHED)
        self._object_poses: list[Array] = []
        client.create_subscription(PoseArray, "/simulation/object_poses", self._take_poses, 10)
        self._robot_is_ready = False
        client.create_subscription(DiagnosticArray, "/diagnostics", self._take_diagnostics, 10)
        self._stages: list[str] = []
        self.goal = Pickup.Goal(target_name=TARGET, support_surface_name=TABLE)
        self.durations: dict[str, float] = {}

    def prepare(self, file: Path) -> None:
        """Show the scene, and do the pick-up once without cancelling, which tells how long each stage takes.

        Raises:
            ExecutionError: it does not succeed.
        """
        for service in (self._client.reset_client, self._client.parameters_client, *self._services.values()):
            self._client.wait(service.service_is_ready, ANSWER_S, f"service {service.srv_name}")
        self._client.wait(self._client.pickup_client.server_is_ready, ANSWER_S, "action /pickup")
        self._client.wait(
            lambda: self._robot_is_ready, ANSWER_S, "the executor to hear of the robot's joints"
        )
        self._put_back()
        T_world_object = self._object_poses[-1]
        self._show(file, T_world_object)
        grasps = [slanted_grasp(self._robot, T_world_object, yaw) for yaw in YAWS_DEG]
        self.goal.possible_grasps = [grasp_message(grasp, WORLD, Time()) for grasp in grasps]
        result = self._result(self._send()).result
        if result.error_code.val != MoveItErrorCodes.SUCCESS:
            raise ExecutionError(f"the pick-up without a cancel fails: {result.error_code.message}")
        self.goal.possible_grasps = [result.grasp]
        self.durations[PLAN] = float(result.planning_time)
        for stage, motion in zip(result.trajectory_descriptions, result.trajectory_stages, strict=True):
            seconds = duration_seconds(motion.joint_trajectory.points[-1].time_from_start)
            self.durations[stage] = self.durations.get(stage, 0.0) + seconds

    def trial(self, stage: str, home: bool) -> Trial:
        """Cancel in one stage, perhaps go home, and pick up again."""
        self._put_back()
        delay = float(self._rng.uniform(0.05, 0.9) * self.durations[stage])
        self._joints.restart()
        handle = self._send()
        self._client.wait(lambda: stage in [PLAN, *self._stages], ANSWER_S, f"stage {stage}")
        self._client.wait(lambda: np.isfinite(self._joints.now), ANSWER_S, "the joints")
        begin = self._joints.now
        self._client.wait(lambda: self._joints.now >= begin + delay, ANSWER_S, "the moment to cancel")
        now, wall = self._joints.now, time.monotonic()
        self._client.result(handle.cancel_goal_async(), ANSWER_S, "the answer to the cancel")
        result = self._result(handle).result
        answer, answer_wall = self._joints.now - now, time.monotonic() - wall
        self._client.wait(lambda: self._joints.now >= now + WATCH_S, ANSWER_S, "the joints after the cancel")
        arm, hand = self._robot.arm.indices, self._robot.hand.indices
        arm_stop, arm_stop_wall = self._joints.stop(arm, now, wall)
        hand_stop, drift = (
            self._joints.stop(hand, now, wall)[0],
            self._joints.drift(hand, now + STOP_WITHIN_S),
        )
        speed, outside = self._joints.largest_speed(), self._joints.outside_limits()
        at_home = self._ask("home") if home else None
        code, next_answer, rose = self._next(stage, home)
        return Trial(
            stage, delay, answer, answer_wall, arm_stop, arm_stop_wall, hand_stop, drift, speed, outside,
            result.error_code.val == MoveItErrorCodes.PREEMPTED, result.error_code.message,
            at_home.success if at_home else None, at_home.message if at_home else "",
            code == MoveItErrorCodes.SUCCESS, next_answer, rose,
        )  # fmt: skip

    def _ask(self, service: str) -> Trigger.Response:
        return self._client.call(self._services[service], Trigger.Request(), ANSWER_S)

    def _next(self, stage: str, is_home: bool) -> tuple[int, str, float]:
        """Code and text of the pick-up after a cancelled one, and how far the object rose with it [m]."""
        if stage in ("close", "lift"):
            for service in () if is_home else ("open_hand", "retreat"):
                answer = self._ask(service)
                if not answer.success:
                    return MoveItErrorCodes.FAILURE, answer.message, 0.0
            self._put_back()
        before = self._object_poses[-1][2, 3]
        error = self._result(self._send()).result.error_code
        return error.val, error.message, float(self._object_poses[-1][2, 3] - before)

    def _put_back(self) -> None:
        """The first episode again: the same object at the same place, the robot at home."""
        episode = Parameter("episode", value=0).to_parameter_msg()
        request = SetParameters.Request(parameters=[episode])
        self._client.call(self._client.parameters_client, request, ANSWER_S)
        answer = self._client.call(self._client.reset_client, Trigger.Request(), ANSWER_S)
        if not answer.success:
            raise ExecutionError(f"the simulation was not reset: {answer.message}")
        self._object_poses = []
        self._client.wait(lambda: len(self._object_poses) > 1, ANSWER_S, "the object's pose")
        # the executor must have heard, too, that the robot is elsewhere all of a sudden
        begin = self._joints.now
        self._client.wait(lambda: self._joints.now >= begin + SETTLE_S, ANSWER_S, "the joints at home")

    def _show(self, file: Path, T_world_object: Array) -> None:
        config = SceneConfig()
        size = (*config.table_size_m, 0.04)
        T_world_table = make_transform((*config.table_center_m, config.table_height_m - size[2] / 2))
        target = SceneObject.target(TARGET, T_world_object, load_mesh(file))
        table = SceneObject.box(TABLE, T_world_table, size, Role.SUPPORT)
        objects = [object_message(entry, WORLD) for entry in (target, table)]
        self._scene.publish(PlanningSceneWorld(collision_objects=objects))
        shown = self._joints.now
        self._client.wait(lambda: self._joints.now >= shown + SETTLE_S, ANSWER_S, "the executor to see it")

    def _take_diagnostics(self, message: DiagnosticArray) -> None:
        levels = {status.name: status.level for status in message.status}
        self._robot_is_ready |= levels.get("executor: robot") == DiagnosticStatus.OK

    def _take_poses(self, message: PoseArray) -> None:
        self._object_poses.append(transform_from_pose(message.poses[0]))

    def _send(self) -> Any:
        self._stages = stages = []
        sent = self._client.pickup_client.send_goal_async(
            self.goal, lambda message: stages.append(message.feedback.state)
        )
        return self._client.result(sent, ANSWER_S, "/pickup to accept the goal")

    def _result(self, handle: Any) -> Any:
        return self._client.result(handle.get_result_async(), ANSWER_S, "the end of /pickup")


def slanted_grasp(robot: RobotModel, T_world_object: Array, yaw_deg: float) -> Grasp:
    """A hand that comes from above at a slant, its palm turned about the vertical."""
    turn = Rotation.from_euler("xz", [TILT_DEG, yaw_deg - 90.0], degrees=True)
    T_world_palm = np.eye(4)
    T_world_palm[:3, :3] = turn.as_matrix()
    x, y, z = T_world_object[:3, 3]
    in_hand = (x, y, max(z, SceneConfig().table_height_m + LEAST_HEIGHT_M))
    T_world_palm[:3, 3] = in_hand - turn.apply(IN_HAND_M)
    home = robot.named_states["home"]
    T_palm_tip = inverse_transform(robot.link_pose(home, "rh_palm")) @ robot.link_pose(home, robot.tip)
    # fingers bent in their two flexing joints
    names = robot.hand.names
    flexes = np.array([name[-1] in "23" and "TH" not in name and "WR" not in name for name in names], float)
    opened, touch, squeeze = (bend * flexes for bend in BEND_RAD)
    return Grasp(
        id=f"slanted/{yaw_deg}",
        joint_names=names,
        T_world_tip=T_world_palm @ T_palm_tip,
        approach=turn.apply((0.0, -1.0, 0.0)),
        approach_m=(0.10, 0.10),
        retreat=np.array([0.0, 0.0, 1.0]),
        retreat_m=(0.15, 0.15),
        pre_grasp=opened,
        grasp=touch,
        squeeze=squeeze,
    )


def table_of(trials: list[Trial]) -> str:
    """What came of it, as Markdown."""
    head = (
        "cancelled in", "trials", "as asked", "answer, worst", "arm stops, worst", "hand drifts, worst", "home succeeds",
        "next succeeds",
    )  # fmt: skip
    rows = []
    for stage in dict.fromkeys(trial.stage for trial in trials):
        own = [trial for trial in trials if trial.stage == stage]
        stop, drift = max(t.arm_stop_s for t in own), max(t.hand_drift_rad for t in own)
        counts = (len(own), sum(t.good for t in own))
        homes = [t.home_succeeds for t in own if t.home_succeeds is not None]
        answer = max(t.answer_s for t in own)
        rows.append((
            stage, *counts, f"{answer:.2f} s", f"{stop:.2f} s", f"{drift:.3f} rad", f"{sum(homes)} of {len(homes)}",
            sum(t.next_succeeds for t in own),
        ))  # fmt: skip
    return "\n".join(table(head, rows))


def check_cancels(
    mesh: Path, times: int, seed: int, logs: Path, out: Path, say: Callable[[str], None]
) -> bool:
    """Run the trials and write the report after each of them; whether all was as asked.

    Args:
        mesh: the object.
        times: cancels in each stage.
        seed: decides place of the object and moments of the cancels.
        logs: folder for what the nodes say.
        out: JSON file to write.
        say: takes lines for people.
    """
    nodes = [node for node in NODES if node.name in ("simulation", "executor")]
    parameters = {node.name: node.overrides(Start(objects=str(mesh.resolve()))) for node in nodes}
    parameters["simulation"]["seed"] = seed
    parameters["executor"]["pickup.held_rad"] = (
        0.0  # these grasps are made without a planner, and need not hold
    )
    trials: list[Trial] = []
    with (
        Runner(logs.resolve(), parameters, nodes) as runner,
        connected(lambda: DemoClient(runner.check)) as client,
    ):
        check = Check(client, np.random.default_rng(seed))
        check.prepare(mesh)
        without_pauses()
        for number in range(times):
            for stage in STAGES:
                trials.append(check.trial(stage, home=number % 2 == 0))
                say(f"{number + 1} {stage}: {'ok' if trials[-1].good else trials[-1]}")
                about = {"object": mesh.name, "durations_s": check.durations, "load": os.getloadavg()[1]}
                rows = [asdict(trial) | {"good": trial.good} for trial in trials]
                # after each: what ends the run early shall not take its trials along
                save_json(out, about | {"trials": rows} | record(seed))
    say(table_of(trials))
    return all(trial.good for trial in trials)
