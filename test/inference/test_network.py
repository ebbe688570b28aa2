"""The networks: shapes, what they put out, and every way in which weights do not fit."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save, save_file

from grasp_pose_net.exceptions import CheckpointError
from grasp_pose_net.hand import Hand
from grasp_pose_net.inference.network import (
    CompactNetwork,
    PaperNetwork,
    add_notes,
    load_network,
    make_network,
    network_header,
    save_network,
)


@pytest.fixture(scope="module")
def hand() -> Hand:
    return Hand.load("shadow")


@pytest.fixture(scope="module")
def grids() -> torch.Tensor:
    return (torch.rand(3, 64, 64, 64, generator=torch.Generator().manual_seed(0)) < 0.2).to(torch.uint8)


def small_paper(hand: Hand) -> PaperNetwork:
    return PaperNetwork(hand, channels=2, hidden=(16, 12, 8)).eval()


def test_paper_network_has_the_papers_sizes(hand: Hand) -> None:
    with torch.device("meta"):
        network = PaperNetwork(hand)
    shapes = {name: tuple(value.shape) for name, value in network.named_parameters()}
    assert shapes["object_part.0.weight"] == (64, 1, 4, 4, 4)
    assert shapes["object_part.8.weight"] == (64, 64, 4, 4, 4)
    assert shapes["pose_part.0.weight"] == (21952, 21952)
    assert shapes["pose_part.1.weight"] == (21952,)
    assert shapes["pose_part.3.weight"] == (4096, 21952)
    assert shapes["pose_part.4.weight"] == (4096,)
    assert shapes["pose_part.6.weight"] == (1024, 4096)
    assert shapes["pose_part.8.weight"] == (25, 1024)


@pytest.mark.parametrize("kind", ["paper", "compact"])
def test_output_is_a_pose_vector(hand: Hand, grids: torch.Tensor, kind: str) -> None:
    network = small_paper(hand) if kind == "paper" else make_network("compact", hand, seed=0).eval()
    x = network(grids)
    assert x.shape == (3, 25)
    torch.testing.assert_close(x[:, 3:7].norm(dim=1), torch.ones(3))
    alone = torch.cat([network(grid[None]) for grid in grids])
    torch.testing.assert_close(x, alone, atol=1e-5, rtol=1e-5)


def test_compact_joints_stay_within_limits(hand: Hand, grids: torch.Tensor) -> None:
    network = CompactNetwork(hand).eval()
    with torch.no_grad():
        network.pose_part[-1].weight.mul_(1e4)  # wild answers
        joints = network(grids)[:, 7:]
    assert (joints >= torch.tensor(hand.lower).float() - 1e-6).all()
    assert (joints <= torch.tensor(hand.upper).float() + 1e-6).all()
    assert joints.std() > 0.1


def test_compact_weights_fit_into_20_mb(tmp_path: Path, hand: Hand) -> None:
    save_network(tmp_path / "n.safetensors", make_network("compact", hand, seed=0), hand)
    assert (tmp_path / "n.safetensors").stat().st_size < 20e6


def test_save_and_load_give_the_same_answers(tmp_path: Path, hand: Hand, grids: torch.Tensor) -> None:
    network = make_network("compact", hand, seed=1)
    network.train()
    network(grids)  # moves the running means of the batch normalisation
    save_network(tmp_path / "n.safetensors", network, hand, seed=1)
    again = load_network(str(tmp_path / "n.safetensors"), hand)
    assert not again.training
    torch.testing.assert_close(
        again(grids), network.eval()(grids), atol=2e-3, rtol=0
    )  # half precision in the file


def test_a_file_knows_the_sizes_of_its_network(tmp_path: Path, hand: Hand, grids: torch.Tensor) -> None:
    network = PaperNetwork(hand, channels=2, hidden=(16, 12, 8), rank=4).eval()
    save_network(tmp_path / "n.safetensors", network, hand)
    again = load_network(str(tmp_path / "n.safetensors"), hand)
    assert again.state_dict()["pose_part.0.0.weight"].shape == (4, 2 * 7**3)
    torch.testing.assert_close(again(grids), network(grids), atol=2e-3, rtol=0)


def test_low_rank_only_where_it_saves_weights(hand: Hand) -> None:
    with torch.device("meta"):
        thin = PaperNetwork(hand, rank=128)
        half = PaperNetwork(hand, rank=700)
    assert sum(value.numel() for value in thin.parameters()) < 11e6
    assert isinstance(half.pose_part[3], torch.nn.Sequential)
    assert isinstance(half.pose_part[6], torch.nn.Sequential)
    assert isinstance(
        PaperNetwork(hand, channels=2, hidden=(16, 12, 8), rank=7).pose_part[3], torch.nn.Linear
    )


def test_mixed_precision_gives_poses_in_single_precision(hand: Hand, grids: torch.Tensor) -> None:
    network = make_network("compact", hand, seed=0).eval()
    with torch.autocast("cpu", torch.bfloat16):
        half = network(grids)
    assert half.dtype == torch.float32
    assert not torch.equal(half, network(grids))
    torch.testing.assert_close(half, network(grids), atol=0.02, rtol=0)


def test_compact_answers_28_grids_in_time(hand: Hand) -> None:
    network, many = (
        make_network("compact", hand, seed=0).eval(),
        torch.ones(28, 64, 64, 64, dtype=torch.uint8),
    )
    with torch.inference_mode():
        network(many)
        began = time.process_time()  # of all threads: an upper bound on the time with two free cores
        network(many)
    assert time.process_time() - began < 0.25


def test_seed_decides_the_weights(hand: Hand) -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    one, same, other = (make_network("compact", hand, seed=seed).state_dict() for seed in (0, 0, 1))
    name = "object_part.0.weight"
    torch.testing.assert_close(one[name], same[name], rtol=0, atol=0)
    assert (one[name] != other[name]).any()
    assert torch.equal(torch.get_rng_state(), before)  # the caller's random numbers are left alone


def test_missing_network_is_named(hand: Hand) -> None:
    with pytest.raises(CheckpointError, match="no network 'nothing'"):
        load_network("nothing", hand)


def test_another_hand_is_named(tmp_path: Path, hand: Hand) -> None:
    path = tmp_path / "n.safetensors"
    save_network(path, make_network("compact", hand, seed=0), hand)
    other = SimpleNamespace(name="barrett", size=11)
    with pytest.raises(
        CheckpointError, match=r"asked for hand 'barrett' \(x of 11\), found weights for hand 'shadow'"
    ):
        load_network(str(path), other)  # type: ignore[arg-type]


def rewritten(path: Path, header: dict | None, **changes: torch.Tensor) -> str:
    metadata = None if header is None else {"grasp_pose_net": json.dumps(header)}
    save_file(load_file(path) | changes, path, metadata=metadata)
    return str(path)


def test_other_architectures_and_strange_files_are_named(tmp_path: Path, hand: Hand) -> None:
    path = tmp_path / "n.safetensors"
    save_network(path, make_network("compact", hand, seed=0), hand)
    header = {"hand": "shadow", "architecture": "transformer", "pose_size": 25}
    with pytest.raises(
        CheckpointError, match="asked for one of the architectures paper, compact, found 'transformer'"
    ):
        load_network(rewritten(path, header), hand)
    header["architecture"] = "compact"
    wrong = {"object_part.0.weight": torch.zeros(3, 1, 5, 5, 5)}
    with pytest.raises(CheckpointError, match="asked for weights of architecture 'compact', found others"):
        load_network(rewritten(path, header, **wrong), hand)
    with pytest.raises(CheckpointError, match="found none of its header"):
        load_network(rewritten(path, None), hand)
    path.write_text("dear reader")
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_network(str(path), hand)


def written(
    path: Path, hand: Hand, change: Callable[[dict[str, Any], dict[str, torch.Tensor]], None]
) -> Path:
    """Weights of a small network, their header or tensors changed."""
    network = CompactNetwork(hand, (2, 2, 2), hidden=4)
    header = {
        "hand": hand.name,
        "architecture": "compact",
        "pose_size": hand.size,
        "options": network.options,
    }
    tensors = {name: value.clone() for name, value in network.state_dict().items()}
    change(header, tensors)
    text = header.get("text", json.dumps(header))
    path.write_bytes(save(tensors, metadata={"grasp_pose_net": text}))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h, t: h.update(text="no json"), "its header is not valid JSON"),
        (lambda h, t: h.update(text="[1, 2]"), "its header: expected a JSON object, found list"),
        (lambda h, t: h.update(text="[" * 100000), "its header is not valid JSON: nested too deeply"),
        (
            lambda h, t: h.update(architecture=["compact"]),
            r"header says architecture \['compact'\], expected str",
        ),
        (lambda h, t: h.update(options=[1]), r"header says options \[1\], expected dict"),
        (
            lambda h, t: h.update(options={"hidden": 10**12}),
            "option 'hidden' is 1000000000000, expected up to 8",
        ),
        (
            lambda h, t: h.update(options={"hidden": -3}),
            "option 'hidden' is -3, expected up to 8 numbers of 1 to",
        ),
        (
            lambda h, t: h.update(options={"channels": [2] * 2000}),
            r"option 'channels' is \[2, 2.*, expected up to 8",
        ),
        (
            lambda h, t: h.update(options={"evil": 1}),
            "asked for weights of architecture 'compact', found others",
        ),
        (
            lambda h, t: t["pose_part.0.weight"].fill_(torch.nan),
            "weights 'pose_part.0.weight' are not all finite",
        ),
        (
            lambda h, t: t["object_part.1.running_var"].neg_(),
            "variances 'object_part.1.running_var' are below 0",
        ),
        (lambda h, t: t.pop("pose_part.0.weight"), "found others: .*Missing key"),
    ],
)
def test_what_no_network_has_is_named(
    tmp_path: Path,
    hand: Hand,
    change: Callable[[dict[str, Any], dict[str, torch.Tensor]], None],
    message: str,
) -> None:
    file = written(tmp_path / "a.safetensors", hand, change)
    with pytest.raises(CheckpointError, match=message) as refused:
        load_network(str(file), hand)
    assert str(file) in str(refused.value) and "\n" not in str(refused.value)


def test_cut_files_and_pipes_are_named(tmp_path: Path, hand: Hand) -> None:
    file = written(tmp_path / "a.safetensors", hand, lambda header, tensors: None)
    assert load_network(str(file), hand) is not None
    data = file.read_bytes()
    for cut in (b"", data[:4], data[:100], data[: len(data) // 2], data[:-1], b"\xff" * 8 + data[8:]):
        file.write_bytes(cut)
        with pytest.raises(CheckpointError, match=r"a\.safetensors: not a safetensors file"):
            load_network(str(file), hand)
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(CheckpointError, match="it is no ordinary file"):
        load_network(str(tmp_path / "pipe.safetensors"), hand)


def test_unknown_architecture_and_wrong_grids_are_named(hand: Hand) -> None:
    with pytest.raises(CheckpointError, match="no architecture 'big'; there are: paper, compact"):
        make_network("big", hand, seed=0)
    with pytest.raises(ValueError, match=r"expected \(B, 64, 64, 64\), got \(2, 32, 32, 32\)"):
        small_paper(hand)(torch.zeros(2, 32, 32, 32))


def test_header_tells_what_the_weights_are_for(hand: Hand, tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    save_network(file, make_network("compact", hand, seed=0), hand, config={"loss": "l2"})
    assert network_header(str(file)) == {
        "hand": "shadow",
        "architecture": "compact",
        "options": {"channels": [16, 32, 64], "hidden": 1024},
        "pose_size": 25,
        "config": {"loss": "l2"},
    }
    before = load_file(file)
    add_notes(file, hours=2.5, config={"loss": "combined"})
    header = network_header(str(file))
    assert (header["hours"], header["config"], header["hand"]) == (2.5, {"loss": "combined"}, "shadow")
    for name, value in load_file(file).items():
        torch.testing.assert_close(value, before[name], atol=0, rtol=0)
    with pytest.raises(CheckpointError, match="no network 'nothing_of_this_name'"):
        network_header("nothing_of_this_name")
