"""Node ``simulation``: physics, cameras and controllers of the library's world on topics and actions.

Three kinds of threads: one steps the physics, one draws, and the executor's serve requests. Whoever touches the
world holds the lock.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field, replace
from functools import partial

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from grasp_pose_net.config import setting
from grasp_pose_net.exceptions import ConfigError, ExecutionError, GraspPoseNetError
from grasp_pose_net.nodes.support.diagnostics import Diagnostics, Health
from grasp_pose_net.nodes.support.drawing import CLOUDS, FINISH, Drawing, Job
from grasp_pose_net.nodes.support.guarded_node import GuardedNode
from grasp_pose_net.nodes.support.parameters import declare
from grasp_pose_net.nodes.support.runtime import run
from grasp_pose_net.nodes.support.trajectory_server import TrajectoryServer
from grasp_pose_net.nodes.support.world_topics import WorldTopics
from grasp_pose_net.simulation.controller import Outcome, ResultCode
from grasp_pose_net.simulation.laboratory import Episode, World, WorldConfig, mesh_files, prepare_episode
from grasp_pose_net.simulation.pacing import Every, Pace
from grasp_pose_net.simulation.studio import VideoConfig
from grasp_pose_net.storage import inside

THREADS = 8  # a waiting goal keeps one
VIDEO_TIMEOUT_S = 10.0


@dataclass(frozen=True, kw_only=True)
class SimulationNodeConfig(WorldConfig):
    """Parameters of the node, beside the world's own."""

    objects: str = setting("", doc="mesh file or folder of meshes; empty: the demo objects", live=True)
    seed: int = setting(0, 0, 2**31 - 1, "decides each episode's object, place and camera errors", live=True)
    episode: int = setting(0, 0, 2**31 - 1, "number of the episode that the next reset starts", live=True)
    recordings: str = setting("", doc="folder that videos may be written to; empty: none is written")
    video: str = setting(
        "", doc="MP4 file in recordings to record to; set it empty to finish the file", live=True
    )
    real_time_factor: float = setting(1.0, 0.0, 100.0, "simulated per real time; 0: as fast as possible")
    joint_state_rate_hz: float = setting(
        100.0, 1.0, 1000.0, "of /clock, /joint_states, object poses; sim time"
    )
    tf_rate_hz: float = setting(20.0, 1.0, 1000.0, "of the robot's links on /tf, in simulated time")
    publish_robot_tf: bool = setting(True, doc="no robot_state_publisher runs: publish the links")
    cloud_rate_hz: float = setting(1.0, 0.01, 30.0, "of every camera's points, in simulated time")
    recording: VideoConfig = field(default_factory=VideoConfig)

    def __post_init__(self) -> None:
        """Check where the video goes: whoever can set parameters must not write any file."""
        super().__post_init__()
        self.video_file()

    def video_file(self) -> str:
        """Path of the video; empty for none.

        Raises:
            ConfigError: it is no MP4 file, or not in ``recordings``.
        """
        if not self.video:
            return ""
        if not self.video.endswith(".mp4"):
            raise ConfigError(f"video: {self.video!r} is no name of an MP4 file; end it with .mp4")
        try:
            return str(inside(self.recordings, self.video))
        except ConfigError as error:
            raise ConfigError(f"video: {error} (recordings is {self.recordings!r})") from error


class SimulationNode(GuardedNode):
    """Arm, hand, cameras and an object on a table."""

    def __init__(self) -> None:
        # first of all: a node whose parameters are wrong is destroyed before it is complete
        self._stop = threading.Event()
        self._drawing: Drawing | None = None
        super().__init__("simulation")
        self._config = config = declare(self, SimulationNodeConfig)
        self._video = config.video_file()
        self._lock = threading.Lock()
        self._world = World(config, self._next_episode())
        self._broken = False
        self._topics = WorldTopics(self, self._world, self._lock, config.publish_robot_tf)
        self._servers = {
            name: TrajectoryServer(self, name, self._world, self._lock, getattr(config, name))
            for name in self._world.controllers
        }
        self.create_service(Trigger, "~/reset", self._reset, callback_group=MutuallyExclusiveCallbackGroup())
        Diagnostics(self, {"physics": self._health})
        self._drawing = Drawing(self, config.cameras, config.recording, config.seed, self._stop)
        self.add_post_set_parameters_callback(partial(self._set_video, self._drawing))
        self._physics = threading.Thread(target=self._run_physics, args=[self._drawing], daemon=True)
        self._physics.start()

    def destroy_node(self) -> None:
        """Stop the threads, finish the video, and go."""
        self._stop.set()
        if self._drawing is not None:
            self._physics.join(timeout=2.0)
            self._drawing.end()
        super().destroy_node()

    # requests

    def _next_episode(self) -> Episode:
        """Prepare the episode that the parameters name, and count on."""
        objects, seed, number = (self.get_parameter(name).value for name in ("objects", "seed", "episode"))
        episode = prepare_episode(self._config, mesh_files(objects), seed, number)
        self.set_parameters([Parameter("episode", value=number + 1)])
        return episode

    def _set_video(self, drawing: Drawing, changed: list[Parameter]) -> None:
        """Begin or end a video; who ends it gets the answer once the file is complete."""
        for parameter in changed:
            if parameter.name != "video":
                continue
            self._video = replace(self._config, video=parameter.value).video_file()
            if not self._video and not drawing.video_finished.wait(VIDEO_TIMEOUT_S):
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

    def _run_physics(self, drawing: Drawing) -> None:
        config = self._config
        joints, links = Every(config.joint_state_rate_hz), Every(config.tf_rate_hz)
        clouds, frames = Every(config.cloud_rate_hz), Every(config.recording.rate_hz)
        pace = Pace(config.real_time_factor)
        filming = ""
        while not self._stop.is_set():
            video = self._video
            if video and not filming:
                drawing.video_finished.clear()
            if filming and not video:
                drawing.ask(self._job(FINISH, self._world.time))
            filming = video
            now = self._advance(1 / config.joint_state_rate_hz)
            if now is None:
                self._stop.wait(0.05)
                continue
            if joints.due(now):
                self._topics.publish_state(now)
            if config.publish_robot_tf and links.due(now):
                self._topics.publish_links(now)
            if drawing.watched and clouds.due(now):
                drawing.ask(self._job(CLOUDS, now))
            if filming and frames.due(now):
                drawing.ask(self._job(filming, now))
            self._stop.wait(pace.ahead(now))

    def _advance(self, duration: float) -> float | None:
        """Step the world; its time then, or None while it is broken."""
        with self._lock:
            if self._broken:
                return None
            try:
                outcomes = self._world.advance(duration)
            except Exception as error:
                # whatever it is: this thread must live to be told to begin again
                known = isinstance(error, ExecutionError)
                text = str(error) if known else self.fault("the physics", error)
                self._broken = True
                self._finish_goals(text)
                self.get_logger().error(text)
                return None
            for name, outcome in outcomes.items():
                self._servers[name].finish(outcome)
            return self._world.time

    def _job(self, what: str, now: float) -> Job:
        """The present state, to be drawn."""
        with self._lock:
            simulation = self._world.simulation
            return Job(what, now, simulation.model, simulation.data.qpos.copy())


def main() -> None:
    """Run the node."""
    run(SimulationNode, threads=THREADS)


if __name__ == "__main__":
    main()
