"""Two processes with half a batch each against one with all of it: the same gradient, the same running statistics."""

from __future__ import annotations

import os
import socket
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.hand import Hand
from grasp_pose_net.training import Objects, Resources, TrainConfig, load_prepared, save_prepared, train_on
from grasp_pose_net.training.parallel import Team

CONFIG = TrainConfig(
    options={"channels": [2, 3, 4], "hidden": 8}, steps=2, batch=4, validate_every=1, validation_rotations=1
)
HERE = Resources(device="cpu", checkpoint_s=0.0, limit_s=0.0)  # one epoch, which is one step


def one_of_two(rank: int, folder: str, port: int) -> None:
    """What `torchrun` would start."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    warnings.simplefilter("error")
    hand, path = Hand.load("shadow"), Path(folder)
    sides = load_prepared(path / "p.npz", hand)
    report = train_on(sides, path / "two", hand, CONFIG, HERE)
    assert bool(report) == (rank == 0)
    # one that outlives the training wants the interpreter after its end, and aborts the process
    threads = [(thread / "comm").read_text().strip() for thread in Path("/proc/self/task").iterdir()]
    assert not [name for name in threads if "gloo" in name]


@pytest.mark.slow
def test_two_processes_have_the_gradient_of_one(tmp_path: Path, objects: Objects, hand: Hand) -> None:
    save_prepared(tmp_path / "p.npz", {"train": objects, "validation": objects}, hand)
    train_on(load_prepared(tmp_path / "p.npz", hand), tmp_path / "one", hand, CONFIG, HERE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(one_of_two, (str(tmp_path), port), nprocs=2)
    one, two = (torch.load(tmp_path / name / "state.pt", weights_only=True) for name in ("one", "two"))
    assert one["step"] == two["step"] == 1
    # Adam's first moment after one step is a tenth of the gradient
    moments = [[row["exp_avg"] for row in state["optimiser"]["state"].values()] for state in (one, two)]
    largest = max(float(moment.abs().max()) for moment in moments[0])
    for single, joint in zip(*moments, strict=True):
        torch.testing.assert_close(joint, single, rtol=1e-4, atol=1e-5 * largest)
    running = [name for name in one["network"] if "running" in name]
    assert running
    for name in running:
        torch.testing.assert_close(two["network"][name], one["network"][name], rtol=1e-4, atol=1e-6)
    assert two["history"][0]["train_combined"] == pytest.approx(one["history"][0]["train_combined"], rel=1e-4)


def test_a_batch_must_divide_equally() -> None:
    team = Team(1, 3, torch.device("cpu"))
    assert list(range(6))[team.part(6)] == [1, 4]
    with pytest.raises(ConfigError, match="batch: expected a multiple of the 3 processes, got 16"):
        team.part(replace(CONFIG, batch=16).batch)
