"""What several networks say together: mean and spread over seeds, and the ratios that the paper is measured by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

# Liu et al., 2019: Table I (hand: side: residual of the plain L2 loss, K = 1) …
PAPER_TABLE_1 = {"shadow": {"test": 73.61, "train": 76.02}, "barrett": {"test": 5.84, "train": 4.76}}
# … Table II (trained with: residual; Shadow Hand, test set) …
PAPER_TABLE_2 = {
    "l2": {"l2": 73.61, "consistency": 2.630, "combined": 55.865},
    "consistency": {"l2": 0.914, "consistency": 0.043, "combined": 0.261},
    "combined": {"l2": 0.345, "consistency": 0.062, "combined": 0.133},
}
# … and its text (Shadow Hand, test set): penetration without and with the collision loss, after refinement, and
# how much the loss changes the pose. Whether the depth is of one point or of all together is not said.
PAPER_PENETRATION = {
    "consistency": {"penetrating_points": 2.563, "mean_depth_m": 0.0553, "total_depth_m": 0.0553},
    "combined": {
        "penetrating_points": 0.719,
        "mean_depth_m": 0.0081,
        "total_depth_m": 0.0081,
        "refined_points": 0.0,
    },
}
PAPER_CHANGE = 0.127

# "the loss named first over the loss named second": figure, and the most that is asked for
LOSS_RATIOS = (
    ("consistency", "consistency", "l2", 1 / 20),
    ("paper_consistency", "consistency", "l2", 1 / 20),
    ("penetrating_points", "combined", "consistency", 1 / 3),
    ("mean_depth_m", "combined", "consistency", 1 / 5),
    ("total_depth_m", "combined", "consistency", 1 / 5),
)
HAND_RATIO = 5.0  # Shadow over Barrett, residual of the plain L2 loss, at least

KIND = ("hand", "architecture", "loss", "training_objects")
Entry = dict[str, Any]


def summarize(report: Entry) -> Entry:
    """Kinds of networks and the ratios between them.

    Args:
        report: with the entries "networks" and "changes" of an evaluation.

    Returns:
        "kinds", an entry for each hand, architecture, loss and number of training objects, whose "figures"
        hold "mean", "min", "max", "std" and "values" over "seeds"; "change", the same of the change of pose;
        "ratios" between kinds on test objects, each with the paper's and what is asked for.
    """
    kinds = over_seeds(report["networks"], KIND)
    return {
        "kinds": kinds,
        "change": over_seeds(report["changes"], ("hand", "architecture", "training_objects")),
        "ratios": [*_loss_ratios(kinds), *_hand_ratios(kinds)],
    }


def over_seeds(entries: Sequence[Entry], keys: Sequence[str]) -> list[Entry]:
    """Mean and spread of the figures of entries that have the same `keys`."""
    groups: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in entries:
        groups.setdefault(tuple(entry[key] for key in keys), []).append(entry)
    return [
        {
            **dict(zip(keys, values, strict=True)),
            "seeds": [entry["seed"] for entry in group],
            "figures": {
                side: {
                    name: spread(entry["figures"][side][name] for entry in group)
                    for name in group[0]["figures"][side]
                }
                for side in group[0]["figures"]
            },
        }
        for values, group in groups.items()
    ]


def spread(values: Iterable[float]) -> Entry:
    """Mean, least, most and sample standard deviation (0 of one) of values over seeds."""
    kept = [float(value) for value in values]
    return {
        "mean": float(np.mean(kept)),
        "min": min(kept),
        "max": max(kept),
        "std": float(np.std(kept, ddof=1)) if len(kept) > 1 else 0.0,
        "values": kept,
    }


def _loss_ratios(kinds: Sequence[Entry]) -> list[Entry]:
    """Ratios between networks of one hand that were trained with different losses."""
    ratios = []
    for figure, loss, other, most in LOSS_RATIOS:
        for kind in kinds:
            if kind["loss"] != loss or "test" not in kind["figures"]:
                continue
            against = _same(kinds, kind, loss=other)
            if against is not None:
                paper = _paper_figure(loss, figure) / _paper_figure(other, figure)
                ratios.append(_ratio(figure, kind, against, paper, "≤", most))
    return ratios


def _hand_ratios(kinds: Sequence[Entry]) -> list[Entry]:
    """L2 residual of the Shadow Hand over that of the Barrett Hand, both trained with it."""
    ratios = []
    paper = PAPER_TABLE_1["shadow"]["test"] / PAPER_TABLE_1["barrett"]["test"]
    for figure in ("l2", "paper_l2"):
        for kind in kinds:
            if kind["loss"] != "l2" or kind["hand"] != "shadow" or "test" not in kind["figures"]:
                continue
            against = _same(kinds, kind, hand="barrett")
            if against is not None:
                ratios.append(_ratio(figure, kind, against, paper, "≥", HAND_RATIO))
    return ratios


def _same(kinds: Sequence[Entry], kind: Entry, **other: str) -> Entry | None:
    """The kind that differs in `other` alone; of another hand, the number of training objects may differ."""
    keys = KIND[:-1] if "hand" in other else KIND
    wanted = {key: kind[key] for key in keys} | other
    return next((one for one in kinds if all(one[key] == wanted[key] for key in keys)), None)


def _ratio(figure: str, kind: Entry, against: Entry, paper: float, sign: str, limit: float) -> Entry:
    """Ratio of two means over seeds, and of the seeds that both have."""
    over, under = (one["figures"]["test"][figure] for one in (kind, against))
    value = _divided(over["mean"], under["mean"])
    first, second = (
        dict(zip(one["seeds"], one["figures"]["test"][figure]["values"], strict=True))
        for one in (kind, against)
    )
    return {
        "figure": figure,
        "over": {key: kind[key] for key in KIND},
        "under": {key: against[key] for key in KIND},
        "value": value,
        "by_seed": {str(seed): _divided(first[seed], second[seed]) for seed in first if seed in second},
        "paper": paper,
        "asked": f"{sign} {limit:.3g}",
        "met": None if value is None else (value <= limit if sign == "≤" else value >= limit),
    }


def _divided(over: float, under: float) -> float | None:
    """Ratio, None where there is none to speak of."""
    return over / under if under > 0 else None


def _paper_figure(loss: str, figure: str) -> float:
    if figure in PAPER_PENETRATION["combined"]:
        return PAPER_PENETRATION[loss][figure]
    return PAPER_TABLE_2[loss][figure.removeprefix("paper_")]
