"""The training loop: it learns, repeats bit for bit, resumes to the same result, and names what cannot be."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from grasp_pose_net.exceptions import CheckpointError, ConfigError
from grasp_pose_net.hand import Hand
from grasp_pose_net.inference.network import load_network
from grasp_pose_net.shapes import random_rotations, rotate_pose
from grasp_pose_net.training import Objects, TrainConfig, make_objects, train_on

SHORT = TrainConfig(steps=3, batch=4, validate_every=2, validation_rotations=1)


@pytest.fixture
def sides(objects: Objects) -> dict[str, Objects]:
    return {"train": objects, "validation": objects, "test": objects}


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "state.pt", weights_only=True)["network"]


@pytest.mark.parametrize("loss", ["l2", "consistency", "combined"])
def test_two_runs_are_equal_bit_for_bit(
    tmp_path: Path, sides: dict[str, Objects], hand: Hand, loss: str
) -> None:
    config = replace(SHORT, loss=loss)
    one, two = (train_on(sides, tmp_path / name, hand, config) for name in ("one", "two"))
    assert one["figures"] == two["figures"]
    for name, value in weights_of(tmp_path / "one").items():
        torch.testing.assert_close(value, weights_of(tmp_path / "two")[name], rtol=0, atol=0)


def test_resumes_to_the_same_result(
    tmp_path: Path, sides: dict[str, Objects], hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_on(sides, tmp_path / "whole", hand, SHORT)
    from grasp_pose_net.training import loop

    real = loop.step

    def killed_after_two(run: loop.Run, *rest: object) -> dict[str, float]:
        if run.step == 2:
            raise KeyboardInterrupt
        return real(run, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "step", killed_after_two)
    with pytest.raises(KeyboardInterrupt):
        train_on(sides, tmp_path / "cut", hand, SHORT)
    monkeypatch.setattr(loop, "step", real)
    train_on(sides, tmp_path / "cut", hand, SHORT)
    for name, value in weights_of(tmp_path / "whole").items():
        torch.testing.assert_close(value, weights_of(tmp_path / "cut")[name], rtol=0, atol=0)


def test_seed_changes_the_result(tmp_path: Path, sides: dict[str, Objects], hand: Hand) -> None:
    one = train_on(sides, tmp_path / "0", hand, SHORT)
    two = train_on(sides, tmp_path / "1", hand, replace(SHORT, seed=1))
    assert one["figures"]["train"]["consistency"] != two["figures"]["train"]["consistency"]


def test_it_learns_and_keeps_the_best(tmp_path: Path, objects: Objects, hand: Hand) -> None:
    # one grasp of a ball from all sides: a network has only to settle for one of them
    turns = torch.from_numpy(random_rotations(300, rng=np.random.default_rng(0))).float()
    grasps = rotate_pose(objects.grasps[1, :1], turns).numpy()
    ball = make_objects([("made/ball", objects.fields[1], grasps)], hand)
    sides = {"train": ball, "validation": ball, "test": ball}
    config = TrainConfig(steps=60, batch=4, validate_every=20, validation_rotations=1, loss="consistency")
    report = train_on(sides, tmp_path, hand, config)
    with (tmp_path / "curves.csv").open(newline="") as stream:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)]
    assert [row["step"] for row in rows] == [20, 40, 60]
    assert rows[-1]["train_consistency"] < 0.7 * rows[0]["train_consistency"]
    assert (tmp_path / "curves.png").stat().st_size > 5000
    assert json.loads((tmp_path / "report.json").read_text())["figures"] == report["figures"]
    network = load_network(str(tmp_path / "best.safetensors"), hand)
    assert not network.training


def test_another_configuration_in_the_same_folder_is_refused(
    tmp_path: Path, sides: dict[str, Objects], hand: Hand
) -> None:
    train_on(sides, tmp_path, hand, SHORT)
    with pytest.raises(CheckpointError, match=r"asked to go on with seed=5, found a run with seed=0"):
        train_on(sides, tmp_path, hand, replace(SHORT, seed=5))


def test_impossible_configurations_are_named() -> None:
    with pytest.raises(ConfigError, match="loss: expected one of l2, consistency, combined, got 'hinge'"):
        TrainConfig(loss="hinge")
    with pytest.raises(ConfigError, match=r"beta: expected 0 to 1, got 1\.5"):
        TrainConfig(beta=1.5)
    with pytest.raises(ConfigError, match="steps: expected at least 1, got 0"):
        TrainConfig(steps=0)
