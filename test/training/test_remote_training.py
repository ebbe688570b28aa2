"""The script for a GPU machine, at small size on the CPU: prepare, train in parts, shrink, train on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from grasp_pose_net.commands.study import remote_training
from grasp_pose_net.hand import Hand
from grasp_pose_net.inference.network import PaperNetwork, load_network, network_header
from grasp_pose_net.training import load_prepared, loop
from grasp_pose_net.training.prepared import fingerprint

SMALL = json.dumps({"channels": 2, "hidden": [16, 12, 8]})


def test_from_dataset_to_low_rank_weights(
    tmp_path: Path,
    hand: Hand,
    write_dataset: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "REPORT_ROTATIONS", 1)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> str:
        result = CliRunner().invoke(remote_training.app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    dataset = write_dataset([f"made/thing_{i}" for i in range(8)])
    call("prepare", "--dataset", str(dataset), "--meshes", "meshes", "--out", "p.npz")
    sides = load_prepared(Path("p.npz"), hand)
    assert len(sides["train"]) > 0
    assert len(sides["test"]) == 0

    quick = ("--epoch", "2", "--batch", "2", "--precision", "float32")
    part = ("train", "--data", "p.npz", "--out", "run", "--options", SMALL, "--steps", "4", *quick)
    assert "2 of 4 steps" in call(*part, "--minutes", "0")
    assert "4 of 4 steps" in call(*part)
    header = network_header("run/best.safetensors")
    assert header["dataset"] == fingerprint(dataset)
    assert header["objects"] == {
        "train": len(sides["train"]),
        "validation": len(sides["validation"]),
        "test": 0,
    }
    call("shrink", "--weights", "run/best.safetensors", "--rank", "4", "--out", "thin.safetensors")
    thin = load_network("thin.safetensors", hand)
    assert isinstance(thin, PaperNetwork)
    assert network_header("thin.safetensors")["dataset"] == header["dataset"]
    assert thin.options == {"channels": 2, "hidden": [16, 12, 8], "rank": 4}
    call("train", "--data", "p.npz", "--out", "again", "--start", "thin.safetensors", "--steps", "2", *quick)
    tuned = load_network("again/best.safetensors", hand)
    assert isinstance(tuned, PaperNetwork)
    assert tuned.options == thin.options
