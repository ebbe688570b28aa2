"""The benchmark's figures in Markdown, with the paper's beside them, and every failure with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import binomtest

from grasp_pose_net.benchmark.entries import known_values
from grasp_pose_net.markdown import table
from grasp_pose_net.synthesis.dataset_report import THIN_M

ENOUGH_GRASPS = 3
PAPER_EPSILON = 0.102
CONCAVE_SHARE = 0.9  # what fills less than this of its convex hull is concave
STOLEN_SHARE = 0.05  # of a core's time; less is within the counter's resolution
Entry = dict[str, Any]
Row = tuple[object, ...]


def benchmark_text(report: Entry) -> str:
    """The whole report as Markdown."""
    entries, config = report["objects"], report["config"]
    names = {entry["name"] for entry in entries}
    lines = [
        "# Benchmark",
        "",
        f"{len(entries)} trials of {len(names)} objects ({report['measured_objects']}), stages "
        f"{', '.join(config['stages'])}, hand {config['hand']}, seed {config['seed']}, "
        f"{config['grasps']['rotations']} rotations, objective {config['descent']['objective']}.",
        "",
        _source_note(report),
        "",
        *_figures_table(report),
        _shapes_note(entries),
        "",
        _times_note(report["jobs"]),
        "",
        *_stolen_note(entries),
        *_stage_table(entries),
        *_rejections(entries),
        *_failures(entries, report["left_out"]),
    ]
    return "\n".join(lines) + "\n"


def _figures_table(report: Entry) -> list[str]:
    entries, summary = report["objects"], report["summary"]

    def seconds(name: str, stage: str, quantile: str, paper: str, wanted: str) -> Row:
        value = _seconds(summary["seconds"][stage][quantile])
        return name, value, len(known_values([entry["seconds"] for entry in entries], stage)), paper, wanted

    def figure(name: str, value: str, key: str, paper: str, wanted: str) -> Row:
        return name, value, len(known_values(entries, key)), paper, wanted

    epsilon, points = _number(summary["epsilon"]), _number(summary["penetrating_points"])
    depth = _millimetres(summary["hand_penetration_p95_m"])
    enough = [count >= ENOUGH_GRASPS for count in known_values(entries, "feasible")]
    rows = [
        seconds("plan, p50", "plan", "p50", "3 to 5 s", "≤ 0.5 s"),
        seconds("plan, p95", "plan", "p95", "", "≤ 1.0 s"),
        seconds("network, p50", "forward", "p50", "0.541 s", ""),
        seconds("refinement of the whole batch, p50", "refinement", "p50", "0.468 s for one", "≤ 0.1 s"),
        seconds("perception, p50", "perception", "p50", "", ""),
        figure("mean ε of the chosen grasp (μ = 0.6)", epsilon, "epsilon", f"{PAPER_EPSILON}", "≥ 0.15"),
        *_true_rows(entries),
        figure("penetrating points after refinement", points, "penetrating_points", "0 of 45", "0 of 45"),
        figure("hand penetration, p95", depth, "hand_penetration_m", "", "≤ 0.5 mm"),
        _rate_row("force trial", known_values(entries, "force_success"), "", "≥ 85 %"),
        _rate_row(
            "lift trial, whole system", known_values(entries, "lift_success"), "12 of 15 real", "≥ 90 %"
        ),
        _rate_row(f"objects with at least {ENOUGH_GRASPS} feasible grasps", enough, "one", "≥ 95 %"),
    ]
    return table(("figure", "here", "n", "the paper", "to reach"), rows)


def _true_rows(entries: Sequence[Entry]) -> list[Row]:
    """The same grasps on the objects as they are, where they were perceived."""
    true = known_values(entries, "on_true_object")
    if not true:
        return []
    epsilon = _number(float(np.mean([one["epsilon"] for one in true])))
    depth = _millimetres(float(np.percentile([one["hand_penetration_m"] for one in true], 95)))
    return [
        ("… on the object as it is, not as it was perceived", epsilon, len(true), "", ""),
        ("hand penetration there, p95", depth, len(true), "", ""),
    ]


def _source_note(report: dict[str, Any]) -> str:
    """One line of what the figures come from."""
    changed = f", {len(report['changed'])} files changed" if report["changed"] else ""
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    weights = ", ".join(f"{name} {digest}" for name, digest in report["weights"].items()) or "none"
    return (
        f"Made by `{report['command']}` of commit {', '.join(report['commits']) or report['commit']}{changed}, on "
        f"{report['machine']}; {versions}; weights (SHA-256): {weights}."
    )


def _shapes_note(entries: Sequence[Entry]) -> str:
    shapes = {entry["name"]: entry["shape"] for entry in entries if entry.get("shape")}
    thin = {name for name, shape in shapes.items() if shape["smallest_side_m"] < THIN_M}
    concave = {name for name, shape in shapes.items() if shape["hull_share"] < CONCAVE_SHARE}
    return (
        f"Of {len(shapes)} objects {len(thin | concave)} are thin (smallest side below {100 * THIN_M:.0f} cm: {len(thin)}) or "
        f"concave (less than {100 * CONCAVE_SHARE:.0f} % of the convex hull: {len(concave)})."
    )


def _times_note(jobs: Sequence[int]) -> str:
    if list(jobs) == [1]:
        return "Times: one trial at a time, models loaded, the first call left out."
    listed = ", ".join(map(str, jobs))
    return (
        f"Times were taken with {listed} trials at a time, one thread each, sharing the cores: they are NOT those of "
        "the protocols. `--jobs 1` takes those."
    )


def _stolen_note(entries: Sequence[Entry]) -> list[str]:
    """Planning times of a virtual machine whose host was busy with others, beside those when it was not."""
    timed = [entry for entry in entries if "plan" in (entry.get("stolen_seconds") or {})]
    spent = np.array([entry["seconds"]["plan"] for entry in timed])
    shares = np.array([entry["stolen_seconds"]["plan"] for entry in timed]) / spent
    if not (shares > STOLEN_SHARE).any():
        return []
    left = spent[shares <= STOLEN_SHARE]
    others = (
        f"; the other {len(left)} took {_seconds(float(np.median(left)))} (p50) "
        f"and {_seconds(float(np.percentile(left, 95)))} (p95)"
        if len(left)
        else ""
    )
    return [
        f"In {len(spent) - len(left)} of {len(spent)} trials the machine's host kept more than "
        f"{_percent(STOLEN_SHARE)} of a core's time during planning for others (steal){others}.",
        "",
    ]


def _stage_table(entries: Sequence[Entry]) -> list[str]:
    """Wall and processor time of each stage of planning."""
    rows: list[Row] = []
    stages = dict.fromkeys(stage for entry in entries for stage in entry.get("stage_seconds") or {})
    for stage in stages:
        times = [entry["stage_seconds"][stage] for entry in entries if entry.get("stage_seconds")]
        rows.append((stage, *(_seconds(float(np.percentile(times, q))) for q in (50, 95))))
    for stage in ("perception", "plan"):
        cpu = known_values([entry.get("cpu_seconds") or {} for entry in entries], stage)
        if cpu:
            quantiles = (_seconds(float(np.percentile(cpu, q))) for q in (50, 95))
            rows.append((f"{stage}, processor time of all threads", *quantiles))
    return table(("stage", "wall p50", "wall p95"), rows) if rows else []


def _rejections(entries: Sequence[Entry]) -> list[str]:
    """Where candidates went, over all trials."""
    counts: dict[str, int] = {}
    for entry in entries:
        for reason, count in (entry.get("rejected") or {}).items():
            counts[reason] = counts.get(reason, 0) + count
    proposed = sum(known_values(entries, "candidates"))
    if not proposed:
        return []
    rows = [(reason, count, _percent(count / proposed)) for reason, count in counts.items()]
    return table(("candidates rejected because", "", ""), [*rows, ("of", proposed, "")])


def _failures(entries: Sequence[Entry], left_out: dict[str, str]) -> list[str]:
    """Every failure by its stage."""
    lines: list[str] = []
    failed = [entry for entry in entries if entry["failure"]]
    for stage in dict.fromkeys(entry["failure"] for entry in failed):
        of_stage = [entry for entry in failed if entry["failure"] == stage]
        lines += [f"## Failed: {stage} ({len(of_stage)})", ""]
        for entry in of_stage:
            pictures = " ".join(f"[picture](failures/{file})" for file in entry.get("pictures") or ())
            lines.append(
                f"- {entry['name']}, episode {entry['episode']}: {entry['reason']} {pictures}".rstrip()
            )
        lines.append("")
    if left_out:
        lines += [
            f"## Left out ({len(left_out)})",
            "",
            *(f"- {name}: {why}" for name, why in left_out.items()),
        ]
    return lines


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """95 % interval of a rate, which holds for few trials, too (Wilson, 1927)."""
    interval = binomtest(successes, trials).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def _rate_row(name: str, outcomes: Sequence[bool], paper: str, wanted: str) -> Row:
    if not outcomes:
        return name, "-", 0, paper, wanted
    low, high = wilson(sum(outcomes), len(outcomes))
    rate = f"{_percent(sum(outcomes) / len(outcomes))} ({_percent(low)} to {_percent(high)})"
    return name, rate, len(outcomes), paper, wanted


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f} s"


def _millimetres(value: float | None) -> str:
    return "-" if value is None else f"{1e3 * value:.2f} mm"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
