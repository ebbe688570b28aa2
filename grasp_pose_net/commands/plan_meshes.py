"""The command `plan`: grasps for mesh files, each object alone in free space."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from grasp_pose_net.benchmark.entries import entry, grasp_figures, known_stages, report
from grasp_pose_net.exceptions import MeshError
from grasp_pose_net.hand import Hand
from grasp_pose_net.inference import weights
from grasp_pose_net.planning import GraspPlanner, NoGraspFound, PlannerConfig, Refine
from grasp_pose_net.refinement import Refinement
from grasp_pose_net.shapes import load_mesh
from grasp_pose_net.world import Array, Grasp, Scene, SceneObject

Best = dict[Path, tuple[Array, trimesh.Trimesh]]  # pose vector (D,) and mesh, object frame


def plan_report(
    meshes: Sequence[Path],
    *,
    hand: str,
    config: PlannerConfig,
    refinement: Refinement | None = None,
    echo: Callable[[str], None],
) -> tuple[dict[str, Any], Best]:
    """Plan grasps for mesh files; a file that cannot be used is a failed entry.

    Args:
        meshes: files in metres.
        hand: name or path of the hand.
        config: network, rotations and limits.
        refinement: how candidates are refined; the default objective without.
        echo: takes one line for each mesh.

    Returns:
        The report, and the best grasp of each file that has one, with its mesh.
    """
    loaded = Hand.load(hand)
    planner = GraspPlanner(loaded, config, refine=Refine(refinement))
    echo(planner.description)
    planner.warm_up()
    entries: list[dict[str, Any]] = []
    best: Best = {}
    for path in meshes:
        try:
            entries.append(_plan_one(loaded, planner, path, config, best))
        except MeshError as error:
            entries.append(entry(path.stem, failure="mesh", reason=str(error)))
        last = entries[-1]
        if last["failure"]:
            echo(f"{path.name}: {last['reason']}")
        else:
            echo(f"{path.name}: ε {last['epsilon']:.3f}, {last['text']}")
    return report(entries, networks=weights(loaded.name, config.network)), best


def draw_best(hand: str, best: Best, image: Path, *, several: bool) -> Iterator[Path]:
    """Write a picture of the best grasp of each file; which were written.

    Args:
        hand: name or path of the hand.
        best: of `plan_report`.
        image: PNG to write.
        several: append the mesh's name to the file's.
    """
    from grasp_pose_net.simulation.picture import draw_grasp

    loaded, stems = Hand.load(hand), Counter(path.stem for path in best)
    for path, (x, mesh) in best.items():
        name = path.stem if stems[path.stem] == 1 else path.name
        file = image.with_name(f"{image.stem}-{name}{image.suffix}") if several else image
        draw_grasp(loaded, x, mesh, file)
        yield file


def _plan_one(
    hand: Hand, planner: GraspPlanner, path: Path, config: PlannerConfig, found: Best
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
        "notes": mesh.metadata["notes"],
    }
    if not plan.grasps:
        return entry(path.stem, failure="plan", reason=str(NoGraspFound(plan)), **known)
    best = plan.grasps[0]
    found[path] = best.pose_vector, mesh
    grasps = [grasp_entry(grasp) for grasp in plan.grasps]
    return entry(path.stem, **grasp_figures(hand, mesh, best.pose_vector), **known, grasps=grasps)


def grasp_entry(grasp: Grasp) -> dict[str, Any]:
    """Pose vector, the parts of its quality, and all joint positions by name [rad]."""
    joints = dict(zip(grasp.joint_names, grasp.grasp.tolist(), strict=True))
    return {"x": grasp.pose_vector.tolist(), **grasp.parts, "joints": joints}
