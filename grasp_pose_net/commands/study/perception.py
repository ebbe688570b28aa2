"""Perceive random tables with one to six objects of the test split, and compare with what stands there.

    grasp-pose-net study perception --meshes OBJECTS --scenes 100 --out docs/results/perception_report.json

Scene i has 1 + i % 6 objects in random stable poses. The cameras, their noise and their calibration errors are those of
the scan protocol (640 x 480, 0.7 m away, 40 degrees up, evenly around; depth noise after Nguyen, Izadi and Lovell, 2012;
poses wrong by up to 2 mm and 0.3 degrees). Every scene is written when it is done; the same command goes on where it stopped.

What is measured: a perceived object belongs to the true one that is nearest to most of its seen points, if 80 % of them lie
within 1 cm of it. A true object is found when one belongs to it; every further one, and one that belongs to none, is false.
Chamfer distance: the mean distance of 5000 points on each surface to the other surface, and the mean of both. IoU: on the
64³ cells of 5 mm around the true centre of mass. Times are of `perceive`, wall and process.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import open3d as o3d
import trimesh
import typer
from joblib import Parallel, delayed
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from tqdm import tqdm

from grasp_pose_net.commands.options import Seed, writable_file
from grasp_pose_net.exceptions import ConfigError, PerceptionError
from grasp_pose_net.markdown import table
from grasp_pose_net.perception import PerceptionConfig, perceive, warm_up
from grasp_pose_net.perception.capture import described
from grasp_pose_net.provenance import record
from grasp_pose_net.reading import parse_json, read_text
from grasp_pose_net.shapes import CELL_M, GRID_CELLS, load_mesh, split_of
from grasp_pose_net.simulation.cameras import CameraConfig
from grasp_pose_net.simulation.laboratory import mesh_files
from grasp_pose_net.simulation.tabletop import Tabletop, TabletopConfig, random_tabletop
from grasp_pose_net.storage import save_json, whole
from grasp_pose_net.synthesis.sources import object_name
from grasp_pose_net.world import Array, SceneObject

MOST_OBJECTS = 6
SURFACE_POINTS = 5000
OWNER_POINTS, OWN_M, OWN_RATIO = 1000, 0.01, 0.8
TABLE = TabletopConfig()
CONFIG = PerceptionConfig(workspace_min=(0.32, -0.38, 0.62), workspace_max=(1.08, 0.38, 1.22))
SCENES = {"scenes_all_found": "all found", "scenes_without_false": "none false"}
CURVES = (
    ("detection", "part of the scenes", SCENES),
    ("occupancy", "IoU", {"iou_mean": "mean", "iou_p5": "5th percentile"}),
    ("distances", "mm", {"chamfer_mean_m": "Chamfer, mean", "centre_p95_m": "centre of mass, p95"}),
)
LARGEST_M = 0.29  # of the objects; the workspace holds six of them


def main(
    meshes: Annotated[Path, typer.Option(help="Folder of meshes, one sub-folder for each source.")],
    out: Annotated[Path, typer.Option(help="JSON; beside it .jsonl and .png.", callback=writable_file())],
    split: Annotated[str, typer.Option(help="Objects by name: test, train or all.")] = "test",
    scenes: Annotated[int, typer.Option(min=1, help="How many.")] = 100,
    views: Annotated[list[int], typer.Option(help="Numbers of cameras; again for each.")] = [4],
    jobs: Annotated[
        int, typer.Option(min=1, help="Scenes at a time; wall times are only of those with 1.")
    ] = 1,
    seed: Seed = 0,
) -> None:
    """Measure and write."""
    files = [f for f in mesh_files(str(meshes)) if split in ("all", split_of(object_name(f)))]
    lines = out.with_suffix(".jsonl")
    done = {(row["seed"], row["scene"], row["views"]) for row in read_lines(lines)}
    tasks = {n: [v for v in views if (seed, n, v) not in done] for n in range(scenes)}
    made = Parallel(jobs, return_as="generator_unordered")(
        delayed(measured)(files, seed, number, counts) for number, counts in tasks.items() if counts
    )
    for rows in tqdm(made, total=sum(map(bool, tasks.values())), unit="scene"):
        with lines.open("a") as file:
            file.writelines(json.dumps(row | {"jobs": jobs}) + "\n" for row in rows)
    report = summary(read_lines(lines)) | {"objects": f"{len(files)} of the {split} split"} | record(seed)
    save_json(out, report)
    draw_curve(report, out.with_suffix(".png"))
    typer.echo(table_of(report))


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Scenes that are done."""
    lines = read_text(path, 256).splitlines() if path.exists() else []
    return [parse_json(line, str(path)) for line in lines]


