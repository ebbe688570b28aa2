"""What is asked of a plan."""

from __future__ import annotations

from dataclasses import dataclass, field

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.shapes import RUN_TIME_RESOLUTION


@dataclass(frozen=True, kw_only=True)
class PlannerConfig(Settings):
    """What is asked of the network, or of what stands in for it, and of its grasps."""

    network: str = field(
        default="",
        metadata={
            "doc": "weights in models/networks/, or a path; empty: the hand's own, <hand>_compact, or none where "
            "there is no such file; 'sampled': no network, candidates are drawn around the object"
        },
    )
    seed: int = setting(0, 0, 2**31 - 1, "seed of candidates that are drawn around the object")
    rotations: int = field(
        default=28, metadata={"doc": "rotations shown to the network at once", "range": (1, 128)}
    )
    tries: int = field(
        default=4,
        metadata={
            "doc": "batches of candidates, while there are too few grasps or none is strong; the network is asked for the "
            "first, the others are drawn around the object",
            "range": (1, 10),
        },
    )
    enough: int = field(
        default=3, metadata={"doc": "grasps that no further batch is asked for", "range": (1, 100)}
    )
    strong: float = field(
        default=0.1,
        metadata={"doc": "worst ε of the best grasp that no further batch is asked for", "range": (0.0, 1.0)},
    )
    max_grasps: int = field(default=5, metadata={"doc": "grasps returned at most", "range": (1, 100)})
    min_epsilon: float = field(
        default=0.05, metadata={"doc": "smallest ε of a grasp that is offered", "range": (0, 1)}
    )
    place_error_m: float = field(
        default=0.002,
        metadata={
            "doc": "how far off the object may be; grasps are ranked by their smallest ε within it [m]",
            "range": (0.0, 0.01),
        },
    )
    approach_m: float = field(
        default=0.10, metadata={"doc": "length of the approach [m]", "range": (0.0, 0.3)}
    )
    approach_clearance_m: float = field(
        default=-0.002, metadata={"doc": "gap that must stay on the approach [m]", "range": (-0.02, 0.05)}
    )
    lift_m: float = field(default=0.15, metadata={"doc": "height of the lift [m]", "range": (0.0, 0.5)})
    field_cells: int = field(
        default=RUN_TIME_RESOLUTION,
        metadata={"doc": "cells of the distance field per side", "range": (32, 256)},
    )
