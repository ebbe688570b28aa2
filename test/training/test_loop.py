"""The training loop: it learns, repeats bit for bit, resumes to the same result, and names what cannot be."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh

from grasp_pose_net.exceptions import CheckpointError, ConfigError, GraspPoseNetError
from grasp_pose_net.hand import Hand
from grasp_pose_net.inference.network import load_network
from grasp_pose_net.shapes import SignedDistanceField, random_rotations, rotate_pose
from grasp_pose_net.synthesis.resumable import alone
from grasp_pose_net.training import Objects, Resources, TrainConfig, loop, make_objects, train, train_on
from grasp_pose_net.training.checkpoints import Run

SHORT = TrainConfig(
    options={"channels": [2, 2, 2], "hidden": 8}, steps=6, batch=2, validate_every=3, validation_rotations=1
)
HERE = Resources(device="cpu", checkpoint_s=0.0)


@pytest.fixture(autouse=True)
def quick_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "REPORT_ROTATIONS", 1)


@pytest.fixture
def sides(objects: Objects) -> dict[str, Objects]:
    return {"train": objects, "validation": objects, "test": objects}


def state_of(folder: Path) -> dict[str, Any]:
    """Everything that a run keeps, but how long it took."""
    state = torch.load(folder / "state.pt", weights_only=True)
    del state["seconds"]
    for row in state["history"]:
        for name in ("seconds", "waiting"):
            del row[name]
    return state


def assert_equal_bits(one: Path, two: Path) -> None:
    states = state_of(one), state_of(two)
    for part in ("network", "optimiser"):
        values = [state.pop(part) for state in states]
        torch.testing.assert_close(*[value.get("state", value) for value in values], rtol=0, atol=0)
    assert states[0] == states[1]
    assert (one / "best.safetensors").read_bytes() == (two / "best.safetensors").read_bytes()


@pytest.mark.parametrize("loss", ["l2", "consistency", "combined"])
def test_two_runs_are_equal_bit_for_bit(
    tmp_path: Path, sides: dict[str, Objects], hand: Hand, loss: str
) -> None:
    config = replace(SHORT, loss=loss, steps=3)
    one, two = (train_on(sides, tmp_path / name, hand, config, HERE) for name in ("one", "two"))
    assert one["figures"] == two["figures"]
    assert_equal_bits(tmp_path / "one", tmp_path / "two")


class Killed(BaseException):
    """What no code catches."""


def test_resumes_to_the_same_result(
    tmp_path: Path, sides: dict[str, Objects], hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_on(sides, tmp_path / "whole", hand, SHORT, HERE)
    real, taken = loop.step, []

    def counted(run: Run, *rest: Any) -> dict[str, torch.Tensor]:
        taken.append(run.step)
        if taken == [0, 1, 2, 3, 4]:  # in the middle of the second epoch: what came after step 3 is lost
            raise Killed
        return real(run, *rest)

    monkeypatch.setattr(loop, "step", counted)
    with pytest.raises(Killed):
        train_on(sides, tmp_path / "cut", hand, SHORT, HERE)
    torch.manual_seed(99)  # the state of the world is another one
    train_on(sides, tmp_path / "cut", hand, SHORT, HERE)
    assert taken == [0, 1, 2, 3, 4, 3, 4, 5]
    assert_equal_bits(tmp_path / "whole", tmp_path / "cut")


def test_a_time_limit_stops_with_a_checkpoint_to_go_on_from(
    tmp_path: Path, sides: dict[str, Objects], hand: Hand
) -> None:
    train_on(sides, tmp_path / "whole", hand, SHORT, HERE)
    hurry = Resources(device="cpu", limit_s=0.0, checkpoint_s=math.inf)
    reports = [train_on(sides, tmp_path / "parts", hand, SHORT, hurry) for _ in range(2)]
    assert [report["steps"] for report in reports] == [3, 6]
    assert_equal_bits(tmp_path / "whole", tmp_path / "parts")


def test_a_worker_makes_the_same_batches(tmp_path: Path, sides: dict[str, Objects], hand: Hand) -> None:
    config = replace(SHORT, steps=3)
    train_on(sides, tmp_path / "none", hand, config, HERE)
    report = train_on(sides, tmp_path / "one", hand, config, replace(HERE, workers=1))
    assert_equal_bits(tmp_path / "none", tmp_path / "one")
    assert 0 < report["waiting"] < 1


def test_seed_changes_the_result(tmp_path: Path, sides: dict[str, Objects], hand: Hand) -> None:
    one = train_on(sides, tmp_path / "0", hand, SHORT, HERE)
    two = train_on(sides, tmp_path / "1", hand, replace(SHORT, seed=1), HERE)
    assert one["figures"]["train"]["consistency"] != two["figures"]["train"]["consistency"]


def test_it_learns_and_keeps_the_best(tmp_path: Path, objects: Objects, hand: Hand) -> None:
    # one grasp of a ball from all sides: a network has only to settle for one of them
    turns = torch.from_numpy(random_rotations(300, rng=np.random.default_rng(0))).float()
    grasps = rotate_pose(objects.grasps[1, :1], turns).numpy()
    ball = make_objects([("made/ball", objects.field(1), grasps)], hand)
    sides = {"train": ball, "validation": ball, "test": ball}
    config = TrainConfig(steps=60, batch=4, validate_every=20, validation_rotations=1, loss="consistency")
    report = train_on(sides, tmp_path, hand, config, HERE)
    with (tmp_path / "curves.csv").open(newline="") as stream:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)]
    assert [row["step"] for row in rows] == [20, 40, 60]
    assert rows[-1]["train_consistency"] < 0.7 * rows[0]["train_consistency"]
    assert (tmp_path / "curves.png").stat().st_size > 5000
    assert json.loads((tmp_path / "report.json").read_text())["figures"] == report["figures"]
    network = load_network(str(tmp_path / "best.safetensors"), hand)
    assert not network.training


@pytest.mark.parametrize(("network", "precision"), [("compact", "bfloat16"), ("paper", "float32")])
def test_a_hand_of_eleven_numbers_learns_too(tmp_path: Path, network: str, precision: str) -> None:
    barrett = Hand.load("barrett")
    x = np.zeros((4, barrett.size), np.float32)
    x[:, 3], x[:, 7:] = 1.0, (barrett.lower + barrett.upper) / 2
    field = SignedDistanceField.from_mesh(trimesh.creation.box((0.05, 0.05, 0.1)), 16)
    objects = make_objects([("made/box", field, x)], barrett)
    options = SHORT.options if network == "compact" else {"channels": 2, "hidden": [8, 8, 8]}
    config = replace(
        SHORT, network=network, options=options, precision=precision, steps=30, learning_rate=0.01
    )
    report = train_on({"train": objects, "validation": objects.first(0)}, tmp_path, barrett, config, HERE)
    rows = state_of(tmp_path)["history"]
    assert rows[-1]["validation_consistency"] < 0.8 * rows[0]["validation_consistency"]
    answer = load_network(report["weights"], barrett)(torch.zeros(1, 64, 64, 64))
    assert answer.shape == (1, 11)
    assert answer.dtype == torch.float32


def test_begins_with_given_weights(tmp_path: Path, sides: dict[str, Objects], hand: Hand) -> None:
    first = train_on(sides, tmp_path / "first", hand, replace(SHORT, steps=1), HERE)
    still = replace(SHORT, steps=1, start=first["weights"], learning_rate=1e-12)
    train_on(sides, tmp_path / "second", hand, still, HERE)
    for folder in ("first", "second"):
        network = load_network(str(tmp_path / folder / "best.safetensors"), hand)
        torch.testing.assert_close(
            dict(network.named_parameters()), dict(load_network(first["weights"], hand).named_parameters())
        )
    with pytest.raises(CheckpointError, match="begin with architecture 'paper', found 'compact'"):
        train_on(sides, tmp_path / "third", hand, replace(still, network="paper"), HERE)


def test_fewer_training_objects(tmp_path: Path, sides: dict[str, Objects], hand: Hand) -> None:
    report = train_on(sides, tmp_path, hand, replace(SHORT, steps=1, objects=1), HERE)
    assert report["objects"] == {"train": 1, "validation": 2, "test": 2}


def test_another_configuration_in_the_same_folder_is_refused(
    tmp_path: Path, sides: dict[str, Objects], hand: Hand
) -> None:
    train_on(sides, tmp_path, hand, replace(SHORT, steps=3), HERE)
    with pytest.raises(CheckpointError, match=r"asked to go on with seed=5, found a run with seed=0"):
        train_on(sides, tmp_path, hand, replace(SHORT, steps=3, seed=5), HERE)


def test_two_trainings_in_one_folder_are_refused_by_name(
    tmp_path: Path, write_dataset: Callable[..., Path]
) -> None:
    with alone(tmp_path / "run", "training"), pytest.raises(GraspPoseNetError) as refused:
        train(write_dataset(["shop/can"]), tmp_path, tmp_path / "run")
    assert str(refused.value) == f"{tmp_path / 'run'}: another training is at work on it; wait for its end"
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["lock"]


@pytest.mark.parametrize("broken", [b"", b"no pickle", None])
def test_a_broken_state_is_refused_by_name(
    tmp_path: Path, sides: dict[str, Objects], hand: Hand, broken: bytes | None
) -> None:
    train_on(sides, tmp_path, hand, SHORT, HERE)
    state = tmp_path / "state.pt"
    state.write_bytes(state.read_bytes()[:-1000] if broken is None else broken)
    with pytest.raises(
        CheckpointError, match=r"state\.pt: cannot go on from it \(.*\); use another --out"
    ) as refused:
        train_on(sides, tmp_path, hand, SHORT, HERE)
    assert "\n" not in str(refused.value)


def test_the_papers_settings_are_the_defaults() -> None:
    config = TrainConfig(network="paper")
    assert (config.learning_rate, config.batch, config.beta) == (0.001, 16, 0.75)


def test_impossible_configurations_are_named(tmp_path: Path, sides: dict[str, Objects], hand: Hand) -> None:
    with pytest.raises(ConfigError, match="loss is 'hinge'; valid: l2, consistency, combined"):
        TrainConfig(loss="hinge")
    with pytest.raises(ConfigError, match="precision is 'int8'; valid: float32, bfloat16"):
        TrainConfig(precision="int8")
    with pytest.raises(ConfigError, match=r"beta: 1\.5 is out of range; valid: 0 to 1"):
        TrainConfig(beta=1.5)
    with pytest.raises(ConfigError, match="steps: 0 is out of range; valid: at least 1"):
        TrainConfig(steps=0)
    with pytest.raises(ConfigError, match="device: expected auto, cpu or an existing cuda, got 'abacus'"):
        train_on(sides, tmp_path, hand, SHORT, Resources(device="abacus"))