def make_scene(files: Sequence[Path], seed: int, number: int) -> tuple[list[str], Tabletop]:
    """Names and tabletop of a scene; objects that do not fit beside each other are drawn again."""
    rng = np.random.default_rng([seed, number])
    while True:
        chosen = rng.choice(len(files), 1 + number % MOST_OBJECTS, replace=False)
        meshes = [load_mesh(files[i]) for i in chosen]
        try:
            return [object_name(files[i]) for i in chosen], random_tabletop(meshes, TABLE, rng)
        except ConfigError:
            continue


def measured(files: Sequence[Path], seed: int, number: int, counts: Sequence[int]) -> list[dict[str, Any]]:
    """Figures of one scene for several numbers of cameras."""
    warm_up()
    names, tabletop = make_scene(files, seed, number)
    return [seen_by(count, names, tabletop, seed, number) for count in counts]


def seen_by(count: int, names: Sequence[str], tabletop: Tabletop, seed: int, number: int) -> dict[str, Any]:
    """Figures of one scene seen by ``count`` cameras."""
    cameras = CameraConfig(names=tuple(f"camera_{i + 1}" for i in range(count)))
    views = tabletop.views(cameras, np.random.default_rng([seed, number, count]))
    wall, process = time.perf_counter(), time.process_time()
    problem, items, obstacles, stages = None, [], [], {}
    try:
        capture = perceive(views, CONFIG)
        items = [(item, capture.points[item.id]) for item in capture.scene.targets]
        stages = capture.seconds
        obstacles = [described(thing) for thing in capture.scene.obstacles]
    except PerceptionError as error:
        problem = str(error)
    wall, process = time.perf_counter() - wall, time.process_time() - process
    objects, false = compared(tabletop.meshes, names, items, np.random.default_rng(0))
    return {
        "seed": seed,
        "scene": number,
        "views": count,
        "objects": objects,
        "false": false,
        "obstacles": obstacles,
        "problem": problem,
        "wall_s": wall,
        "process_s": process,
        "stages": {name: round(seconds, 4) for name, seconds in stages.items()},
        "load": os.getloadavg()[0],
    }


def compared(
    meshes: Sequence[trimesh.Trimesh],
    names: Sequence[str],
    items: Sequence[tuple[SceneObject, Array]],
    rng: np.random.Generator,
) -> tuple[list[dict[str, Any]], int]:
    """Figures of each true object, and how many perceived objects, each with its points (N, 3) [m], are none."""
    owners = [owner(points, meshes) for _, points in items]
    objects = []
    for i, (name, mesh) in enumerate(zip(names, meshes, strict=True)):
        own = [item for item, whose in zip(items, owners, strict=True) if whose == i]
        entry: dict[str, Any] = {"name": name, "size_m": mesh.extents.round(4).tolist(), "found": bool(own)}
        if own:
            largest, _ = max(own, key=lambda item: len(item[1]))
            found = largest.mesh.copy().apply_transform(largest.T_world_object)
            entry |= {
                "iou": iou(mesh, found),
                "chamfer_m": chamfer(mesh, found, rng),
                "centre_m": float(np.linalg.norm(mesh.center_mass - found.center_mass)),
                "volume_ratio": float(found.volume / mesh.volume),
                "may_be_several": largest.several,
            }
        objects.append(entry)
    return objects, len(items) - sum(entry["found"] for entry in objects)


