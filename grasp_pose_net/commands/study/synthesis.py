"""Compare the planner's two methods on the same objects: validated grasps per second, and how good they are.

Each object is planned by each method in turn, in this one process with one thread, so that CPU seconds count
alike on a busy machine. Fields are part of the time; convex pieces, which are made once for ever, are not.
Before, a few candidates drawn evenly from those that pass the filter are tried too: the planner itself tries
the best ones first, and the success of its trials would flatter the filter. `--grasps 0` does only that.

    grasp-pose-net study synthesis --meshes objects --objects 20 --json synthesis.json
    grasp-pose-net study synthesis --meshes objects --split test --objects 60 --methods gradient --grasps 0
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numba
import numpy as np
import torch
import typer

from grasp_pose_net.commands.options import JsonFile, Seed
from grasp_pose_net.hand import Hand
from grasp_pose_net.provenance import record
from grasp_pose_net.quality import epsilon_of
from grasp_pose_net.shapes import SignedDistanceField, load_mesh, split_of
from grasp_pose_net.simulation.force_trial import ForceTrial, ForceValidator
from grasp_pose_net.storage import save_json
from grasp_pose_net.synthesis import (
    Annealing,
    Grasps,
    Synthesis,
    find_meshes,
    grasp_distance,
    object_name,
    stable_planes,
    synthesize,
)
from grasp_pose_net.synthesis.candidates import Candidates
from grasp_pose_net.synthesis.files import STRONG_EPSILON

METHODS = ("gradient", "annealing")
# GraspIt!'s temperature, meant for 8 variables; the default is ten times colder, since this ends too hot to touch.
AS_PUBLISHED = Annealing(degree_m=1000.0)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is compared."""

    methods: tuple[str, ...]
    grasps: int
    candidates: int
    sample: int
    published: bool
    weak: bool
    seed: int


