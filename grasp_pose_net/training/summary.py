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

KIND = ("hand", "architecture", "loss", "training_objects")
Entry = dict[str, Any]

_LOSS = PAPER_TABLE_2["consistency"]["consistency"] / PAPER_TABLE_2["l2"]["consistency"]
_INSIDE, _FREE = PAPER_PENETRATION["consistency"], PAPER_PENETRATION["combined"]
_HAND = PAPER_TABLE_1["shadow"]["test"] / PAPER_TABLE_1["barrett"]["test"]
# figure on test objects of kinds like the first over that of the same kind but for the second, the paper's, and the asked
RATIOS: tuple[tuple[str, dict[str, str], dict[str, str], float, str, float], ...] = (
    ("consistency", {"loss": "consistency"}, {"loss": "l2"}, _LOSS, "≤", 1 / 20),
    ("paper_consistency", {"loss": "consistency"}, {"loss": "l2"}, _LOSS, "≤", 1 / 20),
    *(
        (figure, {"loss": "combined"}, {"loss": "consistency"}, _FREE[figure] / _INSIDE[figure], "≤", most)
        for figure, most in (("penetrating_points", 1 / 3), ("mean_depth_m", 1 / 5), ("total_depth_m", 1 / 5))
    ),
    ("l2", {"hand": "shadow", "loss": "l2"}, {"hand": "barrett"}, _HAND, "≥", 5.0),
    ("paper_l2", {"hand": "shadow", "loss": "l2"}, {"hand": "barrett"}, _HAND, "≥", 5.0),
)


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
        "ratios": [
            _ratio(figure, kind, against, paper, sign, limit)
            for figure, over, under, paper, sign, limit in RATIOS
            for kind in kinds
            if kind.items() >= over.items() and "test" in kind["figures"]
            if (against := _same(kinds, kind, under)) is not None
        ],
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


def _same(kinds: Sequence[Entry], kind: Entry, other: dict[str, str]) -> Entry | None:
    """The kind that differs in `other` alone; of another hand, the number of training objects may differ."""
    keys = KIND[:-1] if "hand" in other else KIND
    wanted = {key: kind[key] for key in keys} | other
    return next((one for one in kinds if all(one[key] == wanted[key] for key in keys)), None)


def _ratio(figure: str, kind: Entry, against: Entry, paper: float, sign: str, limit: float) -> Entry:
    """Ratio of two means over seeds, and of the seeds that both have."""
    over, under = (one["figures"]["test"][figure] for one in (kind, against))
    value = _divided(over["mean"], under["mean"])
    first = dict(zip(kind["seeds"], over["values"], strict=True))
    second = dict(zip(against["seeds"], under["values"], strict=True))
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
