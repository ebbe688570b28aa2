"""The command `evaluate`: several networks on the same grids of the same objects, and the baseline of none."""

from __future__ import annotations

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from grasp_pose_net.exceptions import ConfigError, GraspPoseNetError
from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.inference.proposal import SampledProposer, retry_rotations
from grasp_pose_net.provenance import commit, machine
from grasp_pose_net.shapes import SignedDistanceField, load_mesh
from grasp_pose_net.shapes.split import object_hash
from grasp_pose_net.storage import write_whole
from grasp_pose_net.synthesis import find_meshes, load_dataset, object_name
from grasp_pose_net.synthesis.search import Validate
from grasp_pose_net.training.card import licences_of, model_card
from grasp_pose_net.training.data import Batch, Objects, load_objects, make_batch
from grasp_pose_net.training.evaluation import (
    PAPER_MEASURE,
    Held,
    depths,
    refined_figures,
    residuals,
    spread_of_grasps,
)
from grasp_pose_net.training.losses import PAPER_WEIGHTS, PoseWeights, pose_residual
from grasp_pose_net.training.plots import save_evaluation
from grasp_pose_net.training.summary import summarize
from grasp_pose_net.training.tables import evaluation_text
from grasp_pose_net.training.trained import Trained, load_trained

PAPER_GRIDS = 27  # of each object, from the paper's rotations; residuals are taken over these

Figures = dict[str, list[dict[str, float]]]  # of each object, by side of the split
TrialOf = Callable[[str, SignedDistanceField], Held]  # force trial of an object "source/name"


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How much is evaluated.

    Attributes:
        rotations: grids of each object: the paper's 27 and then evenly spread ones; of fewer, the object as
            it stands and a random choice of the others. All are candidates for the best grasp.
        refined: objects of each side, a fair sample, whose candidates are also refined.
        seed: of the choice of rotations and of the baseline.
    """

    rotations: int = 28
    refined: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the counts.

        Raises:
            ConfigError: one is not possible.
        """
        if self.rotations < 1 or self.refined < 0:
            raise ConfigError(
                f"expected at least 1 rotation and 0 refined objects, got {self.rotations} and {self.refined}"
            )


