"""Reports: one entry for each object or episode, and a summary of the same figures; and the command ``plan``."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh

from grasp_pose_net.exceptions import MeshError
from grasp_pose_net.geometry import Array
from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.inference import GraspPlanner, Plan, PlannedGrasp, PlannerConfig, explain_failure
from grasp_pose_net.quality import contacts, epsilon, penetration
from grasp_pose_net.shapes import SignedDistanceField, load_mesh

FIGURES = ("epsilon", "penetrating_points", "max_penetration_m", "hand_penetration_m", "rotations")
TRIALS = ("force_success", "lift_success")
STAGES = ("perception", "forward", "refinement", "plan")
MEASURED_CELLS = 128


def entry(name: str, **known: Any) -> dict[str, Any]:
    """Entry of one object or episode; what is not known is None.

    Args:
        name: of the object.
        known: any of the other keys of an entry; ``seconds`` may hold some of its stages.
    """
    blank: dict[str, Any] = dict.fromkeys(("name", *FIGURES, *TRIALS, "failure"))
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
    pose = torch.as_tensor(x, dtype=torch.float32)[None]
    kinematics = Kinematics(hand)
    depths = penetration(hand, kinematics, field, pose)
    points, _ = kinematics.contacts(pose)
    return {
        "epsilon": epsilon(*contacts(hand, kinematics, field, pose).of(0), field.radius),
        "penetrating_points": int(depths.penetrating_points[0]),
        "max_penetration_m": float((-field.distance(points)).clamp(min=0).max()),
        "hand_penetration_m": float(depths.hand_penetration_m[0]),
    }


def summary(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean of each figure and rate of each trial over the entries that have it; p50 and p95 of the times."""
    result: dict[str, Any] = {"objects": len(entries)}
    for key in (*FIGURES, *TRIALS):
        values = [e[key] for e in entries if e[key] is not None]
        result[key] = float(np.mean(values)) if values else None
    result["failure"] = {e["name"]: e["failure"] for e in entries if e["failure"]}
    result["seconds"] = {}
    for stage in STAGES:
        times = [e["seconds"][stage] for e in entries if e["seconds"][stage] is not None]
        quantiles = {f"p{q}": float(np.percentile(times, q)) if times else None for q in (50, 95)}
        result["seconds"][stage] = {"mean": float(np.mean(times)) if times else None, **quantiles}
    return result


def report(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Entries, their summary, the machine and the commit."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return {"objects": list(entries), "summary": summary(entries), "machine": machine, "commit": commit()}


def commit() -> str:
    """Commit of the source tree, ``unknown`` outside one."""
    folder = Path(__file__).resolve().parent
    try:
        git = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return git.stdout.strip()


def plan_report(
    meshes: Sequence[Path],
    *,
    hand: str,
    config: PlannerConfig,
    image: Path | None,
    echo: Callable[[str], None],
) -> dict[str, Any]:
    """Plan grasps for mesh files; a file that cannot be used is a failed entry.

    Args:
        meshes: files in metres.
        hand: name or path of the hand.
        config: network, rotations and limits.
        image: PNG of the best grasp to write; with several meshes the mesh's name is appended to the file's.
        echo: takes one line for each mesh.
    """
    loaded = Hand.load(hand)
    planner = GraspPlanner(loaded, config)
    planner.warm_up()
    entries = []
    for path in meshes:
        picture = image
        if image is not None and len(meshes) > 1:
            picture = image.with_name(f"{image.stem}-{path.stem}{image.suffix}")
        try:
            entries.append(_plan_one(loaded, planner, path, config, picture))
        except MeshError as error:
            entries.append(entry(path.stem, failure=str(error)))
        last = entries[-1]
        if last["failure"]:
            echo(f"{path.name}: {last['failure']}")
        else:
            echo(
                f"{path.name}: ε {last['epsilon']:.3f}, {last['text']}" + (f"; {picture}" if picture else "")
            )
    return report(entries)


def _plan_one(
    hand: Hand, planner: GraspPlanner, path: Path, config: PlannerConfig, image: Path | None
) -> dict[str, Any]:
    mesh = load_mesh(path)
    started = time.perf_counter()
    distance = SignedDistanceField.from_mesh(mesh, config.field_cells)
    plan = planner.plan(distance)
    seconds = {**_stages(plan), "plan": time.perf_counter() - started}
    if not plan.grasps:
        return entry(
            path.stem, failure=str(explain_failure(plan)), rotations=config.rotations, seconds=seconds
        )
    best = plan.grasps[0]
    if image is not None:
        from grasp_pose_net.simulation.picture import draw_grasp

        draw_grasp(hand, best.x, mesh, image)
    return entry(
        path.stem,
        **grasp_figures(hand, mesh, best.x),
        rotations=config.rotations,
        seconds=seconds,
        text=plan.summary(),
        grasps=[grasp_entry(hand, grasp) for grasp in plan.grasps],
    )


def grasp_entry(hand: Hand, grasp: PlannedGrasp) -> dict[str, Any]:
    """Pose vector, ranking ε, and all joint positions by name [rad]."""
    joints = hand.all_joints(grasp.x[7:])
    return {
        "x": grasp.x.tolist(),
        "epsilon": grasp.epsilon,
        "joints": dict(zip(hand.joint_names, joints.tolist(), strict=True)),
    }


def _stages(plan: Plan) -> dict[str, float]:
    return {stage: plan.seconds[stage] for stage in ("forward", "refinement")}
