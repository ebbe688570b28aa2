"""The report of an evaluation as Markdown, the paper's figures beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grasp_pose_net.markdown import table
from grasp_pose_net.training.evaluation import GOOD_EPSILON, TOLERANCE_M
from grasp_pose_net.training.summary import (
    PAPER_CHANGE,
    PAPER_PENETRATION,
    PAPER_TABLE_1,
    PAPER_TABLE_2,
    Entry,
)

SIDES = ("test", "train", "validation")
LOSS_NAMES = {"l2": "L2", "consistency": "L_consistency", "combined": "L_combined"}
# name and unit of every figure, and by how much it is multiplied
FIGURES = {
    **{key: (name, 1.0) for key, name in LOSS_NAMES.items()},
    **{f"paper_{key}": (f"{name}, plain units", 1.0) for key, name in LOSS_NAMES.items()},
    "penetrating_points": ("contact points inside", 1.0),
    "mean_depth_m": ("their mean depth [mm]", 1000.0),
    "total_depth_m": ("depth of all together [mm]", 1000.0),
    "surface_distance_m": ("mean distance of contact points to the surface [mm]", 1000.0),
    "refined_points": ("points inside, refined", 1.0),
    "refined_depth_m": ("their mean depth, refined [mm]", 1000.0),
    "good_share": (f"good candidates, refined (ε ≥ {GOOD_EPSILON:g}) [%]", 100.0),
    "object_good": ("objects with a good candidate [%]", 100.0),
    "first_good": ("good candidate of the object as it stands [%]", 100.0),
    "best_epsilon": ("best ε of an object", 1.0),
    "raw_held": ("held: object as it stands, unrefined [%]", 100.0),
    "first_held": ("held: object as it stands, refined [%]", 100.0),
    "best_held": ("held: refined, best ε [%]", 100.0),
}


def evaluation_text(report: Entry) -> str:
    """Markdown of a report of `evaluate`."""
    parts = [
        ["# Evaluation", ""],
        _conditions(report),
        _table_1(report),
        _parts(report),
        *(_table_2(report, group, plain) for group in groups_of(report) for plain in (False, True)),
        _penetration(report),
        _change(report),
        _quality(report),
        ratio_lines(report),
    ]
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def spread_text(value: Entry, factor: float = 1.0) -> str:
    """Mean, and the range and standard deviation over seeds, if several."""
    mean, low, high, std = (factor * value[key] for key in ("mean", "min", "max", "std"))
    if len(value["values"]) == 1:
        return f"{mean:.4g}"
    return f"{mean:.4g} ({low:.3g}–{high:.3g}, σ {std:.2g})"


def _conditions(report: Entry) -> list[str]:
    config, measure = report["config"], report["measure"]
    weights = ", ".join(f"{name} {value:g}" for name, value in measure["weights"].items())
    lines = [
        f"- {hand}: `{data['dataset']}` (SHA-256 {data['dataset_sha256'][:16]}); objects: "
        f"{counts_text(data['objects'])}; refined: {counts_text(data['refined'])}."
        for hand, data in report["hands"].items()
    ]
    lines += [
        f"- {config['rotations']} grids of each object, seed {config['seed']}. Residuals and penetration are "
        "means over the first 27 (the paper's rotations), then over objects; where a kind was trained with "
        "several seeds: mean (least–most, σ standard deviation).",
        f"- Residuals are the training losses: {weights}; β {measure['beta']:g}, collision "
        f"{measure['collision_per_m2']:g} per m². In plain units metres, quaternion parts and radians count "
        "as they are, as in the paper's formulas.",
        "- L2 compares with the first grasp of the object, L_consistency with the nearest. The rows of the dataset's own "
        "grasps compare each with any other and with the nearest other of its object: what a network would reach whose "
        "grasps are as good as the ground truth.",
        f"- {report['hours']:.2f} hours on {report['machine']}; commit {report['commit'][:12]}.",
    ]
    others = [network["name"] for network in report["networks"] if network["same_dataset"] is False]
    if others:
        lines.append(f"- Trained on another version of the dataset: {', '.join(others)}.")
    return [*lines, ""]


def counts_text(by_side: dict[str, int]) -> str:
    """Numbers by side of the split."""
    return ", ".join(f"{count} {side}" for side, count in by_side.items())


def groups_of(report: Entry) -> list[dict[str, Any]]:
    """Hand, architecture and training objects of each set of kinds that belong in one table."""
    keys = ("hand", "architecture", "training_objects")
    groups = dict.fromkeys(tuple(kind[key] for key in keys) for kind in report["kinds"])
    return [dict(zip(keys, group, strict=True)) for group in groups]


def kinds_of(report: Entry, group: dict[str, Any]) -> list[Entry]:
    """Kinds of a group, in the order of the paper's rows."""
    kinds = [kind for kind in report["kinds"] if kind.items() >= group.items()]
    return sorted(kinds, key=lambda kind: list(LOSS_NAMES).index(kind["loss"]))


