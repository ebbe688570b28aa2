"""What each part of planning adds, in force trials on noisy scans: the ablation of the pipeline.

    python scripts/ablate_planning.py --meshes objects --limit 80 --jobs 2 --out docs/ablation

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

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from grasp_pose_net.benchmark import benchmark_config
from grasp_pose_net.benchmark.config import BenchmarkConfig
from grasp_pose_net.benchmark.entries import grasp_figures
from grasp_pose_net.benchmark.run import SPLITS, chosen_meshes
from grasp_pose_net.benchmark.tables import wilson
from grasp_pose_net.benchmark.trial import Task, Tools, episode_of, make_tools, on_true_object, views_of_task
from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.inference import retry_rotations
from grasp_pose_net.inference.proposal import SAMPLED, Proposer, make_proposer
from grasp_pose_net.perception import perceive
from grasp_pose_net.planning import Target, refine_and_rank, surroundings
from grasp_pose_net.provenance import commit, machine
from grasp_pose_net.refinement import postures
from grasp_pose_net.shapes import load_mesh
from grasp_pose_net.simulation.force_trial import ForceTrial
from grasp_pose_net.storage import write_whole
from grasp_pose_net.synthesis.backends import in_parallel
from grasp_pose_net.synthesis.sources import mesh_hash
from grasp_pose_net.world import Array, Scene

SLOW_ITERATIONS = 300
SLOW = f"{SAMPLED}, slow"
OFFERED = "with the arm"


@dataclass(frozen=True)
class Answer:
    """A grasp of what was perceived: pose vector x (D,), joints before and after (D - 7,) [rad]."""

    x: Array
    opened: Array
    squeezed: Array


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--meshes", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="the files' name without ending")
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--limit", type=int, default=80)
    parser.add_argument("--network", default="", help="'': the hand's own")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    config = benchmark_config(
        stages=("scan", "plan", "force"), grasps={"network": args.network}, descent={}, seed=args.seed
    )
    files = chosen_meshes(args.meshes, args.split, args.limit)
    tasks = [Task(file.resolve(), mesh_hash(file), 0, config, Path()) for file in files]
    rows: list[dict[str, Any]] = []
    for found in tqdm(in_parallel(ablate, tasks, jobs=args.jobs), total=len(tasks), unit="object"):
        rows += found
    rows.sort(key=lambda row: row["name"])
    about = {"machine": machine(), "commit": commit()}
    summary = summarized(rows)
    write_whole(
        args.out.with_suffix(".json"),
        json.dumps(about | {"summary": summary, "objects": rows}, indent=1) + "\n",
    )
    text = (
        table(summary) + f"\n{args.jobs} objects at a time; {about['machine']}; commit {about['commit']}.\n"
    )
    write_whole(args.out.with_suffix(".md"), text)
    print(text)


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
        answer = variant(task, scene, targets[0]) if targets else None
        row = {"name": task.name, "variant": name, "process_s": time.process_time() - started}
        rows.append(row | {"held": False, "epsilon": 0.0, "true_epsilon": 0.0})
        if answer is not None:
            x = on_true_object(episode, targets[0], answer.x)
            rows[-1] |= {
                "held": bool(trial.judge(x[None], answer.opened[None], answer.squeezed[None]).success[0]),
                "epsilon": grasp_figures(hand, targets[0].mesh, answer.x)["epsilon"],
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


def _network(task: Task, target: Target, rotations: int, refined: bool) -> Answer | None:
    """The best of some rotations in free space."""
    tools = _tools(task.config, OFFERED)
    field = tools.planner.field(target.mesh)
    rng = np.random.default_rng(task.config.grasps.seed)
    x = _proposer(task.config)(field, retry_rotations(rotations), rng=rng)
    if refined:
        ranked = refine_and_rank(tools.hand, field, x, config=task.config.descent.refinement())
        x = ranked.x[ranked.epsilon >= task.config.grasps.min_epsilon]
    if len(x) == 0:
        return None
    opened, squeezed = postures(tools.hand, field, x[:1])
    return Answer(x[0], opened[0], squeezed[0])


def _planned(task: Task, around: Scene, target: Target, kind: str) -> Answer | None:
    """The best grasp of the planner."""
    plan = _tools(task.config, kind).planner.plan(around, target, surroundings(around, target).supports)
    if not plan.grasps:
        return None
    best = plan.grasps[0]
    return Answer(best.x, best.approach_joints, best.squeeze_joints)


VARIANTS = {
    "network": lambda task, around, target: _network(task, target, 1, refined=False),
    "refined": lambda task, around, target: _network(task, target, 1, refined=True),
    "rotations": lambda task, around, target: _network(
        task, target, task.config.grasps.rotations, refined=True
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


def table(summary: Sequence[dict[str, Any]]) -> str:
    """Markdown of a summary."""
    lines = [
        "| variant | held (95 % interval) | ε as perceived | ε on the object as it is | processor time p50 / p95 |",
        "|---|---|---|---|---|",
    ]
    for row in summary:
        low, high = (100 * end for end in row["interval"])
        lines.append(
            f"| {row['variant']} | {100 * row['held']:.1f} % of {row['objects']} ({low:.0f} to {high:.0f}) | "
            f"{row['epsilon']:.3f} | {row['true_epsilon']:.3f} | {row['process_s_p50']:.2f} s / {row['process_s_p95']:.2f} s |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    import ablate_planning  # by its name, under which worker processes find it

    ablate_planning.main()
