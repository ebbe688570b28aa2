"""The nodes of the system, listed once: for ROS's own launch, for `bringup.Runner`, and for what reads their parameters."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.models import config_file
from grasp_pose_net.world import WORLD

# The robot of models/robots/ that carries a hand; a hand without one can be planned for, not moved.
ROBOT_OF_HAND = {"shadow": "ur10_shadow"}
DISCOVERY = "ROS_AUTOMATIC_DISCOVERY_RANGE"
DISCOVERY_RANGES = ("localhost", "subnet", "off", "system_default")
ENCLAVES = "/grasp_pose_net"  # of config/security_policy.xml; each node has the one of its name below


@dataclass(frozen=True, kw_only=True)
class Start:
    """How the system is started; what depends on it is in no parameter file.

    Attributes:
        sim: the simulation stands in for arm, hand and cameras.
        use_sim_time: follow ``/clock``.
        hand: of ``models/hands/``.
        planner: motion planner of the executor: ompl, moveit or auto.
        dry_run: plan and show motions, and move nothing.
        world_frame: frame that all nodes give scenes in; empty: as their parameters say. The simulation has only ``world``.
        objects: folder of meshes for the simulation; empty for the package's own.
        recordings: folder that the simulation may write videos to; empty: it writes none.
        discovery: who finds the nodes, one of ``DISCOVERY_RANGES``; empty: as the environment says, else this machine alone.
        enclaves: each node runs in its SROS 2 enclave.
        cameras: parameter file of the perception node with a cell's cameras; empty for none.
        parameters: parameter file for all nodes, which outdoes the package's own; empty for none.
        robot_description: URDF or xacro file in place of the robot's own; empty for none.
        robot_description_semantic: SRDF file in place of the robot's own; empty for none.
    """

    sim: bool = True
    use_sim_time: bool = True
    hand: str = "shadow"
    planner: str = "ompl"
    dry_run: bool = False
    world_frame: str = ""
    objects: str = ""
    recordings: str = ""
    discovery: str = ""
    enclaves: bool = False
    cameras: str = ""
    parameters: str = ""
    robot_description: str = ""
    robot_description_semantic: str = ""

    def __post_init__(self) -> None:
        """Check what belongs together.

        Raises:
            ConfigError: the simulation is asked for another frame than its own, or discovery for an unknown range.
        """
        if self.discovery not in ("", *DISCOVERY_RANGES):
            raise ConfigError(f"discovery is {self.discovery!r}; valid: {', '.join(DISCOVERY_RANGES)}")
        if self.sim and self.world_frame not in ("", WORLD):
            raise ConfigError(
                f"world_frame: {self.world_frame!r} was asked for, and the simulation's cameras and robot stand in "
                f"{WORLD!r}; leave it out, or take your own robot with sim:=false"
            )

    @property
    def robot(self) -> str:
        """The robot that carries the hand; empty where there is none."""
        return ROBOT_OF_HAND.get(self.hand, "")


@dataclass(frozen=True)
class NodeSpec:
    """One node: its name is also that of its executable and of its parameter file ``config/<name>.yaml``.

    Attributes:
        name: node name.
        package: Python package that holds the node's module.
        simulated: stands in for hardware: makes the clock instead of following it, not started with a robot.
        moves: moves a robot, and is not started for a hand that no robot carries.
        own_file_in_simulation: its parameters in simulation are those of ``config/<name>_simulation.yaml`` instead.
    """

    name: str
    package: str = "grasp_pose_net.nodes"
    simulated: bool = False
    moves: bool = False
    own_file_in_simulation: bool = False

    @property
    def module(self) -> str:
        """Module whose ``main()`` is the node."""
        return f"{self.package}.{self.name}"

    def starts(self, start: Start) -> bool:
        """Whether the node is one of those that are started."""
        return (start.sim or not self.simulated) and (bool(start.robot) or not self.moves)

    def parameter_files(self, start: Start) -> list[Path]:
        """The node's ROS parameter files; what a later one sets holds.

        Raises:
            ConfigError: a file that was asked for is not there; ROS would go on without it.
        """
        suffix = "_simulation" if start.sim and self.own_file_in_simulation else ""
        files = [config_file(f"{self.name}{suffix}.yaml")]
        if start.cameras and self.name == "perception":
            files.append(_given_file("cameras", start.cameras))
        if start.parameters:
            files.append(_given_file("parameters", start.parameters))
        return files

    def ros_arguments(self, start: Start) -> list[str]:
        """What the node is told besides its parameters."""
        return ["--enclave", f"{ENCLAVES}/{self.name}"] if start.enclaves else []

    def overrides(self, start: Start) -> dict[str, Any]:
        """Parameters of this node that depend on how the system is started; its files have the rest."""
        if self.simulated:
            return {"objects": start.objects, "recordings": start.recordings}
        robot = {
            "robot": start.robot,
            "robot_description": start.robot_description,
            "robot_description_semantic": start.robot_description_semantic,
        }
        own: dict[str, dict[str, Any]] = {
            "perception": _viewed(robot),
            "refinement": {"hand": start.hand},
            "inference": {"hand": start.hand, **robot},
            "executor": {"planner": start.planner, "dry_run": start.dry_run, **robot},
        }
        common: dict[str, Any] = {"use_sim_time": start.use_sim_time}
        if start.world_frame:
            common["world_frame"] = start.world_frame
        return common | own.get(self.name, {})


NODES = (
    NodeSpec("simulation", simulated=True),
    NodeSpec("perception"),
    NodeSpec("refinement"),
    NodeSpec("inference"),
    NodeSpec("executor", moves=True, own_file_in_simulation=True),
)


def _viewed(robot: dict[str, Any]) -> dict[str, Any]:
    """What differs from the robot of ``config/perception.yaml``: a cell's own file may say that none is in view."""
    usual = Start().robot
    return {name: value for name, value in robot.items() if value != (usual if name == "robot" else "")}


def limit_discovery(asked: str = "") -> None:
    """Keep the nodes, which inherit this process's environment, to this machine, unless told otherwise.

    Args:
        asked: one of ``DISCOVERY_RANGES``; empty: as the environment says, where it does.
    """
    if asked or DISCOVERY not in os.environ:
        os.environ[DISCOVERY] = (asked or DISCOVERY_RANGES[0]).upper()


def _given_file(argument: str, name: str) -> Path:
    path = Path(name).expanduser()
    if not path.is_file():
        raise ConfigError(
            f"{argument}: there is no file {path.absolute()}; give the path of a parameter file"
        )
    return path