def main(
    meshes: Annotated[Path, typer.Option(help="Folder with <source>/<name>.obj.")],
    sources: Annotated[str, typer.Option(help="Only these sub-folders, such as bigbird,kit.")] = "",
    split: Annotated[str, typer.Option(help="Objects by name: test, train or all.")] = "all",
    objects: Annotated[int, typer.Option(min=1, help="How many, chosen at random.")] = 20,
    methods: Annotated[str, typer.Option(help="Of gradient,annealing.")] = ",".join(METHODS),
    grasps: Annotated[int, typer.Option(min=0, help="Wanted for each object; 0 = sample only.")] = 30,
    candidates: Annotated[int, typer.Option(min=1, help="At most, for each object and method.")] = 600,
    sample: Annotated[int, typer.Option(min=0, help="Candidates tried without choosing the best.")] = 8,
    published: Annotated[
        bool, typer.Option("--published", help="Anneal at GraspIt!'s own temperature.")
    ] = False,
    weak: Annotated[
        bool, typer.Option("--weak", help="Count held grasps below the filter's epsilon, too.")
    ] = False,
    hand: Annotated[str, typer.Option(help="Hand in models/hands/, or a path to a hand.yaml.")] = "shadow",
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Plan, print one line per object and method, write the report.

    Long because every option is a line of the signature.
    """
    options = Options(
        methods=tuple(methods.split(",")), grasps=grasps, candidates=candidates, sample=sample,
        published=published, weak=weak, seed=seed,
    )  # fmt: skip
    numba.set_num_threads(1)
    torch.set_num_threads(1)
    loaded = Hand.load(hand)
    files = find_meshes(meshes, [one for one in sources.split(",") if one])
    files = [f for f in files if split in ("all", split_of(object_name(f)))]
    files = [files[i] for i in np.random.default_rng(seed).permutation(len(files))[:objects]]
    rows: list[dict[str, Any]] = []
    for number, file in enumerate(files):
        mesh = load_mesh(file)
        ForceTrial(loaded, mesh)  # convex pieces come from the cache from here on
        if number == 0:
            for method in options.methods:  # compiles the kernels
                synthesize(
                    loaded,
                    mesh,
                    1,
                    np.random.default_rng(0),
                    Synthesis(
                        method=method,  # type: ignore[arg-type]
                        max_candidates=4,
                    ),
                )
        for method in options.methods:
            row = {"object": object_name(file), "method": method, **_plan(loaded, mesh, method, options)}
            rows.append(row)
            typer.echo(json.dumps(row))
    report = _report(rows, options)
    typer.echo(json.dumps(report["methods"], indent=1))
    if report["ratio"]:
        typer.echo(f"rate of gradient / rate of annealing: {report['ratio']:.1f}")
    if json_file:
        save_json(json_file, report)
        typer.echo(f"report: {json_file}")


def _plan(hand: Hand, mesh: Any, method: str, options: Options) -> dict[str, Any]:
    """Figures of one object and method."""
    annealing = AS_PUBLISHED if options.published else Annealing()
    config = Synthesis(
        method=method,  # type: ignore[arg-type]
        max_candidates=options.candidates,
        annealing=annealing,
    )
    if not options.weak:
        config = replace(config, weak_epsilon=config.least_epsilon)
    validate, field = ForceValidator(), SignedDistanceField.from_mesh(mesh)
    sample_epsilon, sample_held = np.empty(0), np.empty(0, bool)
    if options.sample:
        rng = np.random.default_rng([options.seed, 1])
        planes = stable_planes(mesh, config.table_poses, rng=rng)
        pool = Candidates(hand, mesh, field, planes, rng, config).round(6 * options.sample)
        passed = np.flatnonzero(pool.epsilon >= config.least_epsilon)
        x = pool.x[rng.permutation(passed)[: options.sample]]
        if len(x):
            sample_epsilon, sample_held = epsilon_of(hand, field, x), validate(hand, mesh, field, x)
    start = time.process_time()
    rng = np.random.default_rng([options.seed, 2])
    found = Grasps.none(hand.size)
    if options.grasps:
        found = synthesize(hand, mesh, options.grasps, rng, config, validate)
    seconds = time.process_time() - start
    return {
        "held": found.held,
        "trials": found.trials,
        "passed": found.passed,
        "tried": found.tried,
        "seconds": seconds,
        "stages": {name: round(value, 3) for name, value in found.seconds.items()},
        "epsilon": found.epsilon.round(4).tolist(),
        "hand_penetration_m": found.hand_penetration_m.round(6).tolist(),
        "self_penetration_m": found.self_penetration_m.round(6).tolist(),
        "nearest": _nearest(found),
        "sample_epsilon": sample_epsilon.round(4).tolist(),
        "sample_held": sample_held.tolist(),
    }


def _nearest(found: Grasps) -> float:
    """Median over grasps of the distance to the nearest other one; 0 where there is none."""
    if len(found.x) < 2:
        return 0.0
    apart = grasp_distance(found.x[:, None], found.x[None])
    np.fill_diagonal(apart, np.inf)
    return float(np.median(apart.min(1)))


def _report(rows: list[dict[str, Any]], options: Options) -> dict[str, Any]:
    methods = {name: _summary([row for row in rows if row["method"] == name]) for name in options.methods}
    rate = {name: summary["grasps_per_cpu_second"] for name, summary in methods.items()}
    both = all(rate.get(name) for name in METHODS)
    return {
        "settings": asdict(options),
        "threads_used": 1,
        **record(options.seed),
        "methods": methods,
        "ratio": rate["gradient"] / rate["annealing"] if both else None,
        "objects": rows,
    }


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures of one method over all objects."""

    def total(name: str) -> float:
        return float(sum(row[name] for row in rows))

    def every(name: str) -> np.ndarray:
        return np.array([value for row in rows for value in row[name]])

    held, epsilon = every("sample_held").astype(bool), every("sample_epsilon")
    rate = total("held") / total("seconds")
    return {
        "grasps": int(total("held")),
        "cpu_seconds": total("seconds"),
        "grasps_per_cpu_second": rate,
        "grasps_per_second_on_two_cores": 2.0 * rate,
        "stages": {
            name: sum(row["stages"].get(name, 0.0) for row in rows)
            for name in ("field", "starts", "search", "filter", "trial")
        },
        "objects_without": sum(row["held"] == 0 for row in rows),
        "candidates_passed": _share(total("passed"), total("tried")),
        "trials_held": _share(total("held"), total("trials")),
        "sample_held": _share(held.sum(), len(held)),
        "sample_held_strong": _share(
            held[epsilon >= STRONG_EPSILON].sum(), (epsilon >= STRONG_EPSILON).sum()
        ),
        "mean_epsilon": float(every("epsilon").mean()) if total("held") else 0.0,
        "hand_penetration_p95_m": _p95(every("hand_penetration_m")),
        "self_penetration_p95_m": _p95(every("self_penetration_m")),
        "nearest": float(np.mean([row["nearest"] for row in rows])),
    }


def _share(part: float, whole: float) -> dict[str, float]:
    """A rate, its standard error, and of how many."""
    part, whole = float(part), float(whole)
    rate = part / whole if whole else 0.0
    return {"rate": rate, "standard_error": (rate * (1 - rate) / whole) ** 0.5 if whole else 0.0, "n": whole}


def _p95(values: np.ndarray) -> float:
    return float(np.percentile(values, 95)) if len(values) else 0.0
