"""Where candidates went and what each stage took: read off the batch, as text for people and as data for nodes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grasp_pose_net.planning.batch import REASONS, Batch
from grasp_pose_net.planning.reject import Reject


@dataclass(frozen=True)
class Account:
    """What became of the candidates of one object; every candidate is in one of these numbers.

    Attributes:
        grasps: how many are offered.
        candidates: how many were proposed.
        rejected: how many were dropped, by reason.
        spare: how many were left when enough was found; not all of them were looked at to the end.
        seconds: wall time by stage.
    """

    grasps: int
    candidates: int
    rejected: Counter[Reject] = field(default_factory=Counter)
    spare: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, batch: Batch, seconds: Mapping[str, float] | None = None) -> Account:
        """The account of a batch."""
        rejected = Counter(REASONS[reason] for reason in batch.reason.tolist() if reason >= 0)
        spare = rejected.pop(Reject.SPARE, 0)
        return cls(int(batch.alive.sum()), len(batch), rejected, spare, dict(seconds or {}))

    def text(self) -> str:
        """One line."""
        reasons = ", ".join(f"{count} {reason.text}" for reason, count in self.rejected.most_common())
        parts = [f"{self.grasps} grasps of {self.candidates} candidates", f"rejected: {reasons or 'none'}"]
        if self.spare:
            parts.append(f"{self.spare} not needed")
        if self.seconds:
            parts.append(", ".join(f"{stage} {1e3 * s:.0f} ms" for stage, s in self.seconds.items()))
        return "; ".join(parts)

    def data(self) -> dict[str, Any]:
        """The same as numbers, strings and mappings."""
        return {
            "grasps": self.grasps,
            "candidates": self.candidates,
            "rejected": {reason.name: count for reason, count in self.rejected.items()},
            "spare": self.spare,
            "seconds": dict(self.seconds),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Account:
        """Account of `data`.

        Raises:
            ValueError: a part is missing or is none of an account.
        """
        try:
            rejected = Counter({Reject.named(name): int(count) for name, count in data["rejected"].items()})
            seconds = {str(stage): float(taken) for stage, taken in data["seconds"].items()}
            return cls(int(data["grasps"]), int(data["candidates"]), rejected, int(data["spare"]), seconds)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not the account of a plan: {error!r}") from error


def to_json(text: str, batch: Batch) -> str:
    """What a service says in one line: text for people, the account, and the reason of each candidate."""
    reasons = [None if reason < 0 else REASONS[reason].name for reason in batch.reason.tolist()]
    said = {"text": text, "account": Account.of(batch).data(), "reasons": reasons}
    return json.dumps(said, ensure_ascii=False)


def reasons_from_json(message: str) -> list[Reject | None]:
    """The reason of each candidate, None where it is offered, in what `to_json` wrote.

    Raises:
        ValueError: it is nothing of the kind.
    """
    try:
        return [None if name is None else Reject.named(name) for name in json.loads(message)["reasons"]]
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"expected the reasons of candidates, got {message[:80]!r}") from error
