"""The command `train` from dataset file to weights with a card."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from grasp_pose_net.hand import Hand
from grasp_pose_net.inference.network import load_network
from grasp_pose_net.training import TrainConfig, loop, train
from grasp_pose_net.training.card import licences_of


def test_train_leaves_weights_and_a_card(
    tmp_path: Path, hand: Hand, write_dataset: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "REPORT_ROTATIONS", 1)
    dataset = write_dataset([f"made/thing_{i}" for i in range(15)])
    (tmp_path / "meshes" / "index.csv").write_text("source,name,licence\nmade,thing_0,free for all\n")
    report = train(dataset, tmp_path / "meshes", tmp_path / "run", config=TrainConfig(steps=2, seed=4))
    assert report["objects"]["train"] + report["objects"]["validation"] + report["objects"]["test"] == 15
    assert json.loads((tmp_path / "run" / "report.json").read_text()) == report
    card = (tmp_path / "run" / "card.md").read_text()
    assert "- made: 15 objects; free for all" in card
    assert "--network compact --loss combined --steps 2 --seed 4" in card
    consistency = report["figures"]["test"]["consistency"]
    assert f"| test | {report['figures']['test']['l2']:.4g} | {consistency:.4g} |" in card
    load_network(report["weights"], hand)


def test_licence_without_an_index(tmp_path: Path) -> None:
    assert licences_of(tmp_path, ["a/x", "b/y", "a/z"]) == [
        "a: 2 objects; licence not known",
        "b: 1 objects; licence not known",
    ]
