"""The card of a trained network: what it was trained on, how, and how well it does."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.markdown import table
from grasp_pose_net.reading import read_text
from grasp_pose_net.training.tables import FIGURES, SIDES, counts_text

UNKNOWN = "not recorded"
COLUMNS = {"source", "name", "licence"}  # of a table of licences


def licences_of(meshes: Path, names: Sequence[str], licences: Path | None = None) -> list[str]:
    """One line for each source and licence of objects: how many there are.

    Args:
        meshes: folder of the meshes; its `index.csv` tells licences, if there is one.
        names: "source/name" of the objects.
        licences: CSV with the columns source, name and licence to take instead.

    Raises:
        ConfigError: the table is missing or lacks a column.
    """
    file = licences or meshes / "index.csv"
    known = _licence_table(file) if licences is not None or file.is_file() else {}
    counts = Counter((name.split("/")[0], known.get(name, "licence not known")) for name in names)
    return [
        f"{source}: {count} object{'s' if count != 1 else ''}; {licence}"
        for (source, licence), count in sorted(counts.items())
    ]


def model_card(report: dict[str, Any]) -> str:
    """Markdown text of the card; what a report does not say is told as not recorded.

    Args:
        report: of a training run, with its configuration, data, time and figures; of an evaluation also
            "baseline", figures without a network by side, and "evaluated_on", in words.
    """
    config = report["config"]
    weights = ", ".join(f"{name} {value:g}" for name, value in config["weights"].items())
    data = report.get("dataset") or {"name": UNKNOWN, "sha256": UNKNOWN}
    counts = [counts_text(report[key]) if report.get(key) else UNKNOWN for key in ("objects", "grasps")]
    architecture = report.get("architecture", config.get("network", UNKNOWN))
    lines = [
        f"# {report['hand']}, {architecture}, {config['loss']} loss, seed {config['seed']}",
        "",
        f"Network `{architecture}` for the hand `{report['hand']}`: occupancy grid in, pose vector out.",
        "",
        "## Data",
        "",
        *[f"- {line}" for line in report["sources"]],
        f"- Objects: {counts[0]}; grasps: {counts[1]}.",
        f"- Dataset: `{data['name']}`, SHA-256 {data['sha256'][:16]}.",
        "- Split by object, by a hash of its name (`shapes/split.py`); validation objects are held out of",
        "  the training side. Nothing is trained on or chosen by test objects.",
        "",
        "## Training",
        "",
        f"- Command: `{report.get('command', UNKNOWN)}`; commit {report.get('commit', UNKNOWN)}.",
        f"- Loss {config['loss']}, β {config['beta']}, collision {config['collision_per_m2']:g} per m²;",
        f"  residual weights: {weights}.",
        f"- Adam, learning rate {_value(config, 'learning_rate')}, batch {_value(config, 'batch')}, "
        f"{_value(config, 'steps')} steps, seed {config['seed']}; the",
        f"  checkpoint with the least L_consistency on validation objects is kept (step {_value(report, 'step')}).",
        f"- {_value(report, 'hours')} hours on {report.get('machine', UNKNOWN)}.",
        "",
        "## Figures",
        "",
        *_figures(report),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _figures(report: dict[str, Any]) -> list[str]:
    """Every figure as a row, train beside test, and how much worse test is."""
    figures = report["figures"]
    baseline = report.get("baseline", {}).get("test", {})
    sides = [side for side in SIDES if side in figures]
    rows = []
    for name, (title, factor) in FIGURES.items():
        values = {side: factor * figures[side][name] for side in sides if name in figures[side]}
        if values:
            compared = "test" in values and values.get("train", 0.0) > 0.0
            gap = f"{values['test'] / values['train']:.3g}" if compared else ""
            other = f"{factor * baseline[name]:.4g}" if name in baseline else ""
            rows.append([title, *(f"{values[s]:.4g}" if s in values else "" for s in sides), gap, other])
    head = ["figure", *sides, "test / train"] + (["no network: test"] if baseline else [])
    conditions = [f"Unrefined unless said; {report['rotations']} rotations of each object"]
    conditions += [report["evaluated_on"]] if "evaluated_on" in report else []
    # without a baseline, without its column
    return [f"{'; '.join(conditions)}.", "", *table(head, [row[: len(head)] for row in rows])]


def _licence_table(file: Path) -> dict[str, str]:
    """Licence of each "source/name"."""
    if not file.is_file():
        raise ConfigError(f"{file}: asked for a table of licences, found no such file")
    reader = csv.DictReader(io.StringIO(read_text(file, 64)))
    try:
        missing = COLUMNS - set(reader.fieldnames or ())
        if missing:
            raise ConfigError(
                f"{file}: expected the columns {', '.join(sorted(COLUMNS))}, found none called "
                f"{', '.join(sorted(missing))}"
            )
        known = {}
        for row in reader:
            if None in row.values():
                raise ConfigError(f"{file}: line {reader.line_num} has fewer columns than the first")
            known[f"{row['source']}/{row['name']}"] = row["licence"]
        return known
    except csv.Error as error:
        raise ConfigError(f"{file} is not valid CSV: {error}") from error


def _value(entries: dict[str, Any], key: str) -> str:
    value = entries.get(key)
    return UNKNOWN if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
