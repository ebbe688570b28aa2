"""Node ``simulation``: physics, cameras and controllers of the library's world on topics and actions.

Three kinds of threads: one steps the physics, one draws (a graphics context belongs to its thread), and the
executor's serve requests. Whoever touches the world holds the lock; what is drawn is a copy of the state.
"""

from __future__ import annotations

import json
import queue
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseArray
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState, PointCloud2
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from grasp_pose_net.exceptions import ExecutionError, GraspPoseNetError
from grasp_pose_net.nodes.messages.basics import pose_message, time_message
from grasp_pose_net.nodes.messages.clouds import xyz_cloud_message
from grasp_pose_net.nodes.support.diagnostics import Diagnostics, Health
from grasp_pose_net.nodes.support.parameters import declare
from grasp_pose_net.nodes.support.qos import CLOUD
from grasp_pose_net.nodes.support.runtime import run
from grasp_pose_net.nodes.support.trajectory_server import TrajectoryServer
from grasp_pose_net.nodes.support.transforms import TransformBroadcaster
from grasp_pose_net.simulation.cameras import optical_frame
from grasp_pose_net.simulation.controller import Outcome, ResultCode
from grasp_pose_net.simulation.pacing import Every, Pace
from grasp_pose_net.simulation.studio import Studio, VideoConfig
from grasp_pose_net.simulation.world import (
    Episode,
    World,
    WorldConfig,
    mesh_files,
    nominal_cameras,
    prepare_episode,
)
from grasp_pose_net.world import Array

if (
    TYPE_CHECKING
):  # at run time MuJoCo must not be loaded before grasp_pose_net.simulation has chosen its graphics
    from mujoco import MjModel

WORLD_FRAME = "world"
THREADS = 8  # a waiting goal keeps one
CLOUDS, FINISH = ":clouds", ":finish"
VIDEO_TIMEOUT_S = 10.0
WAITING_JOBS = 3  # the physics waits for the drawing beyond: a video lacks no frame


@dataclass(frozen=True, kw_only=True)
class SimulationNodeConfig(WorldConfig):
    """Parameters of the node, beside the world's own."""

    objects: str = field(
        default="", metadata={"live": True, "doc": "mesh file or folder of meshes; empty: the demo objects"}
    )
    seed: int = field(
        default=0,
        metadata={
            "live": True,
            "doc": "decides each episode's object, place and camera errors",
            "range": (0, 2**31 - 1),
        },
    )
    episode: int = field(
        default=0,
        metadata={
            "live": True,
            "doc": "number of the episode that the next reset starts",
            "range": (0, 2**31 - 1),
        },
    )
    video: str = field(
        default="", metadata={"live": True, "doc": "MP4 file to record to; set it empty to finish the file"}
    )
    real_time_factor: float = field(
        default=1.0,
        metadata={"doc": "simulated per real time; 0: as fast as possible", "range": (0.0, 100.0)},
    )
    joint_state_rate_hz: float = field(
        default=100.0,
        metadata={"doc": "of /clock, /joint_states, object poses; sim time", "range": (1.0, 1000.0)},
    )
    tf_rate_hz: float = field(
        default=20.0,
        metadata={"doc": "of the robot's links on /tf, in simulated time", "range": (1.0, 1000.0)},
    )
    publish_robot_tf: bool = field(
        default=True, metadata={"doc": "no robot_state_publisher runs: publish the links"}
    )
    cloud_rate_hz: float = field(
        default=1.0, metadata={"doc": "of every camera's points, in simulated time", "range": (0.01, 30.0)}
    )
    recording: VideoConfig = field(default_factory=VideoConfig)


@dataclass(frozen=True)
class Job:
    """A state to draw: point clouds, or a picture for the video file ``what``, or none more (FINISH)."""

    what: str
    time: float
    model: MjModel
    qpos: Array