def owner(points: Array, meshes: Sequence[trimesh.Trimesh]) -> int | None:
    """Which of the true objects one that was perceived by points (N, 3) [m] is, None for none."""
    some = points[:: max(1, len(points) // OWNER_POINTS)].astype(np.float32)
    away = np.stack(
        [ray_scene(mesh).compute_distance(o3d.core.Tensor.from_numpy(some)).numpy() for mesh in meshes]
    )
    best = int(np.bincount(away.argmin(0)).argmax())
    return best if (away[best] < OWN_M).mean() > OWN_RATIO else None


def iou(true: trimesh.Trimesh, other: trimesh.Trimesh) -> float:
    """Intersection over union on the occupancy grid around the true centre of mass."""
    if (true.bounds[0] > other.bounds[1]).any() or (other.bounds[0] > true.bounds[1]).any():
        return 0.0
    axis = (np.arange(GRID_CELLS) - (GRID_CELLS - 1) / 2) * CELL_M
    centres = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3) + true.center_mass
    low, high = np.minimum(true.bounds[0], other.bounds[0]), np.maximum(true.bounds[1], other.bounds[1])
    centres = centres[((centres >= low) & (centres <= high)).all(1)]
    a, b = inside(true, centres), inside(other, centres)
    return float((a & b).sum() / max((a | b).sum(), 1))


def inside(mesh: trimesh.Trimesh, points: Array) -> np.ndarray:
    """Which points (N, 3) lie inside a mesh."""
    return (
        ray_scene(mesh)
        .compute_occupancy(o3d.core.Tensor.from_numpy(points.astype(np.float32)), nsamples=3)
        .numpy()
        > 0
    )


def chamfer(a: trimesh.Trimesh, b: trimesh.Trimesh, rng: np.random.Generator) -> float:
    """Mean symmetric distance [m] between two surfaces."""
    means = []
    for one, other in ((a, b), (b, a)):
        points = np.asarray(trimesh.sample.sample_surface(one, SURFACE_POINTS, seed=rng)[0], np.float32)
        means.append(
            float(ray_scene(other).compute_distance(o3d.core.Tensor.from_numpy(points)).numpy().mean())
        )
    return sum(means) / 2


def ray_scene(mesh: trimesh.Trimesh) -> o3d.t.geometry.RaycastingScene:
    """A mesh for questions of distance and inside."""
    scene = o3d.t.geometry.RaycastingScene()
    vertices, faces = np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.uint32)
    scene.add_triangles(o3d.core.Tensor.from_numpy(vertices), o3d.core.Tensor.from_numpy(faces))
    return scene


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Figures over all scenes, for each number of views."""
    return {
        "views": {
            str(count): of_views([r for r in rows if r["views"] == count])
            for count in sorted({r["views"] for r in rows})
        }
    }


def of_views(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Figures of scenes that were seen by one number of cameras."""
    objects = [entry for row in rows for entry in row["objects"]]
    found = [entry for entry in objects if entry["found"]]
    values = {key: np.array([entry[key] for entry in found]) for key in ("iou", "chamfer_m", "centre_m")}
    times = {
        str(n): {"scenes": len(own)}
        | quantiles([row["process_s"] for row in own], "process_s")
        | quantiles([row["wall_s"] for row in own if row["jobs"] == 1], "wall_s")
        for n in range(1, MOST_OBJECTS + 1)
        if (own := [row for row in rows if len(row["objects"]) == n])
    }
    return {
        "scenes": len(rows),
        "objects": len(objects),
        "scenes_all_found": float(np.mean([all(e["found"] for e in row["objects"]) for row in rows])),
        "scenes_without_false": float(np.mean([row["false"] == 0 for row in rows])),
        "objects_found": len(found) / len(objects),
        "chamfer_mean_m": float(values["chamfer_m"].mean()),
        "iou_mean": float(values["iou"].mean()),
        "iou_p5": float(np.quantile(values["iou"], 0.05)),
        "centre_p95_m": float(np.quantile(values["centre_m"], 0.95)),
        "chamfer_p95_m": float(np.quantile(values["chamfer_m"], 0.95)),
        "may_be_several": sum(entry["may_be_several"] for entry in found),
        "times_by_objects": times,
        "load_mean": float(np.mean([row["load"] for row in rows])),
        "missed": [f"scene {r['scene']}: {e['name']}" for r in rows for e in r["objects"] if not e["found"]],
        "false": [f"scene {r['scene']}: {r['false']}" for r in rows if r["false"]],
    }


def quantiles(values: Sequence[float], name: str) -> dict[str, float]:
    """Median and 95th percentile, nothing of no values."""
    if not values:
        return {}
    return {f"{name}_p50": float(np.quantile(values, 0.5)), f"{name}_p95": float(np.quantile(values, 0.95))}


def draw_curve(report: dict[str, Any], file: Path) -> None:
    """Picture of what more cameras bring."""
    counts = sorted(map(int, report["views"]))
    figure = Figure(figsize=(11, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    for axis, (title, unit, lines) in zip(figure.subplots(1, 3), CURVES, strict=True):
        for key, name in lines.items():
            values = [report["views"][str(count)][key] for count in counts]
            axis.plot(counts, np.array(values) * (1e3 if unit == "mm" else 1.0), "o-", label=name)
        axis.set(xlabel="cameras", ylabel=unit, title=title, xticks=counts, ylim=(0, None))
        axis.legend()
    with whole(file) as unfinished:
        figure.savefig(unfinished, dpi=90)


def table_of(report: dict[str, Any]) -> str:
    """The figures as Markdown."""
    head = ("views", "scenes", "all found", "no false", "Chamfer", "IoU mean / p5", "centre p95")
    rows = [
        (
            count,
            row["scenes"],
            f"{row['scenes_all_found']:.1%}",
            f"{row['scenes_without_false']:.1%}",
            f"{1e3 * row['chamfer_mean_m']:.2f} mm",
            f"{row['iou_mean']:.3f} / {row['iou_p5']:.3f}",
            f"{1e3 * row['centre_p95_m']:.1f} mm",
        )
        for count, row in report["views"].items()
    ]
    return "\n".join(table(head, rows))
