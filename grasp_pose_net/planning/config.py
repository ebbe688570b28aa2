"""What is asked of a plan."""

from __future__ import annotations

from dataclasses import dataclass

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.shapes import RUN_TIME_RESOLUTION


@dataclass(frozen=True, kw_only=True)
class PlannerConfig(Settings):
    """What is asked of the network, or of what stands in for it, and of its grasps."""

    network: str = setting(
        "",
        doc=(
            "weights in models/networks/, or a path; empty: the hand's own, <hand>_compact, or none where "
            "there is no such file; 'sampled': no network, candidates are drawn around the object"
        ),
    )
    seed: int = setting(0, 0, 2**31 - 1, "seed of candidates that are drawn around the object")
    rotations: int = setting(28, 1, 128, "rotations shown to the network at once")
    tries: int = setting(
        4,
        1,
        10,
        (
            "batches of candidates, while there are too few grasps or none is strong; the network is asked for the "
            "first, the others are drawn around the object"
        ),
    )
    enough: int = setting(3, 1, 100, "grasps that no further batch is asked for")
    strong: float = setting(0.1, 0.0, 1.0, "worst ε of the best grasp that no further batch is asked for")
    max_grasps: int = setting(5, 1, 100, "grasps returned at most")
    min_epsilon: float = setting(0.05, 0, 1, "smallest ε of a grasp that is offered")
    place_error_m: float = setting(
        0.002, 0.0, 0.01, "how far off the object may be; grasps are ranked by their smallest ε within it [m]"
    )
    approach_m: float = setting(0.10, 0.0, 0.3, "length of the approach [m]")
    approach_clearance_m: float = setting(-0.002, -0.02, 0.05, "gap that must stay on the approach [m]")
    lift_m: float = setting(0.15, 0.0, 0.5, "height of the lift [m]")
    field_cells: int = setting(RUN_TIME_RESOLUTION, 32, 256, "cells of the distance field per side")
