"""A planner that takes no time, and force trials that worker processes can import."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path

import numba
import numpy as np
import torch
import trimesh

from grasp_pose_net.refinement.descent import thread_count
from grasp_pose_net.synthesis import Synthesis

QUICK = Synthesis(
    descent=replace(Synthesis().descent, iterations=60),
    least_epsilon=0.0,
    oversample=4,
    table_poses=1,
    max_candidates=16,
)


@dataclass(frozen=True)
class HoldsAbove:
    """Grasps hold whose base is above a height of the object frame; remembers nothing."""

    height_m: float = 0.0

    def __call__(self, hand, mesh, field, x):
        return x[:, 2] > self.height_m


def write_meshes(folder: Path, count: int = 2) -> Path:
    """A can, and boxes of growing height."""
    (folder / "shop").mkdir(parents=True)
    trimesh.creation.cylinder(radius=0.03, height=0.1, sections=16).export(folder / "shop" / "can.obj")
    for number in range(count - 1):
        box = trimesh.creation.box((0.05, 0.06, 0.1 + 0.01 * number))
        box.export(folder / "shop" / f"box_{number}.obj")
    return folder


def write_bad_meshes(folder: Path) -> dict[str, str]:
    """One of each kind that cannot be used; what the reason must say, by name."""
    box = trimesh.creation.box((0.05, 0.06, 0.1))
    inverted = trimesh.Trimesh(box.vertices, box.faces[:, ::-1], process=False)
    meshes = {
        "open": trimesh.Trimesh(box.vertices, box.faces[2:]),
        "inverted": inverted,
        "millimetres": trimesh.creation.box((50, 60, 100)),
        "two_metres": trimesh.creation.box((2.0, 0.1, 0.1)),
    }
    (folder / "shop").mkdir(parents=True, exist_ok=True)
    for name, mesh in meshes.items():
        mesh.export(folder / "shop" / f"{name}.obj")
    (folder / "shop" / "text.obj").write_text("no\nmesh")
    (folder / "shop" / "noise.stl").write_bytes(np.random.default_rng(0).bytes(500))
    return {
        "shop/open": "not watertight",
        "shop/inverted": "inside out",
        "shop/millimetres": "is it in millimetres?",
        "shop/two_metres": "no hand holds",
        "shop/text": "expected a mesh with faces",
        "shop/noise": "triangles in 500 bytes",
    }


def threads_of(task: int) -> tuple[int, int, tuple[int, int, int]]:
    """The task, the process, and how many threads numba, torch and the descent may use there."""
    return task, os.getpid(), (numba.get_num_threads(), torch.get_num_threads(), thread_count())


def die(task: int) -> None:
    """End the process as the kernel ends one that takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)
