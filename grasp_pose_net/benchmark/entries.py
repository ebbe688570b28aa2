"""Reports of `plan`, `benchmark` and `demo`: one entry for each object or episode, and a summary of the same figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh

from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.provenance import record
from grasp_pose_net.quality import contacts, epsilon, penetration
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.world import Array

FIGURES = ("epsilon", "penetrating_points", "max_penetration_m", "hand_penetration_m", "rotations")
TRIALS = ("force_success", "lift_success")
STAGES = ("perception", "forward", "refinement", "plan")
MEASURED_CELLS = 128


def entry(name: str, **known: Any) -> dict[str, Any]:
    """Entry of one object or episode; what is not known is None.

    Args:
        name: of the object.
        known: any of the other keys of an entry. ``failure`` is the stage that failed, None where all went well, and
            ``reason`` says why in one line; ``seconds`` may hold some of its stages. Further keys are kept.
    """
    blank: dict[str, Any] = dict.fromkeys(("name", *FIGURES, *TRIALS, "failure", "reason"))
    seconds = dict.fromkeys(STAGES) | known.pop("seconds", {})
    return blank | known | {"name": name, "seconds": seconds}


def grasp_figures(hand: Hand, mesh: trimesh.Trimesh, x: Array) -> dict[str, Any]:
    """Exact ε and penetration of one grasp, on a field of ``MEASURED_CELLS``³.

    Args:
        hand: the hand.
        mesh: the object in its own frame [m].
        x: (D,) pose vector, object frame.
    """
    field = SignedDistanceField.from_mesh(mesh, MEASURED_CELLS)
    pose = torch.tensor(x, dtype=torch.float32)[None]
    kinematics = Kinematics(hand)
    depths = penetration(hand, kinematics, field, pose)
    points, _ = kinematics.contacts(pose)
    return {
        "epsilon": epsilon(*contacts(hand, kinematics, field, pose).of(0), field.radius),
        "penetrating_points": int(depths.penetrating_points[0]),
        "max_penetration_m": float((-field.distance(points)).clamp(min=0).max()),
        "hand_penetration_m": float(depths.hand_penetration_m[0]),
    }


def known_stages(seconds: Mapping[str, float]) -> dict[str, float]:
    """Times of the stages that an entry has, of all that were taken."""
    return {stage: seconds[stage] for stage in STAGES if stage in seconds}


def summary(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Figures over all entries.

    Returns:
        "objects": how many entries; mean of each figure and rate of each trial over the entries that have it;
        "hand_penetration_p95_m"; "failure": how many entries failed in each stage; "seconds": mean, p50 and p95 of
        each stage.
    """
    result: dict[str, Any] = {"objects": len(entries)}
    for key in (*FIGURES, *TRIALS):
        values = known_values(entries, key)
        result[key] = float(np.mean(values)) if values else None
    depths = known_values(entries, "hand_penetration_m")
    result["hand_penetration_p95_m"] = float(np.percentile(depths, 95)) if depths else None
    result["failure"] = dict(Counter(e["failure"] for e in entries if e["failure"]).most_common())
    result["seconds"] = {}
    for stage in STAGES:
        times = known_values([e["seconds"] for e in entries], stage)
        quantiles = {f"p{q}": float(np.percentile(times, q)) if times else None for q in (50, 95)}
        result["seconds"][stage] = {"mean": float(np.mean(times)) if times else None, **quantiles}
    return result


def known_values(entries: Sequence[Mapping[str, Any]], key: str) -> list[Any]:
    """Values of a key over the entries that have one."""
    return [entry[key] for entry in entries if entry.get(key) is not None]


def report(
    entries: Sequence[dict[str, Any]], seed: int | None = None, networks: Iterable[Path] = ()
) -> dict[str, Any]:
    """Entries, their summary, and where they come from."""
    return {"objects": list(entries), "summary": summary(entries)} | record(seed, networks)
