"""A trained paper network made small enough to ship: its wide layers as products of two thin ones."""

from __future__ import annotations

import torch
from torch import nn

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.hand import Hand
from grasp_pose_net.inference.network import PaperNetwork

SPARE = 16  # extra directions of the randomised decomposition, which the best ones are taken from
ROUNDS = 4  # of its power iteration


def low_rank(network: nn.Module, hand: Hand, rank: int, *, seed: int = 0) -> PaperNetwork:
    """The paper's network with hidden layers W ≈ (U √S) (√S Vᵀ) of a rank, from their singular values.

    At rank 128 the network has 11 instead of 576 million weights, 22 MB in half precision. It is the best of its rank for
    the matrices, not for the grasps: training it on for some steps makes up for most of what was lost.

    Args:
        network: trained, of full rank.
        hand: it was trained for.
        rank: of the hidden layers.
        seed: of the randomised decomposition, which is fast where an exact one takes hours.

    Raises:
        ConfigError: the network is no paper network of full rank, or the rank is below 1.
    """
    if not isinstance(network, PaperNetwork) or network.options["rank"] is not None or rank < 1:
        found = f"{type(network).__name__} {getattr(network, 'options', '')}"
        raise ConfigError(
            f"low rank: expected a paper network of full rank and rank >= 1, got {found}, {rank}"
        )
    device = next(network.parameters()).device
    small = PaperNetwork(hand, **(network.options | {"rank": rank})).to(device)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(seed)
        for layer, thin in zip(network.pose_part, small.pose_part, strict=True):
            if isinstance(layer, nn.Linear) and isinstance(thin, nn.Sequential):
                _factorise(layer, *thin)
            else:
                thin.load_state_dict(layer.state_dict())
    small.object_part.load_state_dict(network.object_part.state_dict())
    return small.train(network.training)


def _factorise(layer: nn.Linear, first: nn.Linear, second: nn.Linear) -> None:
    """Write the layer of the nearest matrix of low rank into two layers, singular values shared between both."""
    rank, most = first.out_features, min(layer.weight.shape)
    u, s, v = torch.svd_lowrank(layer.weight, q=min(rank + SPARE, most), niter=ROUNDS)
    root = s[:rank].sqrt()
    first.weight.copy_((v[:, :rank] * root).T)
    second.weight.copy_(u[:, :rank] * root)
    second.bias.copy_(layer.bias)
