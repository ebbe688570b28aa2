"""How nodes are spun: without pauses, and without keeping the cores busy."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest
import rclpy
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from std_msgs.msg import Float64

from grasp_pose_net.nodes.support.runtime import spinning

COUNT = 300
NODE = """
import gc
from rclpy.node import Node
from grasp_pose_net.nodes.support.runtime import run

class Counting(Node):
    def __init__(self):
        super().__init__("counting")
        self.kept = [[i] for i in range(100000)]
        self.create_timer(0.1, self.tell)

    def tell(self):
        print("frozen", gc.get_freeze_count(), flush=True)

run(Counting)
"""


def test_the_garbage_collector_does_not_stop_a_node_to_look_at_what_it_started_with() -> None:
    with subprocess.Popen([sys.executable, "-c", NODE], stdout=subprocess.PIPE, text=True) as node:
        assert node.stdout is not None
        lines = (line.split() for line in node.stdout)
        count = next(int(words[1]) for words in lines if words[:1] == ["frozen"])
        node.send_signal(signal.SIGINT)
        assert node.wait(timeout=30) == 0
    assert count > 100000


@pytest.mark.timeout(60)
def test_a_stream_of_messages_leaves_the_cores_alone_and_arrives() -> None:
    """Without the pause between rounds: up to 84 s of processor time for these 300 messages, some of which are lost."""
    rclpy.init()
    node, values = Node("listener"), []
    node.create_subscription(
        Float64,
        "numbers",
        lambda message: values.append(message.data),
        COUNT,
        callback_group=ReentrantCallbackGroup(),
    )
    publisher = node.create_publisher(Float64, "numbers", COUNT)
    ended = threading.Event()

    def something_else_to_do() -> None:
        while not ended.wait(0.005):
            pass

    other = threading.Thread(target=something_else_to_do)
    other.start()
    try:
        with spinning(node):
            while publisher.get_subscription_count() == 0:
                time.sleep(0.01)
            begin = time.process_time()
            for number in range(COUNT):
                publisher.publish(Float64(data=float(number)))
                time.sleep(0.01)
            used = time.process_time() - begin
            while len(values) < COUNT:
                time.sleep(0.01)
    finally:
        ended.set()
        other.join()
        node.destroy_node()
        rclpy.shutdown()
    assert used < 1.5
    assert values == list(range(COUNT))
