"""The scan of the protocols in this process: what the cameras see of an episode."""

from __future__ import annotations

import numpy as np

from grasp_pose_net.perception import View
from grasp_pose_net.simulation.laboratory import Episode, WorldConfig, nominal_cameras
from grasp_pose_net.simulation.studio import Studio, VideoConfig


def views_of(episode: Episode, config: WorldConfig, rng: np.random.Generator) -> list[View]:
    """Clouds of all cameras, noisy, with the poses that a calibration would say.

    Args:
        episode: the scene at rest.
        config: its cameras.
        rng: source of the depth noise.
    """
    simulation = episode.simulation
    studio = Studio(config.cameras, VideoConfig(), rng)
    try:
        return [
            View(name, studio.cloud(name, simulation.model, simulation.data.qpos), T_world_camera)
            for name, T_world_camera in nominal_cameras(config).items()
        ]
    finally:
        studio.close()
