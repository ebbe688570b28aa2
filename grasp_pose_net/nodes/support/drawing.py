"""The thread that draws what the simulation shows: clouds on the cameras' topics, pictures for a video file.

A graphics context belongs to its thread; what is drawn is a copy of the state.
"""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import PointCloud2

from grasp_pose_net.nodes.messages.basics import time_message
from grasp_pose_net.nodes.messages.clouds import xyz_cloud_message
from grasp_pose_net.nodes.support.qos import CLOUD
from grasp_pose_net.simulation.cameras import CameraConfig, optical_frame
from grasp_pose_net.simulation.studio import Studio, VideoConfig
from grasp_pose_net.world import Array

if TYPE_CHECKING:
    # at run time MuJoCo must not be loaded before grasp_pose_net.simulation has chosen its graphics
    from mujoco import MjModel

CLOUDS, FINISH = ":clouds", ":finish"
WAIT_S = 0.2  # between looks at whether the node is about to go
WAITING_JOBS = 3  # the physics waits for the drawing beyond: a video lacks no frame


@dataclass(frozen=True)
class Job:
    """A state to draw: point clouds, or a picture for the video file ``what``, or none more (FINISH).

    Attributes:
        what: a file's path, CLOUDS or FINISH.
        time: simulated [s].
        model: the scene.
        qpos: (nq,) its state.
    """

    what: str
    time: float
    model: MjModel
    qpos: Array


class Drawing:
    """Draws one job after the other.

    Attributes:
        video_finished: set while no file is being written.
    """

    def __init__(
        self, node: Node, cameras: CameraConfig, video: VideoConfig, seed: int, stop: threading.Event
    ) -> None:
        """Publish nothing before there are jobs.

        Args:
            node: node that the clouds' topics belong to.
            cameras: depth cameras.
            video: shape of recordings.
            seed: of the depth noise.
            stop: set when the node is about to go.
        """
        self._node, self._stop = node, stop
        self._studio = Studio(cameras, video, np.random.default_rng(seed))
        self._publishers = {
            name: node.create_publisher(PointCloud2, f"/{name}/points", CLOUD) for name in cameras.names
        }
        self._jobs: queue.Queue[Job | None] = queue.Queue(WAITING_JOBS)
        self._clouds_drawn, self.video_finished = threading.Event(), threading.Event()
        self._clouds_drawn.set()
        self.video_finished.set()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def watched(self) -> bool:
        """Whether somebody listens to a camera."""
        return any(publisher.get_subscription_count() for publisher in self._publishers.values())

    def ask(self, job: Job) -> None:
        """Have a job done.

        Clouds wait for those before: a camera that is to give one a second gives one a simulated second, however long the
        drawing takes.
        """
        if job.what == CLOUDS:
            while not self._clouds_drawn.wait(WAIT_S):
                if self._stop.is_set():
                    return
            self._clouds_drawn.clear()
        while not self._stop.is_set():
            with suppress(queue.Full):
                self._jobs.put(job, timeout=WAIT_S)
                return

    def end(self) -> None:
        """Finish the video and the thread; ``stop`` is set."""
        with suppress(queue.Full):
            self._jobs.put(None, timeout=2.0)
        self._thread.join(timeout=2.0)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                if job.what == CLOUDS:
                    self._publish(job)
                elif job.what == FINISH:
                    self._studio.finish_video()
                    self.video_finished.set()
                elif not self._stop.is_set():
                    self._studio.film(Path(job.what), job.model, job.qpos)
            except Exception as error:
                # graphics and encoder raise anything; the physics goes on without pictures
                self._node.get_logger().error(f"drawing {job.what} failed: {error}")
            if job.what == CLOUDS:
                self._clouds_drawn.set()
        self._studio.close()

    def _publish(self, job: Job) -> None:
        for name, publisher in self._publishers.items():
            if self._stop.is_set():
                return
            points = self._studio.cloud(name, job.model, job.qpos)
            publisher.publish(xyz_cloud_message(points, optical_frame(name), time_message(job.time)))
