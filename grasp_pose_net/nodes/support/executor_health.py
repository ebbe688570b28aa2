"""What the executor says on ``/diagnostics``, and what it does just now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus

from grasp_pose_net.nodes.support.controller_client import ControllerClient
from grasp_pose_net.nodes.support.diagnostics import Diagnostics, Health
from grasp_pose_net.nodes.support.guarded_node import GuardedNode
from grasp_pose_net.nodes.support.rivals import Rivals
from grasp_pose_net.robot import ExecutionFailed

IDLE = "idle"


class ExecutorHealth:
    """Keeps how the last motion ended, and asks after the robot.

    Attributes:
        doing: in words.
    """

    def __init__(
        self,
        node: GuardedNode,
        client: ControllerClient,
        rivals: Rivals,
        values: Callable[[], dict[str, Any]],
    ) -> None:
        """Begin to report.

        Args:
            node: reports.
            client: asked after joints and controllers.
            rivals: asked after other executors.
            values: figures for the report.
        """
        self.doing = IDLE
        self._log, self._client, self._rivals, self._values = node.get_logger(), client, rivals, values
        self._last = Health("nothing has been done yet")
        Diagnostics(node, {"robot": self._robot, "motions": self._motions})

    def note(self, what: str, text: str, success: bool) -> None:
        """Keep how a motion ended, for the log and for diagnostics."""
        if success:
            self._log.info(text)
        else:
            self._log.warning(f"{what} failed: {text}")
        self._last = Health(text, DiagnosticStatus.OK if success else DiagnosticStatus.WARN)

    def _robot(self) -> Health:
        if first := self._rivals.first():
            return Health(first, DiagnosticStatus.ERROR)
        try:
            age_s = self._client.joint_state().age_s
        except ExecutionFailed as failure:
            return Health(str(failure), DiagnosticStatus.ERROR)
        values = {"age of the joint states [s]": f"{age_s:.3f}"}
        if missing := self._client.missing_servers():
            return Health(f"not there: {', '.join(missing)}", DiagnosticStatus.ERROR, values)
        return Health("joint states come, controllers are there", values=values)

    def _motions(self) -> Health:
        return replace(self._last, values={"doing": self.doing} | self._values() | dict(self._rivals.values))
