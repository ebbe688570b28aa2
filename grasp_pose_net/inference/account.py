"""Where candidates went and what each stage took: as text for people and logs, and back from it.

A service answers with one line of text, so that counts and times travel between nodes in it. This is the only place
that writes and reads them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Account:
    """What became of the candidates of one object.

    Attributes:
        grasps: how many are offered.
        candidates: how many were proposed.
        rejected: how many were dropped, by reason.
        spare: how many were left when enough was found; not all of them were looked at to the end.
        seconds: wall time by stage.
    """

    grasps: int
    candidates: int
    rejected: Counter[str] = field(default_factory=Counter)
    spare: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)

    def text(self) -> str:
        """One line, which `from_text` reads."""
        parts = [f"{self.grasps} grasps of {self.candidates} candidates", rejection_text(self.rejected)]
        if self.spare:
            parts.append(f"{self.spare} not needed")
        if self.seconds:
            parts.append(seconds_text(self.seconds))
        return "; ".join(parts)

    @classmethod
    def from_text(cls, text: str) -> Account:
        """Account in a text that holds one `text`; zeros where it holds none."""
        found, spare = (
            re.search(r"(\d+) grasps of (\d+) candidates", text),
            re.search(r"(\d+) not needed", text),
        )
        grasps, candidates = (int(number) for number in found.groups()) if found else (0, 0)
        left = int(spare[1]) if spare else 0
        return cls(grasps, candidates, rejections(text), left, stage_seconds(text))


def rejection_text(rejected: Counter[str]) -> str:
    """Reasons and counts, most first, as `rejections` reads them: ``rejected: 3 penetrates, 2 hits itself``."""
    reasons = ", ".join(f"{count} {reason}" for reason, count in rejected.most_common() if count)
    return f"rejected: {reasons or 'none'}"


def rejections(text: str) -> Counter[str]:
    """Reasons and counts from a text that holds one `rejection_text`; empty where it holds none."""
    listed = re.search(r"rejected: ([^;(]*)", text)
    found = re.findall(r"(\d+) ([^,]+)", listed[1].strip()) if listed else []
    return Counter({reason: int(count) for count, reason in found})


def seconds_text(seconds: Mapping[str, float]) -> str:
    """Stages and their times as `stage_seconds` reads them: ``forward 63 ms, refinement 210 ms``."""
    return ", ".join(f"{stage} {1e3 * s:.0f} ms" for stage, s in seconds.items())


def stage_seconds(text: str) -> dict[str, float]:
    """Time of every stage [s] that a text names like `seconds_text`."""
    return {stage: 1e-3 * int(milliseconds) for stage, milliseconds in re.findall(r"(\w+) (\d+) ms\b", text)}
