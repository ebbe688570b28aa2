"""Parameters that several nodes have, each declared once; a node's own dataclass inherits those that it needs."""

from __future__ import annotations

from dataclasses import dataclass

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.models import robot_srdf, robot_urdf
from grasp_pose_net.nodes.messages.basics import MOST_TRIANGLES
from grasp_pose_net.nodes.messages.scene import MOST_SHAPES
from grasp_pose_net.world import WORLD


@dataclass(frozen=True, kw_only=True)
class WorldParameters(Settings):
    """In which frame scenes are given."""

    world_frame: str = setting(WORLD, doc="frame with z up that scenes are given in; the same for all nodes")


@dataclass(frozen=True, kw_only=True)
class SceneParameters(WorldParameters):
    """Where the scene comes from."""

    objects_topic: str = setting(
        "/perception/objects", doc="scene with targets, what they stand on, and obstacles"
    )
    most_shapes: int = setting(
        300,
        1,
        MOST_SHAPES,
        "a scene with more shapes is refused: planning, and hearing a cancel meanwhile, would take too long",
    )
    most_triangles: int = setting(
        50_000, 12, MOST_TRIANGLES, "a mesh with more triangles is refused, likewise"
    )
    most_megabytes: float = setting(20.0, 0.1, 500.0, "a larger scene is refused before it is read [MB]")


@dataclass(frozen=True, kw_only=True)
class HandParameters(Settings):
    """Which hand."""

    hand: str = setting("shadow", doc="hand in models/hands/, or a path to a hand.yaml")


@dataclass(frozen=True, kw_only=True)
class RobotParameters(Settings):
    """Which robot."""

    robot: str = setting(
        "ur10_shadow", doc="robot in models/robots/; empty, where grasps are planned: reach is not checked"
    )
    robot_description: str = setting("", doc="URDF or xacro file in place of the robot's own; empty: its own")
    robot_description_semantic: str = setting("", doc="SRDF file in place of the robot's own; empty: its own")

    def descriptions(self) -> tuple[str, str]:
        """URDF and SRDF text of the robot.

        Raises:
            ConfigError: a file is missing or broken.
        """
        return (
            robot_urdf(self.robot_description or self.robot),
            robot_srdf(self.robot_description_semantic or self.robot),
        )
