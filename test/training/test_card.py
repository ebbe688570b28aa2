"""The card of a network: what the command `train` leaves, licences, and what is not known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.hand import Hand
from grasp_pose_net.inference.network import load_network, network_header
from grasp_pose_net.training import TrainConfig, loop, train
from grasp_pose_net.training.card import licences_of, model_card


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
    assert "- made: 1 object; free for all\n- made: 14 objects; licence not known\n" in card
    assert "--network compact --loss combined --steps 2 --seed 4" in card
    test, learned = (report["figures"][side]["consistency"] for side in ("test", "train"))
    assert f"| L_consistency | {test:.4g} | {learned:.4g} |" in card
    load_network(report["weights"], hand)
    header = network_header(report["weights"])
    assert {name: header[name] for name in loop.NOTES} == {name: report[name] for name in loop.NOTES}
    assert header["dataset"]["sha256"] == hashlib.sha256(dataset.read_bytes()).hexdigest()


def test_card_says_what_was_not_recorded_and_how_much_worse_test_objects_are() -> None:
    figures = {"test": {"consistency": 3.0, "best_epsilon": 0.1}, "train": {"consistency": 2.0}}
    card = model_card(
        {
            "hand": "shadow",
            "config": asdict(TrainConfig(steps=7)),
            "sources": ["made: 1 object; free"],
            "figures": figures,
            "baseline": {"test": {"best_epsilon": 0.2}},
            "rotations": 28,
        }
    )
    assert "| L_consistency | 3 | 2 | 1.5 |  |" in card
    assert "| best ε of an object | 0.1 |  |  | 0.2 |" in card
    for line in (
        "- Command: `not recorded`; commit not recorded.",
        "- Objects: not recorded; grasps: not recorded.",
        "- Dataset: `not recorded`",
        "- not recorded hours on not recorded.",
        "batch 16, 7 steps, seed 0;",
    ):
        assert line in card


def test_licence_without_an_index(tmp_path: Path) -> None:
    assert licences_of(tmp_path, ["a/x", "b/y", "a/z"]) == [
        "a: 2 objects; licence not known",
        "b: 1 object; licence not known",
    ]


def test_licences_are_of_objects_and_from_the_table_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("source,name,licence\na,x,wrong\n")
    table = tmp_path / "mine.csv"
    table.write_text("name,source,licence\nx,a,free\ny,a,free\nz,a,bought\nx,b,other\n")
    assert licences_of(tmp_path, ["a/x", "a/y", "a/z", "b/w"], table) == [
        "a: 1 object; bought",
        "a: 2 objects; free",
        "b: 1 object; licence not known",
    ]


def test_tables_of_licences_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no.csv: asked for a table of licences, found no such file"):
        licences_of(tmp_path, ["a/x"], tmp_path / "no.csv")
    (tmp_path / "t.csv").write_text("source,licence\na,free\n")
    with pytest.raises(ConfigError, match="columns licence, name, source, found none called name"):
        licences_of(tmp_path, ["a/x"], tmp_path / "t.csv")
