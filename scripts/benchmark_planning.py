"""Quality of the best grasp against the time to plan it, over numbers of rotations: with a network, and without.

    python scripts/benchmark_planning.py --meshes objects --limit 40 --out docs/planning_curve

Writes OUT.json, OUT.csv and OUT.png. Each object lies on a table in one of its stable poses; one batch of candidates is
planned for it by every combination of network, objective, iterations and number of rotations, and counts with ε = 0
where it gives no grasp. There is no arm and no retry: what is compared is a batch.

Two times are given: of the wall, and of the process (all threads). They differ where other work has the cores.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from grasp_pose_net.benchmark.run import SPLITS, chosen_meshes
from grasp_pose_net.exceptions import MeshError
from grasp_pose_net.hand import Hand
from grasp_pose_net.planning import GraspPlanner, PlannerConfig
from grasp_pose_net.provenance import commit, machine
from grasp_pose_net.refinement import OBJECTIVES, ObjectiveConfig
from grasp_pose_net.shapes import SignedDistanceField, load_mesh
from grasp_pose_net.synthesis import object_name, stable_planes
from grasp_pose_net.world import HalfSpace

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ENOUGH = 3
COLOURS = ("#d9772b", "#2f6db3", "#55a868", "#8172b3", "#8c8c8c")


@dataclass(frozen=True)
class Method:
    """One way to plan, of which the number of rotations is the curve's parameter."""

    network: str
    objective: str
    iterations: int

    def name(self) -> str:
        """As a legend has it."""
        return f"{self.network or 'own network'}, {self.objective}, {self.iterations} iterations"


