"""The five nodes: a pick-up is cancelled with the hand over the table, and everything goes on from there."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from moveit_msgs.action import Pickup
from moveit_msgs.msg import MoveItErrorCodes
from moveit_msgs.srv import GraspPlanning
from std_srvs.srv import Trigger
from test_security import allowed

from grasp_pose_net.bringup import Runner
from grasp_pose_net.models import robot_srdf, robot_urdf
from grasp_pose_net.nodes.support.controller_client import ControllerClient, ControllerParameters
from grasp_pose_net.nodes.support.demo_client import DemoClient, connected
from grasp_pose_net.robot import RobotModel
from grasp_pose_net.system import ENCLAVES, NODES, Start

pytestmark = [pytest.mark.ros, pytest.mark.sim, pytest.mark.slow]
CAN = Path(__file__).parents[1] / "models" / "objects" / "can.ply"
ANSWER_S = 120.0


class Client(DemoClient):
    """Asks one thing after the other."""

    def __init__(self, check):
        super().__init__(check)
        self.home_client = self.create_client(Trigger, "/executor/home")

    def capture(self):
        answer = self.call(self.capture_client, Trigger.Request(), ANSWER_S)
        assert answer.success, answer.message
        return answer.message

    def plan(self):
        answer = self.call(self.plan_client, GraspPlanning.Request(), ANSWER_S)
        assert answer.error_code.val == MoveItErrorCodes.SUCCESS, answer.error_code.message
        return answer.grasps

    def pick(self, grasps, cancel_in=""):
        stages = []
        goal = Pickup.Goal(target_name=grasps[0].id.rpartition("/")[0], possible_grasps=grasps)
        sent = self.pickup_client.send_goal_async(goal, lambda m: stages.append(m.feedback.state))
        handle = self.result(sent, ANSWER_S, "/pickup to accept")
        ended = handle.get_result_async()
        if cancel_in:
            self.wait(lambda: cancel_in in stages or ended.done(), ANSWER_S, cancel_in)
            handle.cancel_goal_async()
        return self.result(ended, ANSWER_S, "the end of /pickup").result.error_code


def beyond_the_policy(client):
    """What the nodes offer and use, by kind, node and name, and the policy for enclaves does not allow."""
    kinds = {
        "publish": client.get_publisher_names_and_types_by_node,
        "subscribe": client.get_subscriber_names_and_types_by_node,
        "reply": client.get_service_names_and_types_by_node,
        "request": client.get_client_names_and_types_by_node,
    }
    of_action = {"publish": "execute", "reply": "execute", "subscribe": "call", "request": "call"}
    found, beyond = 0, []
    for node in NODES:
        for kind, ask in kinds.items():
            for name, _ in ask(node.name, "/"):
                action = re.fullmatch("(.*)/_action/.*", name)
                what, name = (of_action[kind], action[1]) if action else (kind, name)
                found += 1
                if not any(fnmatch(name, one) for one in allowed(f"{ENCLAVES}/{node.name}", what)):
                    beyond.append((node.name, what, name))
    assert found > 90
    return beyond


@pytest.mark.timeout(900)
def test_capture_plan_home_and_pick_up_after_a_cancel_over_the_table(tmp_path):
    parameters = {node.name: node.overrides(Start(objects=str(CAN))) for node in NODES}
    robot = RobotModel(robot_urdf(), robot_srdf())
    home = robot.named_states["home"][robot.arm.indices]
    with Runner(tmp_path / "logs", parameters) as runner, connected(lambda: Client(runner.check)) as client:
        joints = ControllerClient(client, robot, ControllerParameters())
        client.wait_until_ready()
        assert beyond_the_policy(client) == []
        before = client.capture()
        assert "the robot" not in before
        code = client.pick(client.plan(), cancel_in="approach")
        assert code.val == MoveItErrorCodes.PREEMPTED, code.message
        seen = client.capture()
        assert "the robot is in view: " in seen and "not to be grasped" not in seen, seen
        # from where it stands, the arm could go on
        assert client.plan()
        answer = client.call(client.home_client, Trigger.Request(), ANSWER_S)
        assert answer.success and answer.message.startswith("at home. Arm: "), answer.message
        measured = robot.configuration(joints.joint_state().by_name)[robot.arm.indices]
        assert abs(measured - home).max() < 0.02
        assert "the robot" not in client.capture()
        code = client.pick(client.plan())
        assert code.val == MoveItErrorCodes.SUCCESS, code.message
