"""The command `evaluate`: networks of all hands compared, with tables, pictures and a card of each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.hand import Hand
from grasp_pose_net.models import network_file
from grasp_pose_net.provenance import record
from grasp_pose_net.shapes import SignedDistanceField, load_mesh
from grasp_pose_net.storage import save_json, write_whole
from grasp_pose_net.synthesis import find_meshes, load_dataset, object_name
from grasp_pose_net.synthesis.search import Validate
from grasp_pose_net.training.card import licences_of, model_card
from grasp_pose_net.training.comparison import Evaluation, TrialOf, compare, sample
from grasp_pose_net.training.data import Objects, load_objects
from grasp_pose_net.training.evaluation import Held
from grasp_pose_net.training.plots import save_evaluation
from grasp_pose_net.training.prepared import fingerprint
from grasp_pose_net.training.summary import summarize
from grasp_pose_net.training.tables import evaluation_text
from grasp_pose_net.training.trained import Trained, load_trained


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
    report: dict[str, Any] = {key: [] for key in ("networks", "baseline", "truth", "changes")}
    report |= {"hands": {}, "measure": asdict(trained[0].measure), "config": asdict(config)}
    sources: dict[str, list[str]] = {}
    for hand in dict.fromkeys(one.hand for one in trained):
        own = [one for one in trained if one.hand is hand]
        sides = load_objects(files[hand.name], meshes, hand)
        report["hands"][hand.name] = _hand_entry(files[hand.name], sides, hand, config)
        trial_of = None if validate is None else _trials(hand, meshes, validate)
        part = compare(own, sides, config, trial_of)
        for entry in part["networks"]:  # None: the network's file does not say what it was trained on
            known = entry["dataset"]
            entry["same_dataset"] = known and known["sha256"] == report["hands"][hand.name]["dataset_sha256"]
        for key, entries in part.items():
            report[key] += entries
        names = [name for objects in sides.values() for name in objects.names]
        sources[hand.name] = licences_of(meshes, names, licences)
    hours = round((time.perf_counter() - started) / 3600, 3)
    report |= summarize(report) | {"hours": hours} | record(weights=map(network_file, networks))
    save_json(out / "evaluation.json", report)
    write_whole(out / "evaluation.md", evaluation_text(report))
    save_evaluation(report, out / "evaluation.png")
    for one in trained:
        _write_card(one, sources[one.hand.name], report, out)
    return report


def _trials(hand: Hand, meshes: Path, validate: Validate) -> TrialOf:
    """The force trial of every object in a folder of meshes."""
    files = {object_name(file): file for file in find_meshes(meshes)}

    def trial_of(name: str, field: SignedDistanceField) -> Held:
        mesh = load_mesh(files[name])
        return lambda x: validate(hand, mesh, field, x)

    return trial_of


def _hand_entry(
    file: Path, sides: dict[str, Objects], hand: Hand, config: Evaluation
) -> dict[str, dict[str, int] | str | int]:
    """What a hand's networks are evaluated on."""
    made = fingerprint(file)
    return {
        "dataset": made["name"],
        "dataset_sha256": made["sha256"],
        "contact_points": len(hand.contacts.link),
        "objects": {side: len(objects) for side, objects in sides.items()},
        "grasps": {side: int(objects.valid.sum()) for side, objects in sides.items()},
        "refined": {side: len(sample(objects, config.refined)) for side, objects in sides.items()},
    }


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