def main() -> None:
    """Measure, write and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--meshes", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="the files' name without ending")
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--limit", type=int, default=40)
    parser.add_argument("--hand", default="shadow")
    parser.add_argument("--networks", nargs="+", default=["", "sampled"], help="'': the hand's own")
    parser.add_argument("--objectives", nargs="+", choices=list(OBJECTIVES), default=["closing"])
    parser.add_argument("--iterations", type=int, nargs="+", default=[ObjectiveConfig().iterations])
    parser.add_argument("--rotations", type=int, nargs="+", default=[7, 14, 28, 56, 112])
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    objects = load_objects(chosen_meshes(args.meshes, args.split, args.limit), args.seed)
    methods = [Method(*one) for one in itertools.product(args.networks, args.objectives, args.iterations)]
    entries = list(measured(Hand.load(args.hand), objects, methods, args.rotations, args.seed))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save(entries, args.out)


def load_objects(files: Sequence[Path], seed: int) -> list[tuple[str, SignedDistanceField, HalfSpace, float]]:
    """Name, field and support of every mesh that can be used, and the seconds that its field took."""
    objects = []
    for file in files:
        try:
            mesh = load_mesh(file)
        except MeshError:
            continue
        started = time.process_time()
        field = SignedDistanceField.from_mesh(mesh, PlannerConfig().field_cells)
        seconds = time.process_time() - started
        planes = stable_planes(mesh, 1, rng=np.random.default_rng(seed))
        objects.append((object_name(file), field, planes[0], seconds))
    return objects


def measured(
    hand: Hand,
    objects: Sequence[tuple[str, SignedDistanceField, HalfSpace, float]],
    methods: Sequence[Method],
    rotations: Sequence[int],
    seed: int,
) -> Iterable[dict[str, Any]]:
    """An entry for each object, method and number of rotations."""
    with tqdm(total=len(objects) * len(methods) * len(rotations), unit="plan") as progress:
        for method, count in itertools.product(methods, rotations):
            config = PlannerConfig(
                network=method.network, rotations=count, tries=1, max_grasps=100, enough=100, seed=seed
            )
            descent = ObjectiveConfig(objective=method.objective, iterations=method.iterations)
            planner = GraspPlanner(hand, config, descent.refinement())
            planner.warm_up()
            for name, field, plane, field_s in objects:
                wall, cpu = time.perf_counter(), time.process_time()
                plan = planner.plan(field, plane=plane)
                yield {
                    "name": name,
                    **asdict(method),
                    "rotations": count,
                    "epsilon": plan.grasps[0].epsilon if plan.grasps else 0.0,
                    "grasps": len(plan.grasps),
                    "wall_s": time.perf_counter() - wall + field_s,
                    "process_s": time.process_time() - cpu + field_s,
                    "rejected": dict(plan.rejected),
                }
                progress.update()


def save(entries: Sequence[dict[str, Any]], out: Path) -> None:
    """Write figures, table and picture, and print the table."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = curve(entries)
    objects = len({entry["name"] for entry in entries})
    made = {"machine": machine(), "commit": commit(), "objects": objects, "curve": rows, "plans": entries}
    out.with_suffix(".json").write_text(json.dumps(made, indent=1) + "\n")
    with out.with_suffix(".csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    print("| " + " | ".join(rows[0]) + " |\n" + "|---" * len(rows[0]) + "|")
    for row in rows:
        values = (f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values())
        print("| " + " | ".join(values) + " |")
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    quality, enough = figure.subplots(1, 2)
    draw(rows, "epsilon", quality).set(title="Quality of the best grasp", ylabel="mean ε (μ = 0.6) [1]")
    draw(rows, "enough", enough).set(
        title=f"Objects with at least {ENOUGH} grasps", ylabel="share [1]", ylim=(0, 1.02)
    )
    figure.supxlabel(
        f"n = {objects} objects, numbers are rotations; commit {made['commit'][:12]}", fontsize=8
    )
    FigureCanvasAgg(figure).print_png(str(out.with_suffix(".png")))
    print(f"figures: {out.with_suffix('.json')}, {out.with_suffix('.csv')}; plot: {out.with_suffix('.png')}")


def curve(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over objects for each method and number of rotations."""
    keys = ("network", "objective", "iterations", "rotations")
    rows = []
    for values in dict.fromkeys(tuple(entry[key] for key in keys) for entry in entries):
        own = [entry for entry in entries if tuple(entry[key] for key in keys) == values]
        epsilon = np.array([entry["epsilon"] for entry in own])
        rows.append(
            {
                **dict(zip(keys, values, strict=True)),
                "epsilon": float(epsilon.mean()),
                "standard_error": float(epsilon.std(ddof=1) / np.sqrt(len(own))) if len(own) > 1 else 0.0,
                "enough": float(np.mean([entry["grasps"] >= ENOUGH for entry in own])),
                "process_s": float(np.mean([entry["process_s"] for entry in own])),
                "wall_s_p50": float(np.median([entry["wall_s"] for entry in own])),
                "wall_s_p95": float(np.percentile([entry["wall_s"] for entry in own], 95)),
            }
        )
    return rows


def draw(rows: Sequence[dict[str, Any]], figure: str, axes: Axes) -> Axes:
    """One line for each method over the processor time of a plan, its points named by their rotations."""
    methods = dict.fromkeys(Method(row["network"], row["objective"], row["iterations"]) for row in rows)
    for method, colour in zip(methods, itertools.cycle(COLOURS)):
        own = [row for row in rows if asdict(method).items() <= row.items()]
        times = [row["process_s"] for row in own]
        axes.plot(times, [row[figure] for row in own], "o-", color=colour, label=method.name())
        if figure == "epsilon":
            low, high = ([row[figure] + sign * row["standard_error"] for row in own] for sign in (-1, 1))
            axes.fill_between(times, low, high, color=colour, alpha=0.2, linewidth=0)
        for row in own:
            axes.annotate(str(row["rotations"]), (row["process_s"], row[figure]), fontsize=7)
    axes.set(xlabel="processor time of a plan, all threads [s]")
    axes.legend(fontsize=7)
    return axes


if __name__ == "__main__":
    main()