class SimulationNode(Node):
    """Arm, hand, cameras and an object on a table."""

    def __init__(self) -> None:
        # first of all: a node whose parameters are wrong is destroyed before it is complete
        self._stop, self._clouds_asked, self._video_finished = (threading.Event() for _ in range(3))
        self._jobs: queue.Queue[Job | None] = queue.Queue(WAITING_JOBS)
        self._physics_thread = threading.Thread(target=self._run_physics, daemon=True)
        self._studio_thread = threading.Thread(target=self._run_studio, daemon=True)
        super().__init__("simulation")
        self._config = declare(self, SimulationNodeConfig)
        self._lock = threading.Lock()
        self._world = World(self._config, self._next_episode())
        self._broken = False
        self._clock_publisher = self.create_publisher(Clock, "/clock", 10)
        self._joint_publisher = self.create_publisher(JointState, "/joint_states", 10)
        self._object_publisher = self.create_publisher(PoseArray, "~/object_poses", 10)
        self._cloud_publishers = {
            name: self.create_publisher(PointCloud2, f"/{name}/points", CLOUD)
            for name in self._config.cameras.names
        }
        self._broadcaster = TransformBroadcaster(self)
        self._moving_links = self._send_static_frames()
        self._servers = {
            name: TrajectoryServer(self, name, self._world, self._lock, getattr(self._config, name))
            for name in self._world.controllers
        }
        self.create_service(Trigger, "~/reset", self._reset, callback_group=MutuallyExclusiveCallbackGroup())
        Diagnostics(self, {"physics": self._health})
        self._video_finished.set()
        self.add_post_set_parameters_callback(self._await_video)
        self._physics_thread.start()
        self._studio_thread.start()

    def destroy_node(self) -> None:
        """Stop the threads, finish the video, and go."""
        self._stop.set()
        if self._studio_thread.is_alive():
            self._physics_thread.join(timeout=2.0)
            with suppress(queue.Full):
                self._jobs.put(None, timeout=2.0)
            self._studio_thread.join(timeout=2.0)
        super().destroy_node()

    # requests

    def _next_episode(self) -> Episode:
        """Prepare the episode that the parameters name, and count on."""
        objects, seed, number = (self.get_parameter(name).value for name in ("objects", "seed", "episode"))
        episode = prepare_episode(self._config, mesh_files(objects), seed, number)
        self.set_parameters([Parameter("episode", value=number + 1)])
        return episode

    def _await_video(self, changed: list[Parameter]) -> None:
        """Who clears parameter ``video`` gets the answer once the file is complete."""
        for parameter in changed:
            cleared = parameter.name == "video" and not parameter.value
            if cleared and not self._video_finished.wait(VIDEO_TIMEOUT_S):
                self.get_logger().warning(f"the video is not finished after {VIDEO_TIMEOUT_S:g} s")

    def _reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Start another episode; the answer's text is JSON: episode, object, file, mass_kg."""
        try:
            episode = self._next_episode()
        except GraspPoseNetError as error:
            response.success, response.message = False, str(error)
            return response
        with self._lock:
            self._world.enter(episode)
            self._broken = False
            self._finish_goals("the simulation was reset")
        item = episode.simulation.objects[0]
        report = {
            "episode": episode.number,
            "object": item.name,
            "file": str(episode.file),
            "mass_kg": item.mass_kg,
        }
        self.get_logger().info(f"episode {episode.number}: {item.name}")
        response.success, response.message = True, json.dumps(report)
        return response

    def _health(self) -> Health:
        with self._lock:
            episode, now, broken = self._world.episode, self._world.time, self._broken
        values = {"episode": episode.number, "object": episode.file.stem, "time [s]": f"{now:.2f}"}
        if broken:
            return Health("the physics has become unstable; call ~/reset", DiagnosticStatus.ERROR, values)
        return Health("the physics runs", values=values)

    def _finish_goals(self, text: str) -> None:
        for server in self._servers.values():
            server.finish(Outcome(ResultCode.INVALID_GOAL, text))

    # the thread that steps the physics

    def _run_physics(self) -> None:
        config = self._config
        joints, links = Every(config.joint_state_rate_hz), Every(config.tf_rate_hz)
        clouds, frames = Every(config.cloud_rate_hz), Every(config.recording.rate_hz)
        pace = Pace(config.real_time_factor)
        filming = ""
        while not self._stop.is_set():
            video = self.get_parameter("video").value
            if video and not filming:
                self._video_finished.clear()
            if filming and not video:
                self._draw(FINISH, self._world.time)
            filming = video
            now = self._advance(1 / config.joint_state_rate_hz)
            if now is None:
                self._stop.wait(0.05)
                continue
            if joints.due(now):
                self._publish_state(now)
            if config.publish_robot_tf and links.due(now):
                self._publish_links(now)
            if any(p.get_subscription_count() for p in self._cloud_publishers.values()) and clouds.due(now):
                self._draw(CLOUDS, now)
            if filming and frames.due(now):
                self._draw(filming, now)
            self._stop.wait(pace.ahead(now))

    def _advance(self, duration: float) -> float | None:
        """Step the world; its time then, or None while it is broken."""
        with self._lock:
            if self._broken:
                return None
            try:
                outcomes = self._world.advance(duration)
            except ExecutionError as error:
                self._broken = True
                self._finish_goals(str(error))
                self.get_logger().error(str(error))
                return None
            for name, outcome in outcomes.items():
                self._servers[name].finish(outcome)
            return self._world.time

    def _draw(self, what: str, now: float) -> None:
        """Ask the studio for clouds or a picture of the present state; clouds only once at a time."""
        if what == CLOUDS:
            if self._clouds_asked.is_set():
                return
            self._clouds_asked.set()
        with self._lock:
            simulation = self._world.simulation
            job = Job(what, now, simulation.model, simulation.data.qpos.copy())
        while not self._stop.is_set():
            with suppress(queue.Full):
                self._jobs.put(job, timeout=0.2)
                return

    def _publish_state(self, now: float) -> None:
        stamp = time_message(now)
        with self._lock:
            sim = self._world.simulation
            joints, velocities, efforts = sim.positions(), sim.velocities(), sim.efforts()
            poses = [pose_message(sim.object_pose(item.name)) for item in sim.objects]
        self._clock_publisher.publish(Clock(clock=stamp))
        self._joint_publisher.publish(
            JointState(
                header=Header(stamp=stamp),
                name=list(sim.joint_names),
                position=joints.tolist(),
                velocity=velocities.tolist(),
                effort=efforts.tolist(),
            )
        )
        self._object_publisher.publish(
            PoseArray(header=Header(stamp=stamp, frame_id=WORLD_FRAME), poses=poses)
        )

    def _publish_links(self, now: float) -> None:
        with self._lock:
            poses = self._world.simulation.link_poses()
        moving = [(poses[link][0], link, poses[link][1]) for link in self._moving_links]
        self._broadcaster.send(moving, Time(nanoseconds=round(now * 1e9)))

    def _send_static_frames(self) -> list[str]:
        """Publish the cameras' calibration and the fixed links; the other links are returned."""
        cameras = nominal_cameras(self._config)
        frames = [
            (WORLD_FRAME, optical_frame(name), T_world_optical) for name, T_world_optical in cameras.items()
        ]
        moving = []
        for link, (parent, T_parent_link) in self._world.simulation.link_poses().items():
            if self._world.simulation.moves(link):
                moving.append(link)
            elif self._config.publish_robot_tf:
                frames.append((parent, link, T_parent_link))
        self._broadcaster.send_static(frames)
        return moving

    # the thread that draws

    def _run_studio(self) -> None:
        studio = Studio(
            self._config.cameras, self._config.recording, np.random.default_rng(self._config.seed)
        )
        while (job := self._jobs.get()) is not None:
            try:
                if job.what == CLOUDS:
                    self._clouds_asked.clear()
                    self._publish_clouds(studio, job)
                elif job.what == FINISH:
                    studio.finish_video()
                    self._video_finished.set()
                elif not self._stop.is_set():
                    studio.film(Path(job.what), job.model, job.qpos)
            except Exception as error:
                # graphics and encoder raise anything; the physics goes on without pictures
                self.get_logger().error(f"drawing {job.what} failed: {error}")
        studio.close()

    def _publish_clouds(self, studio: Studio, job: Job) -> None:
        for name, publisher in self._cloud_publishers.items():
            if self._stop.is_set():
                return
            points = studio.cloud(name, job.model, job.qpos)
            publisher.publish(xyz_cloud_message(points, optical_frame(name), time_message(job.time)))


def main() -> None:
    """Run the node."""
    run(SimulationNode, threads=THREADS)


if __name__ == "__main__":
    main()