def named(group: dict[str, Any]) -> str:
    """A group in words."""
    count = group["training_objects"]
    return f"{group['hand']}, {group['architecture']}" + (f", {count} objects" if count is not None else "")


def _kinds(report: Entry) -> list[Entry]:
    """All kinds, group after group."""
    return [kind for group in groups_of(report) for kind in kinds_of(report, group)]


def _cell(kind: Entry, side: str, figure: str) -> str:
    value = kind["figures"].get(side, {}).get(figure)
    return "" if value is None else spread_text(value, FIGURES[figure][1])


def _gap(kind: Entry, figure: str) -> str:
    """Test over train, the gap of generalisation."""
    means = [kind["figures"].get(side, {}).get(figure, {}).get("mean") for side in ("test", "train")]
    return f"{means[0] / means[1]:.3g}" if means[0] is not None and means[1] else ""


def _section(title: str, text: str, head: Sequence[str], rows: list[list[str]], asked: str = "") -> list[str]:
    """A table under its title; without rows, that no networks trained with what is `asked` were given."""
    about = [text, ""] if text else []
    none = [f"No networks trained with {asked} were given.", ""]
    return [f"## {title}", "", *about, *(table(head, rows) if rows or not asked else none)]


def _table_1(report: Entry) -> list[str]:
    rows = []
    for kind in (kind for kind in report["kinds"] if kind["loss"] == "l2"):
        paper = PAPER_TABLE_1.get(kind["hand"], {})
        papers = [f"{paper[side]:g}" if side in paper else "" for side in ("test", "train")]
        for figure, units in (("l2", ""), ("paper_l2", ", plain units")):
            own = [_cell(kind, side, figure) for side in ("test", "train")]
            rows.append([named(kind) + units, *own, _gap(kind, figure), *papers])
    head = ["hand, network", "test", "train", "test / train", "paper: test", "paper: train"]
    return _section("Table I: residual of the plain L2 loss", "", head, rows, "l2")


def _parts(report: Entry) -> list[str]:
    """What the residual between two grasps of one object consists of."""
    parts = ("l2", "l2_position", "l2_quaternion", "l2_joints")
    rows = [
        [entry["hand"] + units, *(f"{test[prefix + part]:.4g}" for part in parts)]
        for entry in report["truth"]
        for prefix, units in (("", ""), ("paper_", ", plain units"))
        if (test := entry["figures"].get("test"))
    ]
    return [
        "Two different grasps of one test object, mean over all pairs: what L2 is for a grasp as good as the dataset's.",
        "",
        *table(["hand", "whole", "position", "quaternion", "joints"], rows),
    ]


def _table_2(report: Entry, group: dict[str, Any], plain: bool) -> list[str]:
    prefix, units = ("paper_", " in plain units") if plain else ("", "")
    rows = []
    for kind in kinds_of(report, group):
        loss = LOSS_NAMES[kind["loss"]]
        for side in (side for side in SIDES if side in kind["figures"]):
            rows.append([loss, side, *(_cell(kind, side, prefix + name) for name in LOSS_NAMES)])
        rows.append([loss, "test / train", *(_gap(kind, prefix + name) for name in LOSS_NAMES)])
        if group["hand"] == "shadow":
            paper = PAPER_TABLE_2[kind["loss"]]
            rows.append([loss, "paper: test", *(f"{paper[name]:g}" for name in LOSS_NAMES)])
    rows += [
        ["grasps of the dataset", side, *(f"{own[prefix + loss]:.4g}" for loss in ("l2", "consistency")), ""]
        for entry in report["truth"]
        for side in SIDES
        if entry["hand"] == group["hand"] and (own := entry["figures"].get(side))
    ]
    head = ["trained with", "objects", *LOSS_NAMES.values()]
    return _section(f"Table II: residuals{units}, {named(group)}", "", head, rows)


