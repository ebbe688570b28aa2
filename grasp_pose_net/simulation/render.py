"""Pictures and depth images of a scene; one renderer belongs to the thread that made it."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from grasp_pose_net.simulation.cameras import DepthImage
from grasp_pose_net.simulation.scene_model import COLLISION_GROUP
from grasp_pose_net.world import Array


class SceneRenderer:
    """Draws a model at joint states of its own, so that the physics may go on meanwhile."""

    def __init__(self, model: mujoco.MjModel, width_px: int, height_px: int, smooth: bool = False) -> None:
        """Open a graphics context in this thread.

        Args:
            model: scene to draw.
            width_px: image width.
            height_px: image height.
            smooth: several samples per pixel; for pictures, at twice the time. Depth images need none.
        """
        self._model = model
        model.vis.quality.offsamples = 4 if smooth else 0  # read when the context is made
        self._data = mujoco.MjData(model)
        self._renderer = mujoco.Renderer(model, height_px, width_px)
        self._option = mujoco.MjvOption()
        self._option.geomgroup[COLLISION_GROUP] = 0

    def show(self, qpos: Array) -> None:
        """Set the joint state (nq,) to draw."""
        self._data.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)

    def depth(self, camera: str, range_m: float) -> DepthImage:
        """Depth (H, W) [m] from a named camera, NaN beyond ``range_m``."""
        self._renderer.enable_depth_rendering()
        try:
            self._draw(camera)
            depth = self._renderer.render()
        finally:
            self._renderer.disable_depth_rendering()
        return np.where(depth < range_m, depth, np.float32(np.nan))

    def rgb(self, camera: str) -> NDArray[np.uint8]:
        """Colour picture (H, W, 3) from a named camera."""
        self._draw(camera)
        return self._renderer.render()

    def close(self) -> None:
        """Give the graphics context back; from the same thread."""
        self._renderer.close()

    def _draw(self, camera: str) -> None:
        self._renderer.update_scene(self._data, camera=camera, scene_option=self._option)
