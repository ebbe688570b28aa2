"""The command `plan`: grasps for mesh files, each object alone in free space."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from grasp_pose_net.benchmark.entries import entry, grasp_figures, known_stages, report
from grasp_pose_net.exceptions import MeshError
from grasp_pose_net.hand import Hand
from grasp_pose_net.inference import weights
from grasp_pose_net.planning import GraspPlanner, NoGraspFound, PlannerConfig, Refine
from grasp_pose_net.refinement import Refinement
from grasp_pose_net.shapes import load_mesh
from grasp_pose_net.world import Grasp, Scene, SceneObject


def plan_report(
    meshes: Sequence[Path],
    *,
    hand: str,
    config: PlannerConfig,
    refinement: Refinement | None = None,
    image: Path | None,
    echo: Callable[[str], None],
) -> dict[str, Any]:
    """Plan grasps for mesh files; a file that cannot be used is a failed entry.

    Args:
        meshes: files in metres.
        hand: name or path of the hand.
        config: network, rotations and limits.
        refinement: how candidates are refined; the default objective without.
        image: PNG of the best grasp to write; with several meshes the mesh's name is appended to the file's.
        echo: takes one line for each mesh.
    """
    loaded = Hand.load(hand)
    planner = GraspPlanner(loaded, config, refine=Refine(refinement))
    echo(planner.description)
    planner.warm_up()
    entries = []
    for path in meshes:
        picture = image
        if image is not None and len(meshes) > 1:
            picture = image.with_name(f"{image.stem}-{path.stem}{image.suffix}")
        try:
            entries.append(_plan_one(loaded, planner, path, config, picture))
        except MeshError as error:
            entries.append(entry(path.stem, failure="mesh", reason=str(error)))
        last = entries[-1]
        if last["failure"]:
            echo(f"{path.name}: {last['reason']}")
        else:
            text = f"{path.name}: ε {last['epsilon']:.3f}, {last['text']}"
            echo(text + (f"; {picture}" if picture else ""))
    return report(entries, networks=weights(loaded.name, config.network))


def _plan_one(
    hand: Hand, planner: GraspPlanner, path: Path, config: PlannerConfig, image: Path | None
) -> dict[str, Any]:
    mesh = load_mesh(path)
    cpu = time.process_time()
    plan = planner.plan(Scene(), SceneObject.target(path.stem, np.eye(4), mesh))
    known: dict[str, Any] = {
        "rotations": config.rotations,
        "seconds": known_stages(plan.account.seconds),
        "cpu_seconds": {"plan": time.process_time() - cpu},
        "feasible": len(plan.grasps),
        "text": plan.account.text(),
    }
    if not plan.grasps:
        return entry(path.stem, failure="plan", reason=str(NoGraspFound(plan)), **known)
    best = plan.grasps[0]
    if image is not None:
        from grasp_pose_net.simulation.picture import draw_grasp

        draw_grasp(hand, best.pose_vector, mesh, image)
    grasps = [grasp_entry(grasp) for grasp in plan.grasps]
    return entry(path.stem, **grasp_figures(hand, mesh, best.pose_vector), **known, grasps=grasps)


def grasp_entry(grasp: Grasp) -> dict[str, Any]:
    """Pose vector, the parts of its quality, and all joint positions by name [rad]."""
    joints = dict(zip(grasp.joint_names, grasp.grasp.tolist(), strict=True))
    return {"x": grasp.pose_vector.tolist(), **grasp.parts, "joints": joints}
