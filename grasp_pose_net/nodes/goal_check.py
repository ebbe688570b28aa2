"""How many answers of controllers the client library loses under load, and whether a motion goes unwatched for that.

A controller in a process of its own that ends every goal at once, and here the executor's client of controllers, beside threads
that keep Python busy. rclpy 9.1.2 loses up to one answer in twelve so; the status topic must make up for each.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import rclpy
from control_msgs.action import FollowJointTrajectory
from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from grasp_pose_net.bringup import prepare_environment
from grasp_pose_net.execution import smooth_move
from grasp_pose_net.models import robot_srdf, robot_urdf
from grasp_pose_net.nodes.support.controller_client import ControllerClient, ControllerParameters
from grasp_pose_net.nodes.support.runtime import spinning
from grasp_pose_net.robot import ExecutionFailed, MotionConfig, RobotModel, never
from grasp_pose_net.world import Trajectory

EXECUTOR_THREADS = 8  # as the executor has
MOTION_S, TOLD_S, READY_S = 0.01, 0.02, 20.0
REPORT = 100


@dataclass
class GoalCount:
    """What became of goals.

    Attributes:
        goals: that were sent.
        done: that were followed to their end.
        lost: whose answer the client library lost.
        begun: that the controller began.
        failures: what was said of the others.
        seconds: that it took.
    """

    goals: int = 0
    done: int = 0
    lost: int = 0
    begun: int = 0
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def unwatched(self) -> int:
        """Motions that the controller did and nobody knew the end of."""
        return self.begun - self.done


class QuickRobot(Node):
    """Stands still, and ends every motion of its arm at once."""

    def __init__(self, robot: RobotModel, action: str) -> None:
        """Offer the arm's action, and tell the joints.

        Args:
            robot: whose joints are told.
            action: name.
        """
        super().__init__("quick_robot")
        self.begun = 0
        self._names, self._home = list(robot.joint_names), robot.named_states["home"].tolist()
        self._joints = self.create_publisher(JointState, "/joint_states", 10)
        group = ReentrantCallbackGroup()
        self.create_timer(TOLD_S, self._tell, callback_group=group)
        self._server = ActionServer(
            self,
            FollowJointTrajectory,
            action,
            execute_callback=self._follow,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=group,
        )

    def _tell(self) -> None:
        header = Header(stamp=self.get_clock().now().to_msg())
        self._joints.publish(JointState(header=header, name=self._names, position=self._home))

    def _follow(self, handle: ServerGoalHandle) -> FollowJointTrajectory.Result:
        self.begun += 1
        time.sleep(MOTION_S)
        handle.succeed()
        return FollowJointTrajectory.Result()


def count_goals(
    goals: int, busy: int = 1, turn_s: float = 2e-5, say: Callable[[str], None] = lambda text: None
) -> GoalCount:
    """Send goals one after the other under load; rclpy is initialised by the caller.

    Args:
        goals: how many.
        busy: threads that do nothing but compute.
        turn_s: for which Python lets a thread go on; short, so that others come between any two lines of the client library.
        say: takes a line for people every hundred goals.
    """
    robot = RobotModel(robot_urdf(), robot_srdf())
    node = Node("goal_check")
    client = ControllerClient(node, robot, ControllerParameters(state_age_s=5.0))
    limits = MotionConfig(velocity_scale=1.0, acceleration_scale=1.0).arm_limits(robot)
    joints = robot.named_states["home"][robot.arm.indices]
    ended = threading.Event()
    threads = [threading.Thread(target=_compute, args=[ended], daemon=True) for _ in range(busy)]
    command = [sys.executable, "-m", "grasp_pose_net.nodes.goal_check"]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as quick,
        spinning(node, threads=EXECUTOR_THREADS),
    ):
        _wait_for(client)
        usual = sys.getswitchinterval()
        sys.setswitchinterval(turn_s)
        for thread in threads:
            thread.start()
        began = time.monotonic()
        count = _send(client, smooth_move(robot.arm.names, joints, joints, limits), goals, say)
        count.seconds = time.monotonic() - began
        sys.setswitchinterval(usual)
        ended.set()
        count.begun = int(quick.communicate("\n")[0])
    node.destroy_node()
    return count


def goals_under_load(goals: int, say: Callable[[str], None]) -> GoalCount:
    """As :func:`count_goals`, from where rclpy has not been initialised."""
    prepare_environment()
    rclpy.init()
    try:
        return count_goals(goals, say=say)
    finally:
        rclpy.try_shutdown()


def serve() -> None:
    """Be the controller until a line comes on standard input; then say how many motions were begun."""
    rclpy.init()
    quick = QuickRobot(RobotModel(robot_urdf(), robot_srdf()), ControllerParameters().arm)
    with spinning(quick):
        sys.stdin.readline()
    print(quick.begun)  # noqa: T201
    quick.destroy_node()
    rclpy.try_shutdown()


def _send(client: ControllerClient, motion: Trajectory, goals: int, say: Callable[[str], None]) -> GoalCount:
    count, action = GoalCount(), client.action(motion.joint_names)
    for number in range(goals):
        count.goals += 1
        try:
            client.execute(motion, False, never)
            count.done += 1
        except ExecutionFailed as failure:
            count.failures.append(str(failure))
        count.lost += not action.last.answered
        if (number + 1) % REPORT == 0:
            say(f"{number + 1} goals, {count.done} done, {count.lost} answers lost")
    return count


def _wait_for(client: ControllerClient) -> None:
    """Until the joints are told.

    Raises:
        ExecutionFailed: they are not.
    """
    deadline = time.monotonic() + READY_S
    while True:
        try:
            client.joint_state()
            return
        except ExecutionFailed:
            if time.monotonic() > deadline:
                raise
            time.sleep(TOLD_S)


def _compute(ended: threading.Event) -> None:
    while not ended.is_set():
        sum(range(2000))


if __name__ == "__main__":
    serve()
