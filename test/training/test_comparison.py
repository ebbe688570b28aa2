"""The command `evaluate`: figures against a direct computation, files, and every way in which it cannot be done."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_objects import random_grasps
from typer.testing import CliRunner

from grasp_pose_net.commands import app
from grasp_pose_net.exceptions import CheckpointError, ConfigError, GraspPoseNetError
from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.inference.network import CompactNetwork, load_network, save_network
from grasp_pose_net.shapes import paper_rotations, split_of
from grasp_pose_net.synthesis import load_dataset, save_dataset
from grasp_pose_net.training import Objects, TrainConfig, make_batch
from grasp_pose_net.training.comparison import (
    Evaluation,
    compare,
    grid_rotations,
    pose_change,
    sample,
)
from grasp_pose_net.training.evaluation import depths, residuals
from grasp_pose_net.training.losses import Measure, PoseWeights
from grasp_pose_net.training.report import evaluate
from grasp_pose_net.training.trained import load_trained

NAMES = [f"made/thing_{i}" for i in (0, 1, 2, 4)]
PAIR = (("a", "combined"), ("b", "consistency"))
QUICK = Evaluation(rotations=2, refined=1)


def save(path: Path, hand: Hand, seed: int = 0, notes: dict[str, Any] | None = None, **config: Any) -> str:
    """A tiny network as training would leave it."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = CompactNetwork(hand, channels=(2, 2, 2), hidden=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = asdict(TrainConfig(seed=seed, **config))
    save_network(path, network, hand, config=whole, **(notes or {}))
    return str(path)


@pytest.fixture(scope="session")
def barrett() -> Hand:
    return Hand.load("barrett")


@pytest.fixture
def barrett_dataset(write_dataset: Callable[..., Path], barrett: Hand) -> Path:
    data = load_dataset(write_dataset(NAMES))
    x = random_grasps(barrett, len(data.x), 3).astype(np.float32)
    path = write_dataset(NAMES).with_name("barrett.npz")
    save_dataset(path, replace(data, hand="barrett", x=x))
    return path


def test_figures_are_means_over_the_papers_grids_and_then_objects(
    tmp_path: Path, objects: Objects, hand: Hand
) -> None:
    (one,) = load_trained([save(tmp_path / "n.safetensors", hand)])
    part = compare([one], {"test": objects}, Evaluation(rotations=28, refined=0))
    network, kinematics = load_network(one.name, hand), Kinematics(hand)
    rows = []
    for number in range(len(objects)):
        batch = make_batch(objects, np.full(27, number), paper_rotations())
        with torch.inference_mode():
            x = torch.cat([network(grid[None]) for grid in batch.grids])
        row = residuals(objects, batch, x, kinematics, Measure())
        rows.append(row | depths(objects, batch, x, kinematics))
    found = part["networks"][0]["figures"]["test"]
    for name in rows[0]:
        assert found[name] == pytest.approx(np.mean([row[name] for row in rows]), rel=1e-4), name
    assert "best_epsilon" not in found  # nothing was refined


def test_refined_sample_and_baseline_are_of_the_same_objects(
    tmp_path: Path, objects: Objects, hand: Hand
) -> None:
    (one,) = load_trained([save(tmp_path / "n.safetensors", hand)])
    part, again = (compare([one], {"test": objects, "train": objects}, QUICK) for _ in range(2))
    assert part == again
    assert part["baseline"][0]["figures"]["test"]["best_epsilon"] >= 0
    assert set(part["baseline"][0]["figures"]) == {"test", "train"}
    assert part["networks"][0]["figures"]["test"].keys() >= part["baseline"][0]["figures"]["test"].keys()


def test_training_side_of_a_sample_is_what_was_trained_on(
    tmp_path: Path, objects: Objects, hand: Hand
) -> None:
    names = [save(tmp_path / "all.safetensors", hand), save(tmp_path / "one.safetensors", hand, objects=1)]
    notes = [{"objects": {"train": count}} for count in (2, 1)]
    whole, limited = (
        replace(t, notes=t.notes | n)
        for t, n in zip([load_trained([name])[0] for name in names], notes, strict=True)
    )
    config = Evaluation(rotations=1, refined=0)
    both = compare([whole, limited], {"train": objects, "test": objects}, config)["networks"]
    alone = compare([limited], {"train": objects.first(1)}, config)["networks"][0]
    assert both[1]["figures"]["train"] == alone["figures"]["train"] != both[0]["figures"]["train"]
    assert both[1]["figures"]["test"] == both[0]["figures"]["test"]
    assert [objects.names[place] for place in sample(objects, 1)] == list(objects.first(1).names)


