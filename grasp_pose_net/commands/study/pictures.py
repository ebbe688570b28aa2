"""Make a page of pictures of a dataset: a random grasp of random objects, or the objects with the fewest grasps.

Example: grasp-pose-net study pictures models/datasets/shadow.npz --meshes objects --out docs/results/grasps.png
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import torch
import trimesh
import typer
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from grasp_pose_net.commands.options import Seed, writable_file
from grasp_pose_net.hand import Hand, rotation_from_quat
from grasp_pose_net.inference import draw_starts
from grasp_pose_net.shapes import SignedDistanceField, load_mesh, rotate_pose
from grasp_pose_net.simulation.picture import draw_grasp
from grasp_pose_net.storage import whole
from grasp_pose_net.synthesis import GraspDataset, find_meshes, load_dataset, object_name, shortfall

COLUMNS = 5
PICTURE_PX = (300, 250)
SCALE = 2  # drawn larger, then shrunk, which smooths edges
FONT_PX, LINE_PX, LETTERS = 12, 17, 42
SIDEWAYS_RAD = 4.0  # heading of the forearm that lies across the picture, so that it hides nothing
VISIBLE_M = 0.5  # height of what the camera shows at the object
COLOURS = 256  # a palette keeps a page well below 1.5 MB


def main(
    dataset: Annotated[Path, typer.Argument(help="Dataset file of `synthesize`.")],
    meshes: Annotated[Path, typer.Option(help="Folder that the dataset was made from.")],
    out: Annotated[Path, typer.Option(help="PNG to write.", callback=writable_file(".png"))],
    count: Annotated[int, typer.Option(min=1, help="Objects on the page.")] = 30,
    worst: Annotated[bool, typer.Option("--worst", help="Objects with the fewest grasps, and why.")] = False,
    seed: Seed = 0,
) -> None:
    """Measure and write."""
    data, rng = load_dataset(dataset), np.random.default_rng(seed)
    files = {object_name(file): file for file in find_meshes(meshes)}
    hand = Hand.load(data.hand)
    tiles = []
    for number in chosen(data, count, worst, rng):
        mesh = load_mesh(files[str(data.objects[number])])
        own = np.flatnonzero(data.object_index == number)
        grasp = int(rng.choice(own)) if len(own) else None
        tiles.append((drawn(hand, mesh, data, grasp, rng), caption(data, number, grasp, worst)))
    with whole(out) as unfinished:
        page(tiles).quantize(COLOURS).save(unfinished, optimize=True)
    typer.echo(f"wrote {out}: {len(tiles)} objects, {out.stat().st_size / 1e6:.2f} MB")


def chosen(data: GraspDataset, count: int, worst: bool, rng: np.random.Generator) -> list[int]:
    """Numbers of the objects to show."""
    planned = np.flatnonzero(data.failure == "")
    if worst:
        return planned[np.argsort(data.counts[planned], kind="stable")][:count].tolist()
    some = planned[data.counts[planned] > 0]
    return np.sort(rng.choice(some, size=min(count, len(some)), replace=False)).tolist()


def drawn(
    hand: Hand, mesh: trimesh.Trimesh, data: GraspDataset, grasp: int | None, rng: np.random.Generator
) -> Image.Image:
    """A grasp, on its table where one is known; without a grasp, the open hand before the object."""
    if grasp is None:
        x = draw_starts(hand, mesh, SignedDistanceField.from_mesh(mesh, 64), 1, rng=rng)[0]
        upwards = np.array([0.0, 0.0, 1.0])
    else:
        x, upwards = data.x[grasp].astype(np.float64), data.planes[data.plane[grasp], :3].astype(np.float64)
    x, mesh = turned(
        x, mesh, trimesh.geometry.align_vectors(upwards, [0, 0, 1]) if upwards.any() else np.eye(4)
    )
    forearm = rotation_from_quat(torch.tensor(x[3:7])).numpy() @ -hand.finger_axis
    yaw = SIDEWAYS_RAD - np.arctan2(forearm[1], forearm[0])
    x, mesh = turned(x, mesh, trimesh.transformations.rotation_matrix(yaw, [0, 0, 1]))
    zoom = np.clip(VISIBLE_M / (2 * np.linalg.norm(mesh.vertices, axis=1).max() + 0.16), 1.0, 1.8)
    width, height = (2 * int(SCALE * zoom * side / 2) for side in PICTURE_PX)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "grasp.png"
        draw_grasp(hand, x, mesh, file, (width * 3 // 2, height))  # the large view takes two thirds
        middle = np.array([[-1, -1], [1, 1]]) * PICTURE_PX * SCALE / 2 + [width / 2, height / 2]
        return Image.open(file).convert("RGB").crop(middle.ravel().astype(int).tolist()).resize(PICTURE_PX)


def turned(x: np.ndarray, mesh: trimesh.Trimesh, T: np.ndarray) -> tuple[np.ndarray, trimesh.Trimesh]:
    """Grasp and object under a rotation T (4, 4) about the centre of mass."""
    R = torch.tensor(np.ascontiguousarray(T[:3, :3]))
    return rotate_pose(torch.tensor(x), R).numpy(), mesh.copy().apply_transform(T)


def caption(data: GraspDataset, number: int, grasp: int | None, worst: bool) -> list[str]:
    """Lines below a picture."""
    name = str(data.objects[number])
    if worst or grasp is None:
        text = shortfall(data, number)
    else:
        held = ", held" if data.held[grasp] else ""
        text = f"{data.split[number]}, ε {data.epsilon[grasp]:.2f}{held}, one of {data.counts[number]}"
    return [*textwrap.wrap(name, LETTERS), *textwrap.wrap(text, LETTERS)]


def page(tiles: list[tuple[Image.Image, list[str]]]) -> Image.Image:
    """Pictures in rows, each above its caption."""
    font = ImageFont.truetype(findfont("DejaVu Sans"), FONT_PX)
    lines = max(len(text) for _, text in tiles)
    width, height = PICTURE_PX[0], PICTURE_PX[1] + LINE_PX * lines + 8
    rows = -(-len(tiles) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * width, rows * height), "white")
    pen = ImageDraw.Draw(sheet)
    for place, (picture, text) in enumerate(tiles):
        left, top = place % COLUMNS * width, place // COLUMNS * height
        sheet.paste(picture, (left, top))
        for row, line in enumerate(text):
            pen.text((left + 6, top + PICTURE_PX[1] + 3 + row * LINE_PX), line, "black", font)
    return sheet
