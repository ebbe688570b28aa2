"""What a node has just done, as data: ``~/report``, a latched JSON object, beside the prose of its answer."""

from __future__ import annotations

import json
from typing import Any

from rclpy.node import Node
from std_msgs.msg import String

from grasp_pose_net.nodes.support.qos import LATCHED


class Report:
    """Publishes ``~/report``."""

    def __init__(self, node: Node) -> None:
        """Create the topic."""
        self._publisher = node.create_publisher(String, "~/report", LATCHED)

    def publish(self, **known: Any) -> None:
        """Say what JSON can hold."""
        self._publisher.publish(String(data=json.dumps(known, ensure_ascii=False)))
