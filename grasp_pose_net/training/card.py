"""The card of a trained network: what it was trained on, how, and how well it does."""

from __future__ import annotations

import csv
import os
import platform
from collections import Counter
from pathlib import Path
from typing import Any

COLUMNS = {
    "l2": "L2",
    "consistency": "L_consistency",
    "combined": "L_combined",
    "penetrating_points": "points inside",
    "mean_depth_m": "mean depth [m]",
    "surface_distance_m": "mean distance to the surface [m]",
}


def licences_of(meshes: Path, names: list[str]) -> list[str]:
    """One line for each source of objects: how many there are, and their licence.

    Args:
        meshes: folder of the meshes; its `index.csv` (columns source, name, licence) tells licences, if any.
        names: "source/name" of the objects.
    """
    licence: dict[str, str] = {}
    if (meshes / "index.csv").is_file():
        with (meshes / "index.csv").open(newline="") as stream:
            licence = {row["source"]: row["licence"] for row in csv.DictReader(stream)}
    counts = sorted(Counter(name.split("/")[0] for name in names).items())
    return [
        f"{source}: {count} objects; {licence.get(source, 'licence not known')}" for source, count in counts
    ]


def model_card(report: dict[str, Any]) -> str:
    """Markdown text of the card.

    Args:
        report: of a training run, with its configuration, data, time and figures.
    """
    config, sides = report["config"], report["figures"]
    weights = ", ".join(f"{name} {value:g}" for name, value in config["weights"].items())
    lines = [
        f"# {report['hand']}, {config['network']}",
        "",
        f"Network `{config['network']}` for the hand `{report['hand']}`: occupancy grid in, pose vector out.",
        "",
        "## Data",
        "",
        *[f"- {line}" for line in report["sources"]],
        f"- Objects: {_counts(report['objects'])}; grasps: {_counts(report['grasps'])}.",
        "- Split by object, by a hash of its name (`shapes/split.py`); validation objects are held out of",
        "  the training side.",
        "",
        "## Training",
        "",
        f"- `{report['command']}`",
        f"- Loss {config['loss']}, β {config['beta']}, collision {config['collision_per_m2']:g} per m²;",
        f"  residual weights: {weights}.",
        f"- Adam, learning rate {config['learning_rate']:g} falling to 0 (half a cosine),",
        f"  batch {config['batch']}, {config['steps']} steps, seed {config['seed']}; the checkpoint with the",
        "  least L_consistency on validation objects is kept.",
        f"- {report['hours']:.2f} hours on {report['machine']}.",
        "",
        "## Figures",
        "",
        f"Straight from the network, unrefined; {report['rotations']} random rotations of each object.",
        "",
        f"| objects | {' | '.join(COLUMNS.values())} |",
        "|---|" + "---|" * len(COLUMNS),
        *[f"| {side} | {' | '.join(f'{row[key]:.4g}' for key in COLUMNS)} |" for side, row in sides.items()],
    ]
    return "\n".join(lines) + "\n"


def machine() -> str:
    """The machine in words: system, processor, cores."""
    processor = platform.machine()
    try:
        text = Path("/proc/cpuinfo").read_text()
        processor = next(
            line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")
        )
    except (OSError, StopIteration):
        pass  # not Linux, or a processor without a name: the architecture is said
    return f"{platform.system()}, {processor}, {os.cpu_count()} cores"


def _counts(by_side: dict[str, int]) -> str:
    return ", ".join(f"{count} {side}" for side, count in by_side.items())
