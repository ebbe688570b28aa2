"""A picture of each stage: views, table, clusters, meshes, occupied cells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from grasp_pose_net.perception.capture import described
from grasp_pose_net.perception.from_files import occupied_cells
from grasp_pose_net.storage import whole
from grasp_pose_net.world import Array, transform_points

if TYPE_CHECKING:  # matplotlib is loaded when a picture is made
    from mpl_toolkits.mplot3d.axes3d import Axes3D

    from grasp_pose_net.perception.capture import Capture

OBJECT_COLOURS = (
    (230, 80, 60),
    (60, 130, 230),
    (70, 180, 90),
    (240, 180, 40),
    (150, 90, 200),
    (40, 190, 190),
)
MOST_POINTS = 8000  # of one colour in one panel
MOST_FACES = 1500


def object_colour(name: str) -> tuple[int, int, int]:
    """Red, green, blue of an object: the same as long as it keeps its id."""
    return OBJECT_COLOURS[int(name.rpartition("_")[2]) % len(OBJECT_COLOURS)]


def draw_stages(capture: Capture, path: Path) -> None:
    """Write a picture with a panel for each stage.

    Args:
        capture: what was perceived.
        path: PNG to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 9.5), layout="constrained")
    FigureCanvasAgg(figure)
    panels = (_views, _table, _clusters, _meshes, _cells)
    for i, panel in enumerate(panels):
        axes: Axes3D = figure.add_subplot(2, 3, i + 1, projection="3d")
        axes.set_title(panel(axes, capture), fontsize=10)
        _frame(axes, capture)
    text = figure.add_subplot(2, 3, 6)
    text.axis("off")
    text.text(0, 1, _legend(capture), va="top", fontsize=9, family="monospace", wrap=True)
    with whole(path) as unfinished:
        figure.savefig(unfinished, dpi=90)


def _views(axes: Axes3D, capture: Capture) -> str:
    for i, (name, points) in enumerate(capture.view_points.items()):
        _scatter(axes, points, OBJECT_COLOURS[i % len(OBJECT_COLOURS)], label=name)
    axes.legend(fontsize=7, markerscale=6, loc="upper left")
    return "1  views, fused and cropped, by camera"


def _table(axes: Axes3D, capture: Capture) -> str:
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]]) / 2 * capture.table.size[:2]
    corners = transform_points(capture.table.T_world_table, np.column_stack([half, np.zeros(5)]))
    _scatter(axes, capture.table_points, (170, 170, 170))
    axes.plot(*corners.T, color="black", linewidth=1)
    return "2  table: points of the plane, its box's outline"


def _clusters(axes: Axes3D, capture: Capture) -> str:
    for item in capture.scene.targets:
        _scatter(axes, capture.points[item.id], object_colour(item.id))
    for thing in capture.scene.obstacles:
        _box(axes, thing.T_world_object, thing.sides)
    return "3  clusters; boxes: not to be grasped"


def _meshes(axes: Axes3D, capture: Capture) -> str:
    for item in capture.scene.targets:
        mesh = item.mesh
        if len(mesh.faces) > MOST_FACES:
            mesh = mesh.simplify_quadric_decimation(face_count=MOST_FACES)
        corners = transform_points(item.T_world_object, mesh.vertices)
        colour = np.array(object_colour(item.id)) / 255
        axes.plot_trisurf(*corners.T, triangles=mesh.faces, color=colour, linewidth=0, shade=True)
    return "4  closed meshes"


def _cells(axes: Axes3D, capture: Capture) -> str:
    for item in capture.scene.targets:
        cells = transform_points(item.T_world_object, occupied_cells(item.mesh))
        _scatter(axes, cells, object_colour(item.id), size=3)
    return "5  occupied cells of 5 mm"


def _scatter(
    axes: Axes3D, points: Array, colour: tuple[int, int, int], size: float = 1, label: str | None = None
) -> None:
    some = points[:: max(1, -(-len(points) // MOST_POINTS))]
    axes.scatter(*some.T, s=size, color=np.array(colour) / 255, linewidths=0, label=label)


def _box(axes: Axes3D, T_world_box: Array, size: Array) -> None:
    corner = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 2 * size
    corner = transform_points(T_world_box, corner)
    for a in range(8):
        for b in (a ^ 1, a ^ 2, a ^ 4):
            axes.plot(*np.stack([corner[a], corner[b]]).T, color="firebrick", linewidth=0.8)


def _frame(axes: Axes3D, capture: Capture) -> None:
    """The table in the middle, equal scales."""
    side = max(0.3, float(capture.table.size[:2].max())) / 2
    x, y, z = capture.table.T_world_table[:3, 3]
    axes.set(xlim=(x - side, x + side), ylim=(y - side, y + side), zlim=(z - 0.05, z - 0.05 + side))
    axes.set_box_aspect((2, 2, 1))
    axes.set(xlabel="x [m]", ylabel="y [m]", zlabel="z [m]")
    axes.tick_params(labelsize=6)
    axes.view_init(elev=35, azim=-60)


def _legend(capture: Capture) -> str:
    lines = [described(item) for item in capture.scene.targets]
    lines += [f"{thing.id}: {thing.reason.split(',')[0]}" for thing in capture.scene.obstacles]
    lines += [f"left out {name}" for name in capture.left_out]
    lines += [""] + [f"{stage:12s}{1e3 * seconds:7.0f} ms" for stage, seconds in capture.seconds.items()]
    return "\n".join(lines)
