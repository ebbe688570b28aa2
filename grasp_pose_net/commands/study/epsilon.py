"""Measure ε: error and time against qhull's whole hull, on random contacts of the objects in models/objects.

    grasp-pose-net study epsilon --out docs/results/epsilon_benchmark.json

With --dataset and --meshes also on the stored grasps of a dataset, whose meshes are not in this repository.
Times are those of one core (process time, one thread).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import numba
import numpy as np
import torch
import trimesh
import typer
from scipy.spatial import ConvexHull, QhullError
from scipy.stats import spearmanr

from grasp_pose_net.commands.options import writable_file
from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.markdown import table
from grasp_pose_net.models import share_dir
from grasp_pose_net.provenance import record
from grasp_pose_net.quality import cone_wrenches, contacts
from grasp_pose_net.quality.ball import FLAT, largest_balls
from grasp_pose_net.shapes import SignedDistanceField, load_mesh
from grasp_pose_net.storage import save_json
from grasp_pose_net.synthesis import load_dataset

HEAD = ("grasps", "number", "contacts", "ms", "per s and core", "qhull ms", "relative error", "Spearman")
COUNTS = (8, 12, 20, 30, 40)
OURS_AT = 200  # grasps a contact count is timed on


def main(
    out: Annotated[
        Path | None, typer.Option(help="Write the figures here.", callback=writable_file())
    ] = None,
    grasps: Annotated[int, typer.Option(min=1, help="Random grasps with 4 to 12 contacts.")] = 2000,
    dataset: Annotated[Path | None, typer.Option(help="Stored grasps, as `synthesize` makes them.")] = None,
    meshes: Annotated[Path | None, typer.Option(help="Folder with the meshes of the dataset.")] = None,
    stored: Annotated[int, typer.Option(min=1, help="Stored grasps compared with qhull.")] = 200,
) -> None:
    """Measure and write."""
    numba.set_num_threads(1)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    random = [surface_grasp(int(count), rng) for count in rng.integers(4, 13, grasps)]
    largest_balls(random[0], np.array([0, len(random[0])]))  # compiled before it is timed
    rows = {f"random, {count} contacts": timed(count, rng) for count in COUNTS}
    rows["random, 4 to 12 contacts"] = compared(random, grasps)
    if dataset and meshes:
        rows["stored grasps"] = compared(stored_grasps(dataset, meshes, rng), stored)
    typer.echo("\n".join(table(HEAD, [_row(name, row) for name, row in rows.items()])))
    if out:
        save_json(out, record(0) | {"grasps": rows})


def timed(count: int, rng: np.random.Generator) -> dict[str, float]:
    """Times on grasps with so many contacts; a few of them compared with qhull."""
    return compared([surface_grasp(count, rng) for _ in range(OURS_AT)], 10)


def surface_grasp(count: int, rng: np.random.Generator) -> np.ndarray:
    """Wrenches (8 count, 6) of random contacts on a random object."""
    path = rng.choice(sorted((share_dir() / "models" / "objects").glob("*.ply")))
    mesh = load_mesh(path)
    points, faces = trimesh.sample.sample_surface(mesh, count, seed=rng)
    size = np.linalg.norm(mesh.vertices, axis=1).max()
    return cone_wrenches(points, -mesh.face_normals[faces], size)


def stored_grasps(dataset: Path, meshes: Path, rng: np.random.Generator) -> list[np.ndarray]:
    """Wrenches of the grasps of 40 objects of a dataset, in random order."""
    data = load_dataset(dataset)
    hand = Hand.load(data.hand)
    kinematics = Kinematics(hand, torch.float64)
    grasps = []
    for name in rng.permutation(np.unique(data.object_index))[:40]:
        mesh = load_mesh(next(meshes.glob(f"{data.objects[name]}.*")))
        field = SignedDistanceField.from_mesh(mesh)
        x = torch.as_tensor(data.x[data.object_index == name], dtype=torch.float64)
        touching = contacts(hand, kinematics, field, x)
        grasps += [cone_wrenches(*touching.of(i), field.radius) for i in range(len(x))]
    return [grasps[i] for i in rng.permutation(len(grasps))]


def compared(grasps: list[np.ndarray], with_qhull: int) -> dict[str, float]:
    """Time of all grasps; error and rank correlation of the first ones against qhull."""
    points, first = np.concatenate(grasps), np.cumsum([0, *map(len, grasps)])
    begin = time.process_time()
    ours = largest_balls(points, first)
    seconds = (time.process_time() - begin) / len(grasps)
    alone = [one_time(one) for one in grasps[:200]]
    begin = time.process_time()
    theirs = np.array([qhull_radius(one) for one in grasps[:with_qhull]])
    qhull_seconds = (time.process_time() - begin) / len(theirs)
    valid = np.isfinite(theirs)
    ours_there, theirs = ours[:with_qhull][valid], theirs[valid]
    held = theirs > FLAT
    return {
        "grasps": len(grasps),
        "contacts_mean": float(np.mean([len(one) for one in grasps]) / 8),
        "epsilon_mean": float(ours.mean()),
        "ms_per_grasp": 1e3 * seconds,
        "grasps_per_second_and_core": 1 / seconds,
        "ms_one_grasp_p95": 1e3 * float(np.percentile(alone, 95)),
        "compared_with_qhull": len(theirs),
        "of_these_positive": int(held.sum()),
        "qhull_failed": int((~valid).sum()),
        "qhull_ms": 1e3 * qhull_seconds,
        "largest_relative_error": float(
            np.abs(ours_there / np.where(held, theirs, 1) - 1)[held].max(initial=0)
        ),
        "largest_error_at_zero": float(ours_there[~held].max(initial=0)),
        "spearman": float(spearmanr(ours_there, theirs).statistic),
    }


def one_time(wrenches: np.ndarray) -> float:
    """Process time of one grasp alone [s]."""
    begin = time.process_time()
    largest_balls(wrenches, np.array([0, len(wrenches)]))
    return time.process_time() - begin


def qhull_radius(wrenches: np.ndarray) -> float:
    """The exact value from all facets of the hull; NaN where qhull gives up."""
    spread = np.linalg.svd(wrenches - wrenches.mean(0), compute_uv=False)
    if len(wrenches) < 7 or spread[-1] <= FLAT * spread[0]:
        return 0.0
    try:
        return max(0.0, float(-ConvexHull(wrenches).equations[:, -1].max()))
    except QhullError:
        return float("nan")


def _row(name: str, row: dict[str, float]) -> tuple[object, ...]:
    """One line of the table."""
    return (
        name,
        row["grasps"],
        f"{row['contacts_mean']:.1f}",
        f"{row['ms_per_grasp']:.2f}",
        f"{row['grasps_per_second_and_core']:.0f}",
        f"{row['qhull_ms']:.0f}",
        f"{row['largest_relative_error']:.1e}",
        f"{row['spearman']:.6f}",
    )