def _penetration(report: Entry) -> list[str]:
    figures = ("penetrating_points", "mean_depth_m", "total_depth_m", "refined_points", "refined_depth_m")
    rows = []
    for kind in _kinds(report):
        points = report["hands"][kind["hand"]]["contact_points"]
        name = [f"{named(kind)} ({points} points)", LOSS_NAMES[kind["loss"]]]
        for side in (side for side in SIDES if side in kind["figures"]):
            rows.append([*name, side, *(_cell(kind, side, figure) for figure in figures)])
        paper = PAPER_PENETRATION.get(kind["loss"]) if kind["hand"] == "shadow" else None
        if paper:
            cells = [f"{paper[f] * FIGURES[f][1]:g}" if f in paper else "" for f in figures]
            rows.append([*name, "paper: test", *cells])
    return _section(
        "Penetration of the hand's contact points",
        "The paper gives one depth and does not say whether it is of one point or of all together; it "
        "stands in both columns. After refinement all candidates count, also those that are then dropped.",
        ["hand, network", "trained with", "objects", *(FIGURES[figure][0] for figure in figures)],
        rows,
    )


def _change(report: Entry) -> list[str]:
    rows = [
        [
            named(entry),
            side,
            *(spread_text(entry["figures"][side][key], 100.0) for key in ("change", "paper_change")),
            ", ".join(map(str, entry["seeds"])),
        ]
        for entry in report["change"]
        for side in SIDES
        if side in entry["figures"]
    ]
    return _section(
        "Change of the pose by the collision loss",
        "‖f_combined(o) - f_consistency(o)‖ / ‖f_consistency(o)‖ of networks with the same seed, mean over "
        "grids and objects; the norm is weighted as the training loss is, or not at all. "
        f"Paper: {100 * PAPER_CHANGE:g} %.",
        ["hand, network", "objects", "weighted [%]", "plain units [%]", "seeds"],
        rows,
        "consistency and combined, of the same seed,",
    )


def _quality(report: Entry) -> list[str]:
    figures: tuple[str, ...] = ("good_share", "object_good", "first_good", "best_epsilon")
    if any("best_held" in sides for entry in report["baseline"] for sides in entry["figures"].values()):
        figures += ("raw_held", "first_held", "best_held")
    rows = [
        [named(kind), LOSS_NAMES[kind["loss"]], side, *cells]
        for kind in _kinds(report)
        for side in SIDES
        if any(cells := [_cell(kind, side, figure) for figure in figures])
    ]
    rows += [
        [entry["hand"], "none: sampled", side, *(f"{FIGURES[f][1] * own[f]:.4g}" for f in figures)]
        for entry in report["baseline"]
        for side in SIDES
        if (own := entry["figures"].get(side))
    ]
    return _section(
        "Grasps after refinement",
        f"{report['config']['rotations']} candidates of each object, refined as at run time; `sampled` draws "
        f"as many around the object. Good: nothing deeper than {1e3 * TOLERANCE_M:g} mm in object or hand. Held: in a force "
        "trial; what is not good did not hold, but for unrefined candidates, which are tried as they come.",
        ["hand, network", "trained with", "objects", *(FIGURES[figure][0] for figure in figures)],
        rows,
    )


def ratio_lines(report: Entry) -> list[str]:
    """The ratios that the paper is measured by, ours and the paper's."""
    rows = []
    for ratio in report["ratios"]:
        over, under = ratio["over"], ratio["under"]
        differs = "hand" if over["hand"] != under["hand"] else "loss"
        values = [value for value in ratio["by_seed"].values() if value is not None]
        seeds = f" ({min(values):.3g}–{max(values):.3g})" if len(values) > 1 else ""
        figure = f"{FIGURES[ratio['figure']][0]}: {over[differs]} / {under[differs]}"
        ours = "no value" if ratio["value"] is None else f"{ratio['value']:.3g}{seeds}"
        met = {True: "yes", False: "no", None: ""}[ratio["met"]]
        rows.append([figure, named(over), ours, f"{ratio['paper']:.3g}", ratio["asked"], met])
    head = ["test objects", "network", "ours (seeds)", "paper", "asked", "met"]
    return _section("Ratios", "", head, rows, "at least two losses, or two hands,")
