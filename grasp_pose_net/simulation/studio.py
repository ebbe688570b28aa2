"""Everything that is drawn: point clouds of the depth cameras and a video. All calls come from one thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.simulation.cameras import CameraConfig, depth_to_cloud
from grasp_pose_net.simulation.noise import add_depth_noise
from grasp_pose_net.simulation.render import SceneRenderer
from grasp_pose_net.simulation.scene_model import VIDEO_CAMERA
from grasp_pose_net.simulation.video import VideoWriter
from grasp_pose_net.world import Array

STILL = 2e-4  # metres or radians: less than a pixel in a video


@dataclass(frozen=True, kw_only=True)
class VideoConfig(Settings):
    """Shape of a recording."""

    width_px: int = setting(640, 64, 1280, "picture width, even")
    height_px: int = setting(480, 64, 960, "picture height, even")
    rate_hz: float = setting(15.0, 1, 60, "pictures per simulated second")


class Studio:
    """Draws the states that it is given; opens graphics contexts and the video file when first needed."""

    def __init__(self, cameras: CameraConfig, video: VideoConfig, rng: np.random.Generator) -> None:
        """Draw nothing yet.

        Args:
            cameras: depth cameras that the scenes have.
            video: shape of recordings.
            rng: source of the depth noise.
        """
        self._cameras, self._video_config, self._rng = cameras, video, rng
        self._renderers: dict[str, tuple[mujoco.MjModel, SceneRenderer]] = {}
        self._video: VideoWriter | None = None
        self._last: tuple[mujoco.MjModel | None, Array, NDArray[np.uint8]] = (
            None,
            np.empty(0),
            np.empty(0, np.uint8),
        )

    def cloud(self, camera: str, model: mujoco.MjModel, qpos: Array) -> NDArray[np.float32]:
        """Valid points (N, 3) [m] that a depth camera sees, its optical frame.

        Args:
            camera: name of the camera.
            model: scene.
            qpos: (nq,) its state.
        """
        renderer = self._renderer("depth", model, self._cameras.width_px, self._cameras.height_px)
        renderer.show(qpos)
        depth = renderer.depth(camera, self._cameras.range_m)
        if self._cameras.noise:
            depth = add_depth_noise(depth, self._cameras.focal_px, self._rng)
        return depth_to_cloud(depth, self._cameras)

    def film(self, path: Path, model: mujoco.MjModel, qpos: Array) -> None:
        """Append a picture to a video file; another path than before finishes the earlier file."""
        config = self._video_config
        if self._video is not None and self._video.path != path:
            self.finish_video()
        if self._video is None:
            self._video = VideoWriter(path, config.width_px, config.height_px, config.rate_hz)
        # while the planner thinks nothing moves: a core that does not draw the same picture again is its own
        if not self._still(model, qpos):
            renderer = self._renderer("video", model, config.width_px, config.height_px)
            renderer.show(qpos)
            self._last = (model, qpos.copy(), renderer.rgb(VIDEO_CAMERA))
        self._video.add(self._last[2])

    def finish_video(self) -> None:
        """Complete the video file, if one is being written."""
        if self._video is not None:
            self._video.close()
            self._video = None

    def close(self) -> None:
        """Finish the video and give the graphics contexts back."""
        self.finish_video()
        for _, renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()

    def _still(self, model: mujoco.MjModel, qpos: Array) -> bool:
        """Whether the last picture shows this state."""
        return self._last[0] is model and bool(np.abs(self._last[1] - qpos).max() < STILL)

    def _renderer(self, use: str, model: mujoco.MjModel, width_px: int, height_px: int) -> SceneRenderer:
        """Renderer of a scene; that of the scene before is closed."""
        known = self._renderers.get(use)
        if known is not None and known[0] is model:
            return known[1]
        if known is not None:
            known[1].close()
        renderer = SceneRenderer(model, width_px, height_px, smooth=use == "video")
        self._renderers[use] = model, renderer
        return renderer
