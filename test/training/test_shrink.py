"""Low rank: exact where a matrix has that rank, as near as can be where it has not, and named where impossible."""

from __future__ import annotations

import pytest
import torch

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.hand import Hand
from grasp_pose_net.inference.network import PaperNetwork, load_network, make_network, save_network
from grasp_pose_net.training import low_rank


@pytest.fixture
def network(hand: Hand) -> PaperNetwork:
    made = make_network("paper", hand, seed=0, channels=2, hidden=(40, 30, 20))
    assert isinstance(made, PaperNetwork)
    return made.eval()


@pytest.fixture
def grids() -> torch.Tensor:
    return (torch.rand(2, 64, 64, 64, generator=torch.Generator().manual_seed(0)) < 0.2).to(torch.uint8)


def test_a_matrix_of_low_rank_loses_nothing(hand: Hand, network: PaperNetwork, grids: torch.Tensor) -> None:
    with torch.no_grad():
        for place in (0, 3, 6):
            weight = network.pose_part[place].weight
            u, s, vh = torch.linalg.svd(weight, full_matrices=False)
            weight.copy_((u[:, :5] * s[:5]) @ vh[:5])
    small = low_rank(network, hand, 5)
    torch.testing.assert_close(small(grids), network(grids), atol=1e-4, rtol=0)
    assert not small.training
    assert sum(p.numel() for p in small.parameters()) < 0.4 * sum(p.numel() for p in network.parameters())


def test_nearest_matrix_of_its_rank(hand: Hand, network: PaperNetwork) -> None:
    small, again = low_rank(network, hand, 8), low_rank(network, hand, 8)
    torch.testing.assert_close(small.state_dict(), again.state_dict(), rtol=0, atol=0)
    first, second = small.pose_part[0]
    weight = network.pose_part[0].weight
    error = (second.weight @ first.weight - weight).norm()
    best = torch.linalg.svdvals(weight)[8:].norm()
    assert best <= error < 1.01 * best


def test_ships_in_half_precision(tmp_path, hand: Hand, network: PaperNetwork, grids: torch.Tensor) -> None:
    small = low_rank(network, hand, 8)
    save_network(tmp_path / "small.safetensors", small, hand)
    weights = sum(value.numel() for value in small.state_dict().values())
    assert (tmp_path / "small.safetensors").stat().st_size < 2 * weights + 6000
    again = load_network(str(tmp_path / "small.safetensors"), hand)
    torch.testing.assert_close(again(grids), small(grids), atol=5e-3, rtol=0)


def test_what_cannot_be_factorised_is_named(hand: Hand, network: PaperNetwork) -> None:
    compact = make_network("compact", hand, seed=0)
    with pytest.raises(ConfigError, match=r"expected a paper network of full rank.*got CompactNetwork"):
        low_rank(compact, hand, 8)
    with pytest.raises(ConfigError, match=r"got PaperNetwork .*'rank': 8"):
        low_rank(low_rank(network, hand, 8), hand, 4)
