"""Cancel pick-ups in simulation, in each of the stages reach, approach, close and lift, and see what the robot does.

    python scripts/check_cancel.py --times 10 --out docs/cancel_report.json

Starts the five nodes, looks at one object and plans for it once. Each trial puts the same scene back, begins the pick-up,
cancels it at a random moment of a stage, and watches the joints. Asked are: the arm stands still (no joint faster than
0.01 rad/s) within 0.3 s of the robot's clock, no joint leaves its limits of position and speed, the action ends as
preempted, and the next pick-up succeeds: of the same goal at once after reach and approach; after close and lift, when the
object may have been moved, once ``open_hand`` and ``retreat`` have brought the hand away and the scene is put back.
Prints a Markdown table; the exit status is 1 where something was not as asked.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from moveit_msgs.action import Pickup
from moveit_msgs.msg import MoveItErrorCodes
from moveit_msgs.srv import GraspPlanning
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from grasp_pose_net.bringup import NODES, Runner, Start
from grasp_pose_net.exceptions import ExecutionError, GraspPoseNetError
from grasp_pose_net.execution import RobotModel
from grasp_pose_net.geometry import Array
from grasp_pose_net.models import robot_srdf, robot_urdf, share_dir
from grasp_pose_net.nodes.demo import connected
from grasp_pose_net.nodes.demo_client import DemoClient
from grasp_pose_net.nodes.messages import duration_seconds, stamp_seconds
from grasp_pose_net.reports import commit

STAGES = ("reach", "approach", "close", "lift")
STOP_WITHIN_S = 0.3
STILL_RAD_S = 0.01
SPEED_TOLERANCE = 1.01  # as the simulated controllers allow between the points of a trajectory
WATCH_S = 1.0  # after a cancel, simulated
ANSWER_S = 600.0  # longest wait for the end of a pick-up, wall


@dataclass(frozen=True)
class Trial:
    """One cancelled pick-up; times in seconds of the robot's clock unless named otherwise."""

    stage: str
    delay_s: float
    arm_stop_s: float
    arm_stop_wall_s: float
    hand_stop_s: float
    hand_drift_rad: float
    largest_speed: float  # of any joint, as part of its limit
    outside_limits: list[str]
    preempted: bool
    answer: str
    next_succeeds: bool
    next_answer: str

    @property
    def good(self) -> bool:
        """Whether all was as asked."""
        in_limits = self.largest_speed <= SPEED_TOLERANCE and not self.outside_limits
        return self.arm_stop_s <= STOP_WITHIN_S and in_limits and self.preempted and self.next_succeeds


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
        self._services = {
            name: client.create_client(Trigger, f"/executor/{name}") for name in ("open_hand", "retreat")
        }
        self._stages: list[str] = []
        self.goal = Pickup.Goal()
        self.durations: dict[str, float] = {}

    def prepare(self) -> None:
        """Look, plan, and do the pick-up once without cancelling, which tells how long each stage takes.

        Raises:
            ExecutionError: the object is not seen, has no grasp, or cannot be lifted.
        """
        self._put_back()
        self._client.trigger(self._client.capture_client)
        plan = self._client.call(self._client.plan_client, GraspPlanning.Request(), ANSWER_S)
        if plan.error_code.val != MoveItErrorCodes.SUCCESS:
            raise ExecutionError(f"no grasp: {plan.error_code.message}")
        self.goal.target_name = plan.grasps[0].id.rpartition("/")[0]
        self.goal.possible_grasps = plan.grasps
        result = self._result(self._send()).result
        if result.error_code.val != MoveItErrorCodes.SUCCESS:
            raise ExecutionError(f"the pick-up without a cancel fails: {result.error_code.message}")
        self.goal.possible_grasps = [result.grasp]
        for stage, motion in zip(result.trajectory_descriptions, result.trajectory_stages, strict=True):
            seconds = duration_seconds(motion.joint_trajectory.points[-1].time_from_start)
            self.durations[stage] = self.durations.get(stage, 0.0) + seconds

    def trial(self, stage: str) -> Trial:
        """Cancel in one stage, and pick up again."""
        self._put_back()
        delay = float(self._rng.uniform(0.05, 0.9) * self.durations[stage])
        self._joints.restart()
        handle = self._send()
        self._client.wait(lambda: stage in self._stages, ANSWER_S, f"stage {stage}")
        begin = self._joints.now
        self._client.wait(lambda: self._joints.now >= begin + delay, ANSWER_S, "the moment to cancel")
        now, wall = self._joints.now, time.monotonic()
        self._client.result(handle.cancel_goal_async(), ANSWER_S, "the answer to the cancel")
        result = self._result(handle).result
        self._client.wait(lambda: self._joints.now >= now + WATCH_S, ANSWER_S, "the joints after the cancel")
        arm, hand = self._robot.arm.indices, self._robot.hand.indices
        arm_stop, arm_stop_wall = self._joints.stop(arm, now, wall)
        speed, outside = self._joints.largest_speed(), self._joints.outside_limits()
        hand_stop, drift = (
            self._joints.stop(hand, now, wall)[0],
            self._joints.drift(hand, now + STOP_WITHIN_S),
        )
        code, answer = self._next(stage)
        return Trial(
            stage, delay, arm_stop, arm_stop_wall, hand_stop, drift, speed, outside,
            result.error_code.val == MoveItErrorCodes.PREEMPTED, result.error_code.message,
            code == MoveItErrorCodes.SUCCESS, answer,
        )  # fmt: skip

    def _next(self, stage: str) -> tuple[int, str]:
        """Code and text of the pick-up after a cancelled one."""
        if stage in ("close", "lift"):
            for service in self._services.values():
                answer = self._client.call(service, Trigger.Request(), ANSWER_S)
                if not answer.success:
                    return MoveItErrorCodes.FAILURE, answer.message
            self._put_back()
        error = self._result(self._send()).result.error_code
        return error.val, error.message

    def _put_back(self) -> None:
        """The first episode again: the same object at the same place, the robot at home."""
        self._client.set_simulation(episode=0)
        self._client.trigger(self._client.reset_client)

    def _send(self) -> Any:
        self._stages = stages = []
        sent = self._client.pickup_client.send_goal_async(
            self.goal, lambda message: stages.append(message.feedback.state)
        )
        return self._client.result(sent, ANSWER_S, "/pickup to accept the goal")

    def _result(self, handle: Any) -> Any:
        return self._client.result(handle.get_result_async(), ANSWER_S, "the end of /pickup")