def test_rotations_are_the_papers_or_a_repeatable_choice_of_them() -> None:
    every = grid_rotations("made/a", Evaluation(rotations=28))
    assert len(every) == 28
    for rotation in paper_rotations():
        assert np.abs(every[:27] - rotation).max((1, 2)).min() < 1e-9
    some = grid_rotations("made/a", Evaluation(rotations=5, seed=1))
    np.testing.assert_array_equal(some, grid_rotations("made/a", Evaluation(rotations=5, seed=1)))
    np.testing.assert_allclose(some[0], np.eye(3), atol=1e-12)
    assert len({rotation.round(6).tobytes() for rotation in some}) == 5
    for other in (("made/b", 1), ("made/a", 2)):
        assert not np.array_equal(some, grid_rotations(other[0], Evaluation(rotations=5, seed=other[1])))


def test_change_of_pose_is_relative_and_knows_no_sign_of_quaternions() -> None:
    reference = torch.tensor([[0.3, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 2.0]])
    x = torch.tensor([[0.3, 0.4, 0.0, -1.0, 0.0, 0.0, 0.0, 3.0]])
    weights = PoseWeights(position_per_m2=100.0, quaternion=4.0, joints_per_rad2=0.25)
    change = pose_change(x, reference, weights)
    assert change["change"] == pytest.approx(np.sqrt(16.25 / (9 + 4 + 1)))
    assert change["paper_change"] == pytest.approx(np.sqrt(1.16 / (0.09 + 1 + 4)))
    assert pose_change(reference, reference, weights)["change"] == pytest.approx(0.0, abs=1e-3)


def test_change_of_pose_is_taken_of_networks_with_the_same_seed(
    tmp_path: Path, objects: Objects, hand: Hand
) -> None:
    kinds = [("combined", 0), ("combined", 1), ("consistency", 1), ("consistency", 2)]
    names = [save(tmp_path / f"{loss}{seed}.safetensors", hand, seed, loss=loss) for loss, seed in kinds]
    part = compare(load_trained(names), {"test": objects}, Evaluation(rotations=1, refined=0))
    assert [change["seed"] for change in part["changes"]] == [1]
    # both were made from seed 1 and never trained
    assert part["changes"][0]["figures"]["test"]["change"] == pytest.approx(0.0, abs=1e-3)


def test_command_writes_tables_plot_report_and_cards(
    tmp_path: Path, write_dataset: Callable[..., Path], hand: Hand, barrett: Hand, barrett_dataset: Path
) -> None:
    assert {split_of(name) for name in NAMES} == {"train", "test"}
    dataset = write_dataset(NAMES)
    (tmp_path / "licences.csv").write_text("source,name,licence\nmade,thing_0,free for all\n")
    networks = [
        save(tmp_path / f"{loss}{seed}.safetensors", hand, seed, loss=loss)
        for loss, seed in (("l2", 0), ("consistency", 0), ("combined", 0), ("combined", 1))
    ]
    networks.append(save(tmp_path / "b" / "best.safetensors", barrett, loss="l2"))
    known = {"hours": 1.5, "machine": "a small one", "command": "grasp-pose-net train …", "commit": "abc"}
    known |= {
        "weights": "best.safetensors",
        "objects": {"train": 3},
        "dataset": {"name": "old.npz", "sha256": "0" * 64},
    }
    (tmp_path / "b" / "report.json").write_text(json.dumps(known))
    out = tmp_path / "out"
    words = ["evaluate", "--meshes", str(tmp_path / "meshes"), "--out", str(out)]
    words += ["--rotations", "2", "--refined", "1", "--seed", "3", "--json", str(tmp_path / "copy.json")]
    words += ["--licences", str(tmp_path / "licences.csv")]
    words += [part for path in (dataset, barrett_dataset) for part in ("--dataset", str(path))]
    words += [part for name in networks for part in ("--network", name)]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0
    report = json.loads((tmp_path / "copy.json").read_text())
    assert report == json.loads((out / "evaluation.json").read_text())
    assert report["config"] == {"rotations": 2, "refined": 1, "seed": 3}
    check_text((out / "evaluation.md").read_text(), report)
    assert "L2: shadow / barrett | shadow, compact |" in result.output
    assert (out / "evaluation.png").stat().st_size > 20000
    card = (out / "barrett_compact_l2_0_3.md").read_text()
    for line in (
        "- made: 1 object; free for all",
        "- made: 3 objects; licence not known",
        "1.5 hours on a small one",
    ):
        assert line in card
    assert "`grasp-pose-net train …`; commit abc" in card
    assert "Dataset: `old.npz`, SHA-256 0000000000000000" in card
    assert len(list(out.glob("shadow_compact_*.md"))) == 4


