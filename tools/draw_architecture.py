"""Draw docs/architecture.svg: the way of the data from cameras to joints, and which node does what.

python tools/draw_architecture.py [FILE]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

PAGE = Path(__file__).parent.parent / "docs" / "architecture.svg"
INK, SOFT, LINE = "#22313f", "#5d6d7e", "#8395a7"
NODE, GROUP, STAGE, CELL = "#eaf2fb", "#f7fafd", "#fdf1dc", "#eef0f2"

# What is drawn, in units of the page: text, left, bottom, width, height.
Box = tuple[str, float, float, float, float]
NODES: list[Box] = [
    ("perception", 2.4, 2.5, 2.3, 2.15),
    ("inference", 6.0, 2.5, 8.1, 2.15),
    ("refinement", 6.0, 0.3, 4.3, 1.2),
    ("executor", 15.4, 2.5, 2.5, 2.15),
]
GROUPS: list[Box] = [("best first", 10.3, 2.7, 3.6, 1.35)]
STEPS: list[Box] = [
    ("fuse, crop\nplane, clusters\nsurfaces", 2.6, 2.7, 1.9, 1.3),
    ("propose", 6.2, 2.85, 1.2, 0.75),
    ("refine", 7.7, 2.85, 1.0, 0.75),
    ("judge", 9.0, 2.85, 1.0, 0.75),
    ("doubt", 10.45, 2.85, 0.9, 0.75),
    ("approach", 11.55, 2.85, 1.2, 0.75),
    ("reach", 12.95, 2.85, 0.8, 0.75),
    ("refine, judge", 7.25, 0.45, 2.3, 0.55),
    ("reach, approach\nclose, squeeze\nlift", 15.55, 2.7, 2.2, 1.3),
]
CELL_PARTS: list[Box] = [("cameras", 0.1, 2.75, 1.25, 0.95), ("arm\nand hand", 19.2, 2.75, 1.25, 0.95)]
# What passes from one to the next: text, from, to.
Arrow = tuple[str, tuple[float, float], tuple[float, float]]
MIDDLE = 3.22
ARROWS: list[Arrow] = [
    ("depth", (1.35, MIDDLE), (2.4, MIDDLE)),
    ("Scene", (4.7, MIDDLE), (6.0, MIDDLE)),
    ("", (7.4, MIDDLE), (7.7, MIDDLE)),
    ("", (8.7, MIDDLE), (9.0, MIDDLE)),
    ("", (10.0, MIDDLE), (10.3, MIDDLE)),
    ("", (11.35, MIDDLE), (11.55, MIDDLE)),
    ("", (12.75, MIDDLE), (12.95, MIDDLE)),
    ("Grasp", (14.1, MIDDLE), (15.4, MIDDLE)),
    ("Trajectory", (17.9, 3.5), (19.2, 3.5)),
    ("JointState", (19.2, 2.95), (17.9, 2.95)),
    ("", (8.3, 2.85), (8.3, 1.0)),
    ("", (8.55, 1.0), (8.55, 2.85)),
]
# Under which name a node is asked: text, left, middle.
SERVICES = [("/plan_grasp", 12.35, 4.38), ("/refine_grasp", 8.75, 1.95), ("/pickup", 15.55, 2.28)]


def draw(axes: Axes) -> Axes:
    """The whole picture."""
    for text, *place in NODES:
        _box(axes, place, NODE)
        axes.text(
            place[0] + 0.15, place[1] + place[3] - 0.13, text, color=INK, size=9.5, weight="bold", va="top"
        )
    for text, *place in GROUPS:
        _box(axes, place, GROUP)
        axes.text(place[0] + 0.15, place[1] + place[3] - 0.1, text, color=SOFT, size=8, va="top")
    for fill, boxes in ((STAGE, STEPS), (CELL, CELL_PARTS)):
        for text, *place in boxes:
            _box(axes, place, fill)
            centre = place[0] + place[2] / 2, place[1] + place[3] / 2
            axes.text(*centre, text, color=INK, size=8, ha="center", va="center")
    for text, start, end in ARROWS:
        look = {
            "arrowstyle": "-|>",
            "color": SOFT,
            "lw": 1.1,
            "shrinkA": 0,
            "shrinkB": 0,
            "mutation_scale": 9,
        }
        axes.annotate("", xy=end, xytext=start, arrowprops=look)
        back = start[0] > end[0]
        middle = (start[0] + end[0]) / 2, start[1] + (-0.12 if back else 0.12)
        axes.text(
            *middle, text, color=INK, size=8, ha="center", va="top" if back else "bottom", style="italic"
        )
    for text, left, middle in SERVICES:
        axes.text(left, middle, text, color=SOFT, size=8, va="center", family="monospace")
    return axes


def _box(axes: Axes, place: Sequence[float], fill: str) -> None:
    left, bottom, width, height = place
    style = "round,pad=0,rounding_size=0.12"
    axes.add_patch(
        FancyBboxPatch((left, bottom), width, height, boxstyle=style, facecolor=fill, edgecolor=LINE, lw=0.9)
    )


def main() -> None:
    """Write the picture."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    with rc_context({"svg.hashsalt": "grasp_pose_net", "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(12, 2.7))
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 20.6), ylim=(0.2, 4.75), aspect="equal")
        axes.axis("off")
        draw(axes)
        undated = {"Date": None} if file.suffix == ".svg" else {}  # the same picture is the same file
        figure.savefig(file, facecolor="white", dpi=110, metadata=undated)
    print(f"wrote {file}")


if __name__ == "__main__":
    main()
