"""Figures of several networks for one hand, on the same grids of the same objects, and of the baseline of none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.hand import Kinematics
from grasp_pose_net.inference.proposal import SampledProposer, retry_rotations
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.shapes.split import object_hash
from grasp_pose_net.training.data import Objects, TrainingBatch, make_batch
from grasp_pose_net.training.evaluation import Held, depths, refined_figures, residuals, spread_of_grasps
from grasp_pose_net.training.losses import PAPER_MEASURE, PAPER_WEIGHTS, PoseWeights, pose_residual
from grasp_pose_net.training.trained import Trained

PAPER_GRIDS = 27  # of each object, from the paper's rotations; residuals are taken over these

Figures = dict[str, list[dict[str, float]]]  # of each object, by side of the split
TrialOf = Callable[[str, SignedDistanceField], Held]  # force trial of an object "source/name"


@dataclass(frozen=True, kw_only=True)
class Evaluation(Settings):
    """How much is evaluated.

    Attributes:
        rotations: grids of each object: the paper's 27 and then evenly spread ones; of fewer, the object as
            it stands and a random choice of the others. All are candidates for the best grasp.
        refined: objects of each side, a fair sample, whose candidates are also refined.
        seed: of the choice of rotations and of the baseline.
    """

    rotations: int = setting(28, 1, 10000)
    refined: int = setting(100, 0)
    seed: int = setting(0, 0, 2**31 - 1)


def compare(
    trained: Sequence[Trained],
    sides: dict[str, Objects],
    config: Evaluation,
    trial_of: TrialOf | None = None,
) -> dict[str, Any]:
    """Figures of networks for one hand.

    Args:
        trained: the networks.
        sides: objects by side of the split.
        config: how much is evaluated.
        trial_of: force trial of each refined object; none without.

    Returns:
        "networks", an entry for each with "figures" by side; "baseline", the same without a network; "truth", how
        far the grasps of an object are from each other; "changes" of the pose by the collision loss. Figures are
        means over objects; on the side "train" only over those that a network was trained on.
    """
    tally = _Tally(trained, config, trial_of)
    bar = tqdm(total=sum(map(len, sides.values())), desc=f"evaluate {tally.hand.name}", unit="object")
    for side, objects in sides.items():
        refined = sample(objects, config.refined)
        seen = [sample(objects, one.limit if side == "train" else None) for one in trained]
        for number in range(len(objects)):
            asked = [place for place in range(len(trained)) if number in seen[place]]
            tally.add(side, objects, number, asked, refine=number in refined)
            bar.update()
    bar.close()
    return tally.report()


class _Tally:
    """Figures of each object that was looked at."""

    def __init__(self, trained: Sequence[Trained], config: Evaluation, trial_of: TrialOf | None) -> None:
        self.hand = trained[0].hand
        self._trained, self._config, self._trial_of = trained, config, trial_of
        self._kinematics, self._proposer = Kinematics(self.hand), SampledProposer(self.hand)
        # places of networks that differ in the collision loss only
        self._pairs = [
            (place, other)
            for place, one in enumerate(trained)
            for other, plain in enumerate(trained)
            if (one.loss, plain.loss) == ("combined", "consistency") and one.kind == plain.kind
        ]
        self._figures: list[Figures] = [defaultdict(list) for _ in trained]
        self._changes: list[Figures] = [defaultdict(list) for _ in self._pairs]
        self._baseline: Figures = defaultdict(list)
        self._truth: Figures = defaultdict(list)

    def add(self, side: str, objects: Objects, number: int, asked: Sequence[int], *, refine: bool) -> None:
        """Look at one object with the networks at the places `asked`, and at what refinement makes of it."""
        name = objects.names[number]
        rotations = grid_rotations(name, self._config)
        batch = make_batch(objects, np.full(len(rotations), number), rotations)
        field = objects.field(number) if refine else None
        held = None if field is None or self._trial_of is None else self._trial_of(name, field)
        with torch.inference_mode():
            answers = {place: self._trained[place].network(batch.grids).float() for place in asked}
        for place, x in answers.items():
            row = _network_figures(objects, batch, x, self._kinematics, self._trained[place])
            if field is not None:
                poses = batch.to_object_frame(x).double().numpy()
                row |= refined_figures(self.hand, self._kinematics, field, poses, held)
            self._figures[place][side].append(row)
        for (first, second), kept in zip(self._pairs, self._changes, strict=True):
            if first in answers and second in answers:
                weights = self._trained[first].measure.weights
                kept[side].append(pose_change(answers[first], answers[second], weights))
        if field is not None:
            rng = np.random.default_rng([self._config.seed, object_hash(name)])
            poses = self._proposer(field, rotations, rng=rng)
            self._baseline[side].append(refined_figures(self.hand, self._kinematics, field, poses, held))
        grasps = objects.grasps[number][objects.valid[number]]
        if len(grasps) > 1:
            own = spread_of_grasps(grasps, self._trained[0].measure.weights)
            plain = spread_of_grasps(grasps, PAPER_WEIGHTS)
            self._truth[side].append(own | {f"paper_{name}": value for name, value in plain.items()})

    def report(self) -> dict[str, Any]:
        """What `compare` gives."""
        networks = [
            one.kind | {"name": one.name, "loss": one.loss, "dataset": one.notes.get("dataset")}
            for one in self._trained
        ]
        hand = {"hand": self.hand.name}
        return {
            "networks": [one | _means(kept) for one, kept in zip(networks, self._figures, strict=True)],
            "baseline": [hand | _means(self._baseline)],
            "truth": [hand | _means(self._truth)],
            "changes": [
                self._trained[first].kind | _means(kept)
                for (first, _), kept in zip(self._pairs, self._changes, strict=True)
            ],
        }


def grid_rotations(name: str, config: Evaluation) -> np.ndarray:
    """Rotations (R, 3, 3) of an object "source/name", the identity first."""
    rotations = retry_rotations(max(config.rotations, PAPER_GRIDS))
    if config.rotations >= PAPER_GRIDS:
        return rotations
    rng = np.random.default_rng([config.seed, object_hash(name)])
    others = rng.choice(np.arange(1, PAPER_GRIDS), config.rotations - 1, replace=False)
    return rotations[[0, *np.sort(others)]]


def sample(objects: Objects, count: int | None) -> set[int]:
    """Places of a fair sample of so many objects, the same that `Objects.first` takes; None: of all."""
    return set(sorted(range(len(objects)), key=lambda number: object_hash(objects.names[number]))[:count])


def pose_change(x: torch.Tensor, reference: torch.Tensor, weights: PoseWeights) -> dict[str, float]:
    """‖x - reference‖ / ‖reference‖, mean over grids, with the closer of the two signs of the quaternion.

    Args:
        x: (B, 7 + J) answers of one network, in the frames of the grids.
        reference: (B, 7 + J) answers of the other.
        weights: of the parts, for "change".

    Returns:
        "change", and "paper_change" with metres, quaternion parts and radians added as they are.
    """
    result = {}
    for key, own in (("change", weights), ("paper_change", PAPER_WEIGHTS)):
        length = (
            own.position_per_m2 * reference[:, :3].square().sum(1)
            + own.quaternion * reference[:, 3:7].square().sum(1)
            + own.joints_per_rad2 * reference[:, 7:].square().sum(1)
        ).sqrt()
        difference = pose_residual(x, reference, own).clamp(min=0).sqrt()
        result[key] = float((difference / length).mean())
    return result


def _network_figures(
    objects: Objects, batch: TrainingBatch, x: torch.Tensor, kinematics: Kinematics, one: Trained
) -> dict[str, float]:
    """Figures straight from the network, over the paper's grids of one object."""
    x = x[:PAPER_GRIDS]
    paper = TrainingBatch(**{part.name: getattr(batch, part.name)[:PAPER_GRIDS] for part in fields(batch)})
    row = residuals(objects, paper, x, kinematics, one.measure)
    raw = residuals(objects, paper, x, kinematics, PAPER_MEASURE)
    row |= {f"paper_{name}": raw[name] for name in ("l2", "consistency", "combined")}
    return row | depths(objects, paper, x, kinematics)


def _means(kept: Figures) -> dict[str, dict[str, dict[str, float]]]:
    """Under "figures": mean of each over the objects that have it, by side."""
    result: dict[str, dict[str, float]] = {}
    for side, rows in kept.items():
        names = dict.fromkeys(name for row in rows for name in row)
        result[side] = {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}
    return {"figures": result}
