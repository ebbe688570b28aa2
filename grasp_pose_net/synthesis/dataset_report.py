"""Figures of a dataset: how many grasps, how good, how different, how fast, and what is short and why."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grasp_pose_net.markdown import table
from grasp_pose_net.synthesis.files import STRONG_EPSILON, GraspDataset
from grasp_pose_net.synthesis.grasps import grasp_distance

ENOUGH = 50
THIN_M, LARGE_M = 0.02, 0.10  # smallest side: thinner than a fingertip; wider than the hand opens


def dataset_report(data: GraspDataset) -> dict[str, Any]:
    """Figures over all objects; "left_out" and "short" name objects, with the reason."""
    planned, counts = data.failure == "", data.counts
    wanted = json.loads(data.run)["grasps"]
    short = np.flatnonzero(planned & (counts < wanted))
    return {
        "hand": data.hand,
        "objects": len(data.objects),
        "planned": int(planned.sum()),
        "left_out": {str(data.objects[i]): str(data.failure[i]) for i in np.flatnonzero(~planned)},
        "grasps": len(data.x),
        "held": int(data.held.sum()),
        "wanted": wanted,
        "share_with_50": _mean(counts[planned] >= ENOUGH),
        "share_with_all": _mean(counts[planned] >= wanted),
        "mean_epsilon": _mean(data.epsilon),
        "share_strong": _mean(data.epsilon >= STRONG_EPSILON),
        "hand_penetration_p95_m": _p95(data.hand_penetration_m),
        "self_penetration_p95_m": _p95(data.self_penetration_m),
        "clear_of_table": _mean(data.plane > 0),
        "tried": int(data.tried.sum()),
        "passed": int(data.passed.sum()),
        "trials": int(data.trials[:, 0].sum()),
        "trial_success": _ratio(data.successes[:, 0], data.trials[:, 0]),
        "strong_trials": int(data.trials[:, 1].sum()),
        "strong_trial_success": _ratio(data.successes[:, 1], data.trials[:, 1]),
        "grasps_per_core_second": _ratio(np.array(len(data.x)), data.seconds),
        "core_seconds": {str(n): float(s) for n, s in zip(data.stages, data.seconds.sum(0), strict=True)},
        "nearest": nearest_figures(data),
        "short": {str(data.objects[i]): shortfall(data, int(i)) for i in short[np.argsort(counts[short])]},
    }


def nearest_figures(data: GraspDataset) -> dict[str, dict[str, float]]:
    """Least, 5th percentile and median over all grasps of the distance to the nearest other of its object.

    Returns:
        "combined" (`grasp_distance`), and of the same neighbour "position_m", "palm_rad" and "joints_rad" (root
        of the sum of squares); empty where no object has two grasps.
    """
    rows = [
        _nearest(data.x[data.object_index == number].astype(np.float64))
        for number in np.flatnonzero(data.counts > 1)
    ]
    if not rows:
        return {}
    columns = zip(("combined", "position_m", "palm_rad", "joints_rad"), np.concatenate(rows).T, strict=True)
    return {
        name: {"min": float(v.min()), "p5": float(np.percentile(v, 5)), "median": float(np.median(v))}
        for name, v in columns
    }


def shortfall(data: GraspDataset, number: int) -> str:
    """Why an object has fewer grasps than were wanted: its size, and where the candidates were lost."""
    if data.failure[number]:
        return str(data.failure[number])
    sides = data.extents_m[number]
    size = " × ".join(f"{100 * side:.1f}" for side in sides) + " cm"
    kind = "too large: " if sides[0] > LARGE_M else "thin: " if sides[0] < THIN_M else ""
    lost = f"{data.passed[number]} of {data.tried[number]} candidates passed the filter"
    if data.trials[number, 0]:
        lost += f", {data.successes[number, 0]} of {data.trials[number, 0]} trials held"
    return f"{data.counts[number]} grasps; {kind}{size}; {lost}"


def report_text(report: dict[str, Any]) -> str:
    """The figures of a report as a table in Markdown, and its lists."""
    rows = [
        ("objects planned / left out", f"{report['planned']} / {len(report['left_out'])}"),
        ("grasps, of which held in the force trial", f"{report['grasps']} / {report['held']}"),
        (f"objects with at least {ENOUGH} grasps", _percent(report["share_with_50"])),
        (f"objects with {report['wanted']}", _percent(report["share_with_all"])),
        ("mean exact epsilon", _number(report["mean_epsilon"])),
        (f"grasps with epsilon of at least {STRONG_EPSILON}", _percent(report["share_strong"])),
        ("hand penetration, 95th percentile", _number(report["hand_penetration_p95_m"], 1e3, " mm")),
        ("self-penetration, 95th percentile", _number(report["self_penetration_p95_m"], 1e3, " mm")),
        ("grasps clear of the table in a stable pose", _percent(report["clear_of_table"])),
        ("candidates descended / passed the filter", f"{report['tried']} / {report['passed']}"),
        (
            f"force trials held / of epsilon of at least {STRONG_EPSILON}",
            f"{_percent(report['trial_success'])} of {report['trials']} / "
            f"{_percent(report['strong_trial_success'])} of {report['strong_trials']}",
        ),
        ("grasps for each second of one core", _number(report["grasps_per_core_second"])),
    ]
    for name, figures in report["nearest"].items():
        values = " / ".join(f"{figures[key]:.3f}" for key in ("min", "p5", "median"))
        rows.append((f"nearest other grasp, {name}: least / 5 % / median", values))
    if (run := report.get("this_run")) and run["objects"]:
        text = f"{run['grasps']} in {run['seconds']:.0f} s: {run['grasps_per_second']:.2f}/s"
        rows.append((f"grasps of this run ({run['objects']} objects)", text))
    lines = table(("figure", ""), rows)
    for title, key in (("Left out", "left_out"), (f"Fewer than {report['wanted']} grasps", "short")):
        if report[key]:
            lines += [f"{title}:", "", *(f"- {name}: {why}" for name, why in report[key].items()), ""]
    return "\n".join(lines).rstrip()


def _nearest(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances (G, 4) of grasps x (G, 7 + J) to the nearest other: combined, position, palm, joints."""
    x = np.hstack([x[:, :3], x[:, 3:7] / np.linalg.norm(x[:, 3:7], axis=1, keepdims=True), x[:, 7:]])
    combined = grasp_distance(x[:, None], x[None])
    np.fill_diagonal(combined, np.inf)
    other = x[combined.argmin(1)]
    palm = 2 * np.arccos(np.clip(np.abs((x[:, 3:7] * other[:, 3:7]).sum(1)), 0, 1))
    position = np.linalg.norm(x[:, :3] - other[:, :3], axis=1)
    joints = np.linalg.norm(x[:, 7:] - other[:, 7:], axis=1)
    return np.stack([combined.min(1), position, palm, joints], axis=1)


def _mean(values: NDArray) -> float | None:
    return float(values.mean()) if values.size else None


def _p95(values: NDArray) -> float | None:
    return float(np.percentile(values, 95)) if values.size else None


def _ratio(part: NDArray, whole: NDArray) -> float | None:
    return float(part.sum() / whole.sum()) if whole.sum() > 0 else None


def _number(value: float | None, scale: float = 1, unit: str = "", digits: int = 3) -> str:
    return "-" if value is None else f"{value * scale:.{digits}f}{unit}"


_percent = partial(_number, scale=100, unit=" %", digits=1)
