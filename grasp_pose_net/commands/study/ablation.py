"""What each part of planning adds, in force trials on noisy scans: the ablation of the pipeline.

    grasp-pose-net study ablation --meshes objects --limit 80 --jobs 2 --out docs/results/ablation

Writes OUT.json and OUT.md. Each object lies on the table, is scanned by four noisy cameras and perceived once; then every
variant plans on what was perceived; its best grasp is tried on the object as it is. What a variant cannot grasp has not held.

- network: the answer for the object as it stands, as it comes
- refined: the same after refinement in free space
- rotations: of all rotations, refined, the one with the best epsilon
- feasible: the table and a free way in are minded, too
- with the arm: and the arm can do it; this is what the planner offers
- one batch: the same, but the network is asked once and nothing is drawn where that gave too little
- ranked by ε: the same, but by ε itself and not by the worst ε with the object a little off
- sampled: the same, but all candidates are drawn around the object and the network is not asked
- sampled, slow: with as many steps of refinement as ground truth takes
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from tqdm import tqdm

from grasp_pose_net.benchmark import benchmark_config
from grasp_pose_net.benchmark.config import BenchmarkConfig
from grasp_pose_net.benchmark.entries import grasp_figures
from grasp_pose_net.benchmark.run import chosen_meshes
from grasp_pose_net.benchmark.tables import wilson
from grasp_pose_net.benchmark.trial import Task, Tools, episode_of, make_tools, on_true_object, views_of_task
from grasp_pose_net.commands.options import Seed, writable_file
from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.inference import (
    SAMPLED,
    Proposer,
    SampledProposer,
    make_proposer,
    retry_rotations,
    weights,
)
from grasp_pose_net.markdown import table
from grasp_pose_net.perception import perceive
from grasp_pose_net.planning import (
    Batch,
    Context,
    GraspPlanner,
    Judge,
    Plan,
    Propose,
    Refine,
    Stage,
)
from grasp_pose_net.provenance import record
from grasp_pose_net.refinement import postures
from grasp_pose_net.shapes import load_mesh
from grasp_pose_net.simulation.force_trial import ForceTrial
from grasp_pose_net.storage import save_json, write_whole
from grasp_pose_net.synthesis.backends import in_parallel
from grasp_pose_net.synthesis.sources import mesh_hash
from grasp_pose_net.world import Scene, SceneObject

SLOW_ITERATIONS = 300
SLOW = f"{SAMPLED}, slow"
OFFERED = "with the arm"
HEAD = (
    "variant",
    "held (95 % interval)",
    "ε as perceived",
    "ε on the object as it is",
    "processor time p50 / p95",
)


def main(
    meshes: Annotated[Path, typer.Option(help="Folder of meshes, one sub-folder for each source.")],
    out: Annotated[Path, typer.Option(help="The files' name without ending.", callback=writable_file())],
    split: Annotated[str, typer.Option(help="Objects by name: test, train or all.")] = "test",
    limit: Annotated[int, typer.Option(min=1, help="Objects, a fair sample.")] = 80,
    network: Annotated[str, typer.Option(help="Weights; empty: the hand's own.")] = "",
    jobs: Annotated[int, typer.Option(min=1, help="Objects at a time.")] = 2,
    seed: Seed = 0,
) -> None:
    """Measure and write."""
    config = benchmark_config(
        stages=("scan", "plan", "force"), grasps={"network": network}, descent={}, seed=seed
    )
    files = chosen_meshes(meshes, split, limit)
    tasks = [Task(file.resolve(), mesh_hash(file), 0, config, Path()) for file in files]
    rows: list[dict[str, Any]] = []
    for found in tqdm(in_parallel(ablate, tasks, jobs=jobs), total=len(tasks), unit="object"):
        rows += found
    rows.sort(key=lambda row: row["name"])
    about, summary = record(seed, weights(config.hand, network)), summarized(rows)
    save_json(out.with_suffix(".json"), about | {"summary": summary, "objects": rows})
    text = table_of(summary) + f"\n{jobs} objects at a time; {about['machine']}; commit {about['commit']}.\n"
    write_whole(out.with_suffix(".md"), text)
    typer.echo(text)


def ablate(task: Task) -> list[dict[str, Any]]:
    """A row for each variant: whether its grasp held, ε there and where it was planned, and the time [s]."""
    try:
        episode, mesh = episode_of(task), load_mesh(task.mesh)
    except GraspPoseNetError as error:  # no such object for any variant
        return [{"name": task.name, "variant": "", "left_out": str(error)}]
    scene = perceive(views_of_task(task, episode), task.config.perception).scene
    targets = scene.targets
    for kind in PLANNERS:  # loaded here, so that no variant's time counts it
        _tools(task.config, kind)
    _proposer(task.config)
    hand = _tools(task.config, OFFERED).hand
    trial = ForceTrial(hand, mesh, config=task.config.forces)
    rows = []
    for name, variant in VARIANTS.items():
        started = time.process_time()
        plan = variant(task, scene, targets[0]) if targets else None
        row = {"name": task.name, "variant": name, "process_s": time.process_time() - started}
        rows.append(row | {"held": False, "epsilon": 0.0, "true_epsilon": 0.0})
        if plan is not None and plan.grasps:
            best = plan.grasps[0]
            x = on_true_object(episode, targets[0], best.pose_vector)
            opened, squeezed = (hand.independent_joints(p)[None] for p in (best.pre_grasp, best.squeeze))
            rows[-1] |= {
                "held": bool(trial.judge(x[None], opened, squeezed).success[0]),
                "epsilon": grasp_figures(hand, targets[0].mesh, best.pose_vector)["epsilon"],
                "true_epsilon": grasp_figures(hand, mesh, x)["epsilon"],
            }
    return rows


# How the configuration of a variant's planner differs: parameters of its grasps, those of its descent, and the rest.
PLANNERS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "feasible": ({}, {}, {"robot": ""}),
    OFFERED: ({}, {}, {}),
    "one batch": ({"tries": 1}, {}, {}),
    "ranked by ε": ({"place_error_m": 0.0}, {}, {}),
    SAMPLED: ({"network": SAMPLED}, {}, {}),
    SLOW: ({"network": SAMPLED}, {"iterations": SLOW_ITERATIONS}, {}),
}


@lru_cache(maxsize=len(PLANNERS))
def _tools(config: BenchmarkConfig, kind: str) -> Tools:
    """Planner of a variant; loading and compiling take seconds, once for each worker."""
    grasps, descent, rest = PLANNERS[kind]
    tools = make_tools(
        replace(
            config,
            grasps=replace(config.grasps, **grasps),
            descent=replace(config.descent, **descent),
            **rest,
        )
    )
    tools.planner.warm_up()
    return tools


@lru_cache(maxsize=1)
def _proposer(config: BenchmarkConfig) -> Proposer:
    """The network, once for each worker."""
    return make_proposer(_tools(config, OFFERED).hand, config.grasps.network)


def _network(task: Task, scene: Scene, target: SceneObject, rotations: int, refined: bool) -> Plan:
    """The best of some rotations in free space, with the postures around it."""
    tools, config = _tools(task.config, OFFERED), task.config.grasps
    propose = Propose(
        _proposer(task.config), SampledProposer(tools.hand), retry_rotations(rotations), rotations
    )
    stages: list[Stage] = [propose]
    if refined:
        stages += [Refine(task.config.descent.refinement()), Judge(config.min_epsilon)]
    else:
        stages.append(AsTheyCome())
    planner = GraspPlanner(tools.hand, replace(config, tries=1, max_grasps=1), fields=tools.planner.fields)
    planner.stages = [*stages, Open()]
    return planner.plan(Scene(), target)


def _planned(task: Task, scene: Scene, target: SceneObject, kind: str) -> Plan:
    """The best grasp of the planner."""
    return _tools(task.config, kind).planner.plan(scene, target)


class AsTheyCome:
    """Every candidate is as good as another."""

    name = "as they come"

    def __call__(self, batch: Batch, context: Context) -> Batch:
        """See `Stage`."""
        return batch.with_rows(batch.rows, quality=np.zeros(len(batch.rows)))


class Open:
    """Postures before and after a grasp, without looking at the way in."""

    name = "open"

    def __call__(self, batch: Batch, context: Context) -> Batch:
        """See `Stage`."""
        opened, squeezed = postures(context.hand, context.field, batch.x[batch.rows])
        straight = np.zeros((len(batch.rows), 3))
        return batch.with_rows(batch.rows, pre_grasp=opened, squeeze=squeezed, approach=straight)


VARIANTS: dict[str, Callable[[Task, Scene, SceneObject], Plan]] = {
    "network": partial(_network, rotations=1, refined=False),
    "refined": partial(_network, rotations=1, refined=True),
    "rotations": lambda task, scene, target: _network(
        task, scene, target, task.config.grasps.rotations, refined=True
    ),
    **{kind: partial(_planned, kind=kind) for kind in PLANNERS},
}


def summarized(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rates and means of every variant."""
    result = []
    for variant in VARIANTS:
        own = [row for row in rows if row["variant"] == variant]
        if own:
            held = sum(row["held"] for row in own)
            means = {key: float(np.mean([row[key] for row in own])) for key in ("epsilon", "true_epsilon")}
            times = {
                f"process_s_p{q}": float(np.percentile([row["process_s"] for row in own], q))
                for q in (50, 95)
            }
            result.append(
                {"variant": variant, "objects": len(own), "held": held / len(own), **means, **times}
            )
            result[-1]["interval"] = wilson(held, len(own))
    return result


def table_of(summary: Sequence[dict[str, Any]]) -> str:
    """Markdown of a summary."""
    rows = []
    for row in summary:
        low, high = (100 * end for end in row["interval"])
        held = f"{100 * row['held']:.1f} % of {row['objects']} ({low:.0f} to {high:.0f})"
        times = f"{row['process_s_p50']:.2f} s / {row['process_s_p95']:.2f} s"
        rows.append((row["variant"], held, f"{row['epsilon']:.3f}", f"{row['true_epsilon']:.3f}", times))
    return "\n".join(table(HEAD, rows))