def evaluate(
    datasets: Sequence[Path],
    meshes: Path,
    networks: Sequence[str],
    out: Path,
    config: Evaluation | None = None,
    licences: Path | None = None,
    validate: Validate | None = None,
) -> dict[str, Any]:
    """Evaluate networks and write `evaluation.md`, `.json`, `.png` and a card of each network.

    Args:
        datasets: files of `synthesize`, one for each hand.
        meshes: folder of the meshes they were made from.
        networks: names or paths of weights; seeds of one kind are taken together.
        out: folder to write into.
        config: how much is evaluated.
        licences: CSV with the columns source, name and licence; `index.csv` of the meshes without it.
        validate: force trial of refined objects' grasps; none without.

    Returns:
        The report.

    Raises:
        CheckpointError: a network is missing, or cannot be compared with the others.
        GraspPoseNetError: a dataset cannot be used, or none is for a network's hand.
    """
    config = config or Evaluation()
    started = time.perf_counter()
    trained = load_trained(networks)
    files = _dataset_of_hands(datasets, trained)
    report: dict[str, Any] = {
        "networks": [],
        "hands": {},
        "baseline": [],
        "truth": [],
        "changes": [],
        "measure": asdict(trained[0].measure),
        "config": asdict(config),
    }
    cards: list[list[str]] = []
    for hand in dict.fromkeys(one.hand for one in trained):
        own = [one for one in trained if one.hand is hand]
        sides = load_objects(files[hand.name], meshes, hand)
        report["hands"][hand.name] = _hand_entry(files[hand.name], sides, hand, config)
        trial_of = None if validate is None else _trials(hand, meshes, validate)
        part = compare(own, sides, config, trial_of)
        for entry in part["networks"]:
            entry["same_dataset"] = _is_same(entry["dataset"], report["hands"][hand.name])
        for key in ("networks", "baseline", "truth", "changes"):
            report[key] += part[key]
        names = [name for objects in sides.values() for name in objects.names]
        cards += [licences_of(meshes, names, licences)] * len(own)
    report |= summarize(report)
    report |= {
        "hours": round((time.perf_counter() - started) / 3600, 3),
        "machine": machine(),
        "commit": commit(),
    }
    _write(report, out)
    ordered = [one for hand in report["hands"] for one in trained if one.hand.name == hand]
    for one, sources in zip(ordered, cards, strict=True):
        _write_card(one, sources, report, out)
    return report


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
    hand, kinematics = trained[0].hand, Kinematics(trained[0].hand)
    proposer = SampledProposer(hand)
    pairs = _collision_pairs(trained)
    figures: list[Figures] = [defaultdict(list) for _ in trained]
    baseline: Figures = defaultdict(list)
    truth: Figures = defaultdict(list)
    changes: list[Figures] = [defaultdict(list) for _ in pairs]
    bar = tqdm(total=sum(map(len, sides.values())), desc=f"evaluate {hand.name}", unit="object")
    for side, objects in sides.items():
        refined = sample(objects, config.refined)
        seen = [sample(objects, one.limit if side == "train" else None) for one in trained]
        for number, name in enumerate(objects.names):
            rotations = grid_rotations(name, config)
            batch = make_batch(objects, np.full(len(rotations), number), rotations)
            field = objects.field(number) if number in refined else None
            held = None if field is None or trial_of is None else trial_of(name, field)
            asked = [place for place in range(len(trained)) if number in seen[place]]
            answers = {place: _answer(trained[place], batch) for place in asked}
            for place, x in answers.items():
                row = _network_figures(objects, batch, x, kinematics, trained[place])
                if field is not None:
                    poses = batch.to_object_frame(x).double().numpy()
                    row |= refined_figures(hand, kinematics, field, poses, held)
                figures[place][side].append(row)
            for (first, second), kept in zip(pairs, changes, strict=True):
                if first in answers and second in answers:
                    change = pose_change(answers[first], answers[second], trained[first].measure.weights)
                    kept[side].append(change)
            if field is not None:
                rng = np.random.default_rng([config.seed, object_hash(name)])
                poses = proposer(field, rotations, rng=rng)
                baseline[side].append(refined_figures(hand, kinematics, field, poses, held))
            grasps = objects.grasps[number][objects.valid[number]]
            if len(grasps) > 1:
                truth[side].append(_truth_figures(grasps, trained[0]))
            bar.update()
    bar.close()
    return {
        "networks": [_entry(one, _means(kept)) for one, kept in zip(trained, figures, strict=True)],
        "baseline": [{"hand": hand.name, "figures": _means(baseline)}],
        "truth": [{"hand": hand.name, "figures": _means(truth)}],
        "changes": [
            {
                "hand": hand.name,
                "architecture": trained[first].architecture,
                "seed": trained[first].seed,
                "training_objects": trained[first].training_objects,
                "figures": _means(kept),
            }
            for (first, _), kept in zip(pairs, changes, strict=True)
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


def _answer(one: Trained, batch: Batch) -> torch.Tensor:
    """Pose vectors (R, 7 + J) in the frames of the grids."""
    with torch.inference_mode():
        return one.network(batch.grids).float()


def _network_figures(
    objects: Objects, batch: Batch, x: torch.Tensor, kinematics: Kinematics, one: Trained
) -> dict[str, float]:
    """Figures straight from the network, over the paper's grids of one object."""
    x = x[:PAPER_GRIDS]
    paper = Batch(**{part.name: getattr(batch, part.name)[:PAPER_GRIDS] for part in fields(batch)})
    row = residuals(objects, paper, x, kinematics, one.measure)
    raw = residuals(objects, paper, x, kinematics, PAPER_MEASURE)
    row |= {f"paper_{name}": raw[name] for name in ("l2", "consistency", "combined")}
    return row | depths(objects, paper, x, kinematics)


def _truth_figures(grasps: torch.Tensor, one: Trained) -> dict[str, float]:
    """How far the grasps (K, 7 + J) of one object are from each other, in both measures."""
    plain = spread_of_grasps(grasps, PAPER_MEASURE.weights)
    own = spread_of_grasps(grasps, one.measure.weights)
    return own | {f"paper_{name}": value for name, value in plain.items()}


def _trials(hand: Hand, meshes: Path, validate: Validate) -> TrialOf:
    """The force trial of every object in a folder of meshes."""
    files = {object_name(file): file for file in find_meshes(meshes)}

    def trial_of(name: str, field: SignedDistanceField) -> Held:
        mesh = load_mesh(files[name])
        return lambda x: validate(hand, mesh, field, x)

    return trial_of


def _collision_pairs(trained: Sequence[Trained]) -> list[tuple[int, int]]:
    """Places of networks that differ in the collision loss only: (combined, consistency)."""

    def kind(one: Trained) -> tuple[str, int, int | None]:
        return one.architecture, one.seed, one.training_objects

    others = {kind(one): place for place, one in enumerate(trained) if one.loss == "consistency"}
    return [
        (place, others[kind(one)])
        for place, one in enumerate(trained)
        if one.loss == "combined" and kind(one) in others
    ]


def _means(kept: Figures) -> dict[str, dict[str, float]]:
    """Mean of each figure over the objects that have it, by side."""
    result: dict[str, dict[str, float]] = {}
    for side, rows in kept.items():
        names = dict.fromkeys(name for row in rows for name in row)
        result[side] = {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}
    return result


def _entry(one: Trained, figures: dict[str, dict[str, float]]) -> dict[str, Any]:
    return {
        "name": one.name,
        "hand": one.hand.name,
        "architecture": one.architecture,
        "loss": one.loss,
        "seed": one.seed,
        "training_objects": one.training_objects,
        "dataset": one.notes.get("dataset"),
        "figures": figures,
    }


def _hand_entry(
    file: Path, sides: dict[str, Objects], hand: Hand, config: Evaluation
) -> dict[str, dict[str, int] | str | int]:
    """What a hand's networks are evaluated on."""
    return {
        "dataset": file.name,
        "dataset_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "contact_points": len(hand.contacts.link),
        "objects": {side: len(objects) for side, objects in sides.items()},
        "grasps": {side: int(objects.valid.sum()) for side, objects in sides.items()},
        "refined": {side: len(sample(objects, config.refined)) for side, objects in sides.items()},
    }


def _is_same(trained_on: dict[str, str] | None, evaluated_on: dict[str, Any]) -> bool | None:
    """Whether a network was trained on the dataset that it is evaluated on; None: its file does not say."""
    return None if trained_on is None else trained_on["sha256"] == evaluated_on["dataset_sha256"]


def _dataset_of_hands(datasets: Sequence[Path], trained: Sequence[Trained]) -> dict[str, Path]:
    """The dataset of each hand that is needed."""
    files: dict[str, Path] = {}
    for path in datasets:
        hand = load_dataset(path).hand
        if hand in files:
            raise GraspPoseNetError(
                f"asked for one dataset of each hand, found {files[hand]} and {path} for {hand!r}; give one"
            )
        files[hand] = path
    for one in trained:
        if one.hand.name not in files:
            found = ", ".join(f"{hand!r} ({path})" for hand, path in files.items())
            raise GraspPoseNetError(
                f"{one.name}: asked for grasps of its hand {one.hand.name!r}, found datasets for {found}; "
                f"add --dataset with one for {one.hand.name!r}"
            )
    return files


def _write(report: dict[str, Any], out: Path) -> None:
    write_whole(out / "evaluation.json", json.dumps(report, indent=1) + "\n")
    write_whole(out / "evaluation.md", evaluation_text(report))
    save_evaluation(report, out / "evaluation.png")


def _write_card(one: Trained, sources: list[str], report: dict[str, Any], out: Path) -> None:
    """Card of a network: the notes of its training, and the figures of this evaluation."""
    figures = next(entry["figures"] for entry in report["networks"] if entry["name"] == one.name)
    baseline = next(entry["figures"] for entry in report["baseline"] if entry["hand"] == one.hand.name)
    data, config = report["hands"][one.hand.name], report["config"]
    known = {
        **one.notes,
        "sources": sources,
        "figures": figures,
        "baseline": baseline,
        "rotations": config["rotations"],
        "evaluated_on": f"evaluated on `{data['dataset']}` (SHA-256 {data['dataset_sha256'][:16]}), "
        f"commit {report['commit'][:12]}",
    }
    label = [one.hand.name, one.architecture, one.loss, str(one.seed)]
    label += [] if one.training_objects is None else [str(one.training_objects)]
    write_whole(out / f"{'_'.join(label)}.md", model_card(known))