def check_text(text: str, report: dict[str, Any]) -> None:
    """Our figures and the paper's are in the tables."""
    kinds = {(kind["hand"], kind["loss"]): kind["figures"] for kind in report["kinds"]}
    l2 = {side: kinds["shadow", "l2"][side]["l2"]["mean"] for side in ("test", "train")}
    gap = f"{l2['test'] / l2['train']:.3g}"
    assert f"| shadow, compact | {l2['test']:.4g} | {l2['train']:.4g} | {gap} | 73.61 | 76.02 |" in text
    assert "| 5.84 | 4.76 |" in text
    row = [
        f"{kinds['shadow', 'consistency']['test'][loss]['mean']:.4g}"
        for loss in ("l2", "consistency", "combined")
    ]
    assert f"| L_consistency | test | {' | '.join(row)} |" in text
    assert "| L_consistency | paper: test | 0.914 | 0.043 | 0.261 |" in text
    two = kinds["shadow", "combined"]["test"]["consistency"]
    assert f"{two['mean']:.4g} ({two['min']:.3g}–{two['max']:.3g}, σ {two['std']:.2g})" in text
    points = kinds["shadow", "consistency"]["test"]["penetrating_points"]["mean"]
    assert f"| shadow, compact (45 points) | L_consistency | test | {points:.4g} |" in text
    assert "| L_combined | paper: test | 0.719 | 8.1 | 8.1 | 0 |" in text
    assert "barrett, compact, 3 objects (29 points)" in text
    assert "| shadow | none: sampled | test |" in text
    assert "12.7 %" in text
    (truth,) = [entry["figures"]["test"] for entry in report["truth"] if entry["hand"] == "shadow"]
    assert f"| grasps of the dataset | test | {truth['l2']:.4g} | {truth['consistency']:.4g} |  |" in text
    assert f"| shadow, plain units | {truth['paper_l2']:.4g} | {truth['paper_l2_position']:.4g} |" in text
    held = kinds["shadow", "l2"]["test"]["best_held"]["mean"]
    assert re.search(rf"\| shadow, compact \| L2 \| test \|.* {100 * held:.4g} \|", text)
    assert "Trained on another version of the dataset:" in text


def test_missing_network_is_named(tmp_path: Path, write_dataset: Callable[..., Path]) -> None:
    words = ["evaluate", "--dataset", str(write_dataset(NAMES)), "--meshes", str(tmp_path / "meshes")]
    words += ["--out", str(tmp_path / "out"), "--network", "no_such_network"]
    error = CliRunner().invoke(app, words).exception
    assert isinstance(error, CheckpointError)
    assert "no network 'no_such_network'" in str(error)
    assert not list((tmp_path / "out").iterdir())


def test_datasets_that_do_not_fit_are_named(
    tmp_path: Path, write_dataset: Callable[..., Path], hand: Hand, barrett: Hand
) -> None:
    dataset, meshes = write_dataset(NAMES), tmp_path / "meshes"
    other = save(tmp_path / "b.safetensors", barrett)
    with pytest.raises(
        GraspPoseNetError,
        match=r"its hand 'barrett', found datasets for 'shadow' \(.*set.npz\); add --dataset",
    ):
        evaluate([dataset], meshes, [other], tmp_path / "out", QUICK)
    own = save(tmp_path / "s.safetensors", hand)
    with pytest.raises(GraspPoseNetError, match=r"one dataset of each hand, found .* for 'shadow'; give one"):
        evaluate([dataset, dataset], meshes, [own], tmp_path / "out", QUICK)


def test_networks_that_cannot_be_compared_are_named(tmp_path: Path, hand: Hand) -> None:
    first = save(tmp_path / "a.safetensors", hand)
    with pytest.raises(CheckpointError, match="found both for hand 'shadow', compact, loss combined, seed 0"):
        load_trained([first, save(tmp_path / "b.safetensors", hand)])
    other = save(tmp_path / "c.safetensors", hand, seed=1, beta=0.5)
    with pytest.raises(CheckpointError, match=r"losses weighted differently .*beta=0.75.*beta=0.5.*apart"):
        load_trained([first, other])
    save_network(tmp_path / "d.safetensors", CompactNetwork(hand, (2, 2, 2), 8), hand, config={"loss": "l2"})
    with pytest.raises(CheckpointError, match="header without seed, beta, collision_per_m2, weights"):
        load_trained([str(tmp_path / "d.safetensors")])


def test_report_of_another_run_is_not_taken_for_this_one(tmp_path: Path, hand: Hand) -> None:
    (tmp_path / "report.json").write_text('{"weights": "runs/a.safetensors", "hours": 3}')
    own, other = load_trained(
        [save(tmp_path / f"{name}.safetensors", hand, loss=loss) for name, loss in PAIR]
    )
    assert own.notes["hours"] == 3
    assert "hours" not in other.notes


def test_impossible_amounts_are_named() -> None:
    with pytest.raises(ConfigError, match="rotations: 0 is out of range; valid: 1 to 10000"):
        Evaluation(rotations=0, refined=5)