def table(trials: list[Trial]) -> str:
    """What came of it, as Markdown."""
    lines = ["| cancelled in | trials | as asked | arm stops, worst | hand drifts, worst | next succeeds |"]
    lines.append("|---|---|---|---|---|---|")
    for stage in dict.fromkeys(trial.stage for trial in trials):
        own = [trial for trial in trials if trial.stage == stage]
        lines.append(
            f"| {stage} | {len(own)} | {sum(t.good for t in own)} | {max(t.arm_stop_s for t in own):.2f} s "
            f"| {max(t.hand_drift_rad for t in own):.3f} rad | {sum(t.next_succeeds for t in own)} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the trials and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=10, help="cancels in each stage")
    parser.add_argument("--object", type=Path, default=share_dir() / "models" / "objects" / "can.ply")
    parser.add_argument(
        "--seed", type=int, default=0, help="decides place of the object and moments of the cancels"
    )
    parser.add_argument("--logs", type=Path, default=Path("runs") / "cancel")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    given = parser.parse_args()
    parameters = {node.name: node.overrides(Start(objects=str(given.object.resolve()))) for node in NODES}
    parameters["simulation"]["seed"] = given.seed
    trials: list[Trial] = []
    with (
        Runner(given.logs.resolve(), parameters) as runner,
        connected(lambda: DemoClient(runner.check)) as client,
    ):
        client.wait_until_ready()
        check = Check(client, np.random.default_rng(given.seed))
        check.prepare()
        for number in range(given.times):
            for stage in STAGES:
                trials.append(check.trial(stage))
                print(f"{number + 1} {stage}: {'ok' if trials[-1].good else trials[-1]}", flush=True)
        report = {
            "object": given.object.name,
            "seed": given.seed,
            "durations_s": check.durations,
            "trials": [asdict(trial) | {"good": trial.good} for trial in trials],
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
            "commit": commit(),
        }
    given.out.write_text(json.dumps(report, indent=1) + "\n")
    print(table(trials))
    raise SystemExit(0 if all(trial.good for trial in trials) else 1)


if __name__ == "__main__":
    try:
        main()
    except GraspPoseNetError as error:
        raise SystemExit(f"error: {error}") from error
