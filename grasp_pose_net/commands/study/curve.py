"""Quality of the best grasp against the time to plan it, over numbers of rotations: with a network, and without.

    grasp-pose-net study curve --meshes objects --limit 40 --out docs/results/planning_curve

Writes OUT.json, OUT.csv and OUT.png. Each object lies on a table in one of its stable poses; one batch of candidates is
planned for it by every combination of network, objective, iterations and number of rotations, and counts with ε = 0
where it gives no grasp. There is no arm and no retry: what is compared is a batch.

Two times are given: of the wall, and of the process (all threads). They differ where other work has the cores.
"""

from __future__ import annotations

import csv
import itertools
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from tqdm import tqdm

from grasp_pose_net.benchmark.run import chosen_meshes
from grasp_pose_net.commands.options import Seed, writable_file
from grasp_pose_net.exceptions import MeshError
from grasp_pose_net.hand import Hand
from grasp_pose_net.inference import SAMPLED
from grasp_pose_net.markdown import table
from grasp_pose_net.planning import Fields, GraspPlanner, PlannerConfig, Refine
from grasp_pose_net.provenance import record
from grasp_pose_net.refinement import ObjectiveConfig
from grasp_pose_net.shapes import load_mesh
from grasp_pose_net.storage import save_json, whole
from grasp_pose_net.synthesis import object_name, stable_planes
from grasp_pose_net.world import Part, Role, Scene, SceneObject

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


def main(
    meshes: Annotated[Path, typer.Option(help="Folder of meshes, one sub-folder for each source.")],
    out: Annotated[Path, typer.Option(help="The files' name without ending.", callback=writable_file())],
    split: Annotated[str, typer.Option(help="Objects by name: test, train or all.")] = "test",
    limit: Annotated[int, typer.Option(min=1, help="Objects, a fair sample.")] = 40,
    hand: Annotated[str, typer.Option(help="Hand in models/hands/, or a path to a hand.yaml.")] = "shadow",
    networks: Annotated[
        list[str], typer.Option("--network", help="Again for each; empty: the hand's own.")
    ] = ["", SAMPLED],
    objectives: Annotated[list[str], typer.Option("--objective", help="Again for each.")] = ["closing"],
    iterations: Annotated[list[int], typer.Option(help="Of the descent; again for each.")] = [
        ObjectiveConfig().iterations
    ],
    rotations: Annotated[list[int], typer.Option(help="Again for each.")] = [7, 14, 28, 56, 112],
    seed: Seed = 0,
) -> None:
    """Measure and write."""
    objects = load_objects(chosen_meshes(meshes, split, limit), seed)
    methods = [Method(*one) for one in itertools.product(networks, objectives, iterations)]
    entries = list(measured(Hand.load(hand), objects, methods, rotations, seed))
    save(entries, out, record(seed))


def load_objects(files: Sequence[Path], seed: int) -> list[tuple[str, Scene]]:
    """Name of every mesh that can be used, and a scene in which it lies on a table."""
    objects = []
    for file in files:
        try:
            mesh = load_mesh(file)
        except MeshError:
            continue
        (top,) = stable_planes(mesh, 1, rng=np.random.default_rng(seed))
        table = SceneObject("table", np.eye(4), (Part(top),), Role.SUPPORT)
        objects.append((object_name(file), Scene((table, SceneObject.target("object", np.eye(4), mesh)))))
    return objects


def measured(
    hand: Hand,
    objects: Sequence[tuple[str, Scene]],
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
            planner = GraspPlanner(hand, config, refine=Refine(descent.refinement()))
            planner.warm_up()
            for name, scene in objects:
                planner.fields = Fields(config.field_cells)  # each plan takes the time of its field
                wall, cpu = time.perf_counter(), time.process_time()
                # the table may be tilted as the object's frame is: it is named
                plan = planner.plan(scene, scene["object"], ["table"])
                yield {
                    "name": name,
                    **asdict(method),
                    "rotations": count,
                    "epsilon": plan.grasps[0].parts["epsilon"] if plan.grasps else 0.0,
                    "grasps": len(plan.grasps),
                    "wall_s": time.perf_counter() - wall,
                    "process_s": time.process_time() - cpu,
                    "rejected": plan.account.data()["rejected"],
                }
                progress.update()


def save(entries: Sequence[dict[str, Any]], out: Path, about: dict[str, Any]) -> None:
    """Write figures, table and picture, and print the table."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = curve(entries)
    objects = len({entry["name"] for entry in entries})
    made = about | {"objects": objects, "curve": rows, "plans": entries}
    save_json(out.with_suffix(".json"), made)
    with whole(out.with_suffix(".csv")) as unfinished, unfinished.open("w", newline="") as stream:
        sheet = csv.DictWriter(stream, list(rows[0]))
        sheet.writeheader()
        sheet.writerows(rows)
    shown = [[f"{v:.3f}" if isinstance(v, float) else v for v in row.values()] for row in rows]
    typer.echo("\n".join(table(list(rows[0]), shown)))
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    quality, enough = figure.subplots(1, 2)
    draw(rows, "epsilon", quality).set(title="Quality of the best grasp", ylabel="mean ε (μ = 0.6) [1]")
    draw(rows, "enough", enough).set(
        title=f"Objects with at least {ENOUGH} grasps", ylabel="share [1]", ylim=(0, 1.02)
    )
    figure.supxlabel(
        f"n = {objects} objects, numbers are rotations; commit {made['commit'][:12]}", fontsize=8
    )
    with whole(out.with_suffix(".png")) as unfinished:
        FigureCanvasAgg(figure).print_png(str(unfinished))
    typer.echo(
        f"figures: {out.with_suffix('.json')}, {out.with_suffix('.csv')}; plot: {out.with_suffix('.png')}"
    )


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
