"""The whole stand-in for a laboratory: one object per episode, two joint controllers, several cameras."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.exceptions import ConfigError, MeshError
from grasp_pose_net.models import share_dir
from grasp_pose_net.shapes.mesh_files import SUFFIXES
from grasp_pose_net.simulation.cameras import CameraConfig, camera_ring, look_at, miscalibrated
from grasp_pose_net.simulation.controller import ControllerConfig, Outcome, TrajectoryController
from grasp_pose_net.simulation.objects import SimObject
from grasp_pose_net.simulation.physics import Simulation
from grasp_pose_net.simulation.placement import PlacementConfig, place_on_table
from grasp_pose_net.simulation.robot_files import controlled, posture, robot_model
from grasp_pose_net.simulation.scene_model import VIDEO_CAMERA, CameraView, SceneConfig
from grasp_pose_net.world import Array

logger = logging.getLogger(__name__)

ARM_START, HAND_START = "home", "open"  # named states of the SRDF


@dataclass(frozen=True, kw_only=True)
class WorldConfig(Settings):
    """Everything that the world is made of."""

    scene: SceneConfig = field(default_factory=SceneConfig)
    cameras: CameraConfig = field(default_factory=CameraConfig)
    placement: PlacementConfig = field(default_factory=PlacementConfig)
    arm_controller: ControllerConfig = field(
        default_factory=lambda: ControllerConfig(path_tolerance_rad=0.1, goal_tolerance_rad=0.01)
    )
    hand_controller: ControllerConfig = field(default_factory=ControllerConfig)
    control_period_s: float = setting(0.002, 0.0005, 0.1, "time between two targets of the controllers")


@dataclass(frozen=True)
class Episode:
    """A scene that is ready to start.

    Attributes:
        number: counts from zero.
        file: mesh of its object.
        simulation: the object rests on the table, the robot at its start posture.
    """

    number: int
    file: Path
    simulation: Simulation


class World:
    """Runs one episode after the other; its time never goes back. Not safe for several threads at once."""

    def __init__(self, config: WorldConfig, episode: Episode) -> None:
        """Start with an episode from :func:`prepare_episode`."""
        self.config = config
        names = episode.simulation.joint_names
        self.controllers: dict[str, TrajectoryController] = {}
        self._index: dict[str, Array] = {}
        robot = robot_model(config.scene.robot)
        for name, group in {"arm_controller": robot.arm, "hand_controller": robot.hand}.items():
            joints, limits = controlled(group, names)
            tolerance = getattr(config, name).start_tolerance_rad
            self.controllers[name] = TrajectoryController(joints, limits, tolerance)
            self._index[name] = episode.simulation.indices(joints)
        self._offset = 0.0
        self.enter(episode)

    @property
    def time(self) -> float:
        """Seconds since the world's beginning."""
        return self._offset + self.simulation.time

    def positions(self, controller: str) -> Array:
        """Positions (J,) [rad] of a controller's joints, in its order."""
        return self.simulation.positions()[self._index[controller]]

    def enter(self, episode: Episode) -> None:
        """Go on with another episode; running goals end without an outcome."""
        now = self.time if hasattr(self, "episode") else 0.0
        self.episode, self.simulation = episode, episode.simulation
        self._offset = now - self.simulation.time
        for name, controller in self.controllers.items():
            controller.hold(self.positions(name))

    def advance(self, duration: float) -> dict[str, Outcome]:
        """Let time pass [s].

        Returns:
            Outcome of each controller whose goal ended.

        Raises:
            ExecutionError: the physics has become unstable.
        """
        outcomes = {}
        steps = max(1, round(self.config.control_period_s / self.config.scene.timestep_s))
        end = self.time + duration - 0.5 * steps * self.config.scene.timestep_s
        while self.time < end:
            positions = np.zeros(len(self.simulation.joint_names))
            velocities = np.zeros_like(positions)
            for name, controller in self.controllers.items():
                index = self._index[name]
                positions[index], velocities[index], outcome = controller.update(
                    self.time, self.positions(name)
                )
                if outcome is not None:
                    outcomes[name] = outcome
            self.simulation.set_targets(positions, velocities)
            self.simulation.step(steps)
        return outcomes


def prepare_episode(config: WorldConfig, files: list[Path], seed: int, number: int) -> Episode:
    """Build an episode's scene and let its object come to rest; the same arguments give the same episode.

    Args:
        config: the world.
        files: meshes of which the seed chooses an order; one that cannot be used is passed over.
        seed: together with the number it decides object, stable pose, place, and errors of the camera poses.
        number: which episode.

    Raises:
        MeshError: no mesh can be used.
        ExecutionError: the object does not come to rest on the table.
    """
    file, thing = usable(turns(files, seed, number))
    rng = np.random.default_rng([seed, number])
    simulation = Simulation(config.scene, [thing], true_cameras(config, rng))
    robot = robot_model(config.scene.robot)
    for group, state in ((robot.arm, ARM_START), (robot.hand, HAND_START)):
        simulation.set_joints(posture(robot, group, state))
    place_on_table(simulation, simulation.objects[0].name, config.placement, rng)
    return Episode(number, file, simulation)


def turns(files: list[Path], seed: int, number: int) -> list[Path]:
    """Meshes in the order in which their turns come from an episode on."""
    order = np.random.default_rng(seed).permutation(len(files))
    return [files[order[(number + later) % len(files)]] for later in range(len(files))]


def usable(files: list[Path]) -> tuple[Path, SimObject]:
    """The first file that is an object, and the object; those before are said to be left out.

    Raises:
        MeshError: there is none.
    """
    for file in files:
        try:
            return file, SimObject.from_file(file)
        except MeshError as error:
            if len(files) == 1:
                raise
            logger.warning("left out: %s", error)
    raise MeshError(
        f"none of {len(files)} meshes in {files[0].parent} can be used; see what was left out, and why"
    )


def nominal_cameras(config: WorldConfig) -> dict[str, Array]:
    """Published poses ``T_world_optical`` of the depth cameras."""
    return camera_ring(config.cameras, config.scene.table_top)


def true_cameras(config: WorldConfig, rng: np.random.Generator) -> list[CameraView]:
    """The depth cameras where they really are, and the one that films."""
    fov = config.cameras.vertical_fov_rad
    views = [
        CameraView(name, miscalibrated(T_world_optical, config.cameras, rng), fov)
        for name, T_world_optical in nominal_cameras(config).items()
    ]
    target = config.scene.table_top + np.array([-0.12, 0.0, 0.22])
    return [
        *views,
        CameraView(VIDEO_CAMERA, look_at(target + np.array([1.15, -1.05, 0.55]), target), np.deg2rad(40)),
    ]


def mesh_files(objects: str) -> list[Path]:
    """Mesh files of a folder, one mesh file, or the package's own demo objects for an empty text.

    Raises:
        ConfigError: there is none.
    """
    place = Path(objects).expanduser() if objects else share_dir() / "models" / "objects"
    if place.is_file():
        return [place]
    files = sorted(file for file in place.rglob("*") if file.suffix.lower() in SUFFIXES)
    if not files:
        raise ConfigError(f"objects: no mesh ({', '.join(SUFFIXES)}) in {place}")
    return files
