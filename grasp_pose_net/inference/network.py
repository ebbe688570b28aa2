"""The networks f(o) = x (Liu et al., 2019): from an occupancy grid to a pose vector, and their weights in files.

Every network takes grids (B, 64, 64, 64) and gives x (B, 7 + J): position [m], unit quaternion (w, x, y,
z), joint angles [rad], in the frame of the (possibly rotated) grid.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn
from torch.nn import functional

from grasp_pose_net.exceptions import CheckpointError, ConfigError
from grasp_pose_net.hand import Hand
from grasp_pose_net.models import network_file
from grasp_pose_net.shapes import GRID_CELLS
from grasp_pose_net.storage import whole

HEADER = "grasp_pose_net"  # key of the JSON text in the file's metadata
# the head of the compact network counts in hand's breadths, so that all outputs are of order 1
POSITION_UNIT_M = 0.1


class PaperNetwork(nn.Module):
    """The paper's network: 3 convolutions of 64 kernels of size 4, then layers of 21952, 4096 and 1024 neurons.

    The convolutions leave ω with 64 · 7³ = 21952 entries; the first layer is as wide, a square matrix of 482 million
    weights, which is 84 % of the network. Batch normalisation follows the convolutions and the first two layers, ReLU
    all of them; the last layer is linear. The quaternion is normalised; joints are as they come, as in the paper.

    In mixed precision the convolutions are the ones that are halved: they take most of the time, while poses need
    more digits than bfloat16 has (half a millimetre at 0.1 m).
    """

    def __init__(
        self,
        hand: Hand,
        channels: int = 64,
        hidden: Sequence[int] = (21952, 4096, 1024),
        rank: int | None = None,
    ) -> None:
        """Make an untrained network.

        Args:
            hand: whose pose vectors it puts out.
            channels: kernels of each convolution; fewer are for tests.
            hidden: neurons of the hidden layers.
            rank: of hidden layers' matrices where that makes them smaller; full without.
        """
        super().__init__()
        self.options: dict[str, Any] = {"channels": channels, "hidden": list(hidden), "rank": rank}
        layers: list[nn.Module] = []
        for before in (1, channels, channels):
            layers += [
                nn.Conv3d(before, channels, 4, padding=1),
                nn.BatchNorm3d(channels),
                nn.ReLU(),
                nn.MaxPool3d(2),
            ]
        self.object_part = nn.Sequential(*layers, nn.Flatten())
        layers = []
        for number, (before, after) in enumerate(pairwise([channels * 7**3, *hidden])):
            normalised = [nn.BatchNorm1d(after)] if number < 2 else []
            layers += [_layer(before, after, rank), *normalised, nn.ReLU()]
        self.pose_part = nn.Sequential(*layers, nn.Linear(hidden[-1], hand.size))

    def forward(self, grids: torch.Tensor) -> torch.Tensor:
        """Pose vectors (B, 7 + J) for grids (B, 64, 64, 64)."""
        _check(grids)
        return _poses(self, grids)


class CompactNetwork(nn.Module):
    """A network for two CPU cores: less than 1/500 of the arithmetic and 1/100 of the weights of the paper's.

    It differs in three ways. Cells are averaged in blocks of 2³ first: a grid of 32³ that still knows how
    full a block is. Convolutions have a stride instead of a maximum, which is what saves the time. The
    head counts positions in units of 0.1 m and squashes each joint into its limits: all grasps learned
    from are inside, and what comes out is a posture the hand can take.
    """

    def __init__(self, hand: Hand, channels: Sequence[int] = (16, 32, 64), hidden: int = 1024) -> None:
        """Make an untrained network; fewer channels and neurons are for tests."""
        super().__init__()
        self.options: dict[str, Any] = {"channels": list(channels), "hidden": hidden}
        layers: list[nn.Module] = []
        for before, after, size in zip((1, *channels), channels, (5, 3, 3), strict=False):
            convolution = nn.Conv3d(before, after, size, stride=2, padding=size // 2, bias=False)
            layers += [convolution, nn.BatchNorm3d(after), nn.ReLU()]
        self.object_part = nn.Sequential(*layers, nn.Flatten())
        self.pose_part = nn.Sequential(
            nn.Linear(channels[-1] * 4**3, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden // 2),
            nn.ReLU(),
            nn.Linear(hidden // 2, hand.size),
        )
        self.lower = nn.Buffer(torch.tensor(hand.lower, dtype=torch.float32))
        self.range = nn.Buffer(torch.tensor(hand.upper - hand.lower, dtype=torch.float32))

    def forward(self, grids: torch.Tensor) -> torch.Tensor:
        """Pose vectors (B, 7 + J) for grids (B, 64, 64, 64)."""
        x = _poses(self, block_means(grids))
        joints = self.lower + self.range * torch.sigmoid(x[:, 7:])
        return torch.cat([POSITION_UNIT_M * x[:, :3], x[:, 3:7], joints], dim=1)


ARCHITECTURES: dict[str, type[PaperNetwork] | type[CompactNetwork]] = {
    "paper": PaperNetwork,
    "compact": CompactNetwork,
}


def make_network(architecture: str, hand: Hand, *, seed: int, **options: Any) -> nn.Module:
    """Untrained network of an architecture, with weights that depend on the seed alone.

    Args:
        architecture: paper or compact.
        hand: the hand that it is for.
        seed: of the weights.
        options: of its class, such as `rank`.

    Raises:
        CheckpointError: there is no such architecture.
    """
    if architecture not in ARCHITECTURES:
        raise CheckpointError(f"no architecture {architecture!r}; there are: {', '.join(ARCHITECTURES)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ARCHITECTURES[architecture](hand, **options)


def save_network(path: Path, network: nn.Module, hand: Hand, **notes: Any) -> None:
    """Write weights in half precision, with a header that says what they are for; whole or not at all.

    Args:
        path: file to write, `.safetensors`.
        network: one of the architectures.
        hand: the hand it was trained for.
        notes: further entries of the header, such as losses or the seed; anything that JSON can hold.
    """
    architecture = next(name for name, kind in ARCHITECTURES.items() if isinstance(network, kind))
    header = {
        "hand": hand.name,
        "hand_hash": hand.fingerprint,
        "architecture": architecture,
        "options": network.options,
        "pose_size": hand.size,
        **notes,
    }
    _write(path, network.state_dict(), header)


def add_notes(path: Path, **notes: Any) -> None:
    """Add entries to the header of a weights file, such as what is known only at the end of a training.

    Args:
        path: file of `save_network`; afterwards the new one, whole, or still the old one.
        notes: entries that JSON can hold; they replace those of the same name.

    Raises:
        CheckpointError: the file is no weights of this package.
    """
    header, tensors = _read(path)
    _write(path, tensors, header | notes)


def _write(path: Path, weights: dict[str, torch.Tensor], header: dict[str, Any]) -> None:
    """Weights in half precision, and their header."""
    tensors = {
        name: (value.half() if value.is_floating_point() else value).detach().cpu().contiguous()
        for name, value in weights.items()
    }
    with whole(path) as unfinished:
        unfinished.write_bytes(save(tensors, metadata={HEADER: json.dumps(header)}))


def load_network(name: str, hand: Hand) -> nn.Module:
    """Trained network, ready to be asked (evaluation mode, single precision).

    Args:
        name: of a file in models/networks/, or a path to a `.safetensors` file.
        hand: the hand it is wanted for.

    Raises:
        CheckpointError: no such file, no weights of this package, or weights for another hand or
            architecture.
    """
    path = _file(name)
    header, tensors = _read(path)
    if reason := hand.mismatch(header["hand"], header.get("hand_hash")):
        raise CheckpointError(f"{path}: {reason}; name a network trained for this hand, train one, or ask for `sampled`")
    if header["architecture"] not in ARCHITECTURES:
        raise CheckpointError(
            f"{path}: asked for one of the architectures {', '.join(ARCHITECTURES)}, "
            f"found {header['architecture']!r}"
        )
    try:
        with torch.device("meta"):  # no memory and no random numbers for weights that are replaced at once
            network = ARCHITECTURES[header["architecture"]](hand, **header.get("options", {}))
        network.load_state_dict(tensors, assign=True)
    except (RuntimeError, TypeError) as error:
        raise CheckpointError(
            f"{path}: asked for weights of architecture {header['architecture']!r}, found others: {error}"
        ) from error
    return network.float().eval()


def network_header(name: str) -> dict[str, Any]:
    """What a weights file says about itself: "hand", "architecture", "pose_size", and the notes of `save_network`.

    Args:
        name: of a file in models/networks/, or a path to a `.safetensors` file.

    Raises:
        CheckpointError: no such file, or no weights of this package.
    """
    return _read(_file(name), weights=False)[0]


def _file(name: str) -> Path:
    try:
        return network_file(name)
    except ConfigError as error:
        raise CheckpointError(f"no network {name!r}: {error}; `grasp-pose-net train` makes one") from error


def _read(path: Path, *, weights: bool = True) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Header and weights of a file as they are in it, or the header alone."""
    try:
        with safe_open(path, framework="pt") as stream:
            header = json.loads((stream.metadata() or {}).get(HEADER, "{}"))
            tensors = {name: stream.get_tensor(name) for name in stream.keys()} if weights else {}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: not a safetensors file ({error})") from error
    missing = {"hand", "architecture", "pose_size"} - set(header)
    if missing:
        raise CheckpointError(
            f"{path}: asked for weights of grasp_pose_net, found none of its header ({missing})"
        )
    return header, tensors


def _layer(before: int, after: int, rank: int | None) -> nn.Module:
    """A linear layer, as two where a low rank saves weights."""
    if rank is None or rank * (before + after) >= before * after:
        return nn.Linear(before, after)
    return nn.Sequential(nn.Linear(before, rank, bias=False), nn.Linear(rank, after))


def block_means(grids: torch.Tensor) -> torch.Tensor:
    """Means (B, N / 2, N / 2, N / 2) float of blocks of 2³ cells of grids (B, N, N, N).

    Bytes are added as bytes, which takes an eighth of the time of average pooling on a CPU.
    """
    _check(grids)
    for axis in (1, 2, 3):
        pairs = grids.unflatten(axis, (-1, 2))
        grids = pairs.select(axis + 1, 0) + pairs.select(axis + 1, 1)
    return grids.float() / 8


def _poses(network: PaperNetwork | CompactNetwork, grids: torch.Tensor) -> torch.Tensor:
    """Output (B, 7 + J), quaternions of unit length; after the convolutions single precision stays, also in a mixed one."""
    omega = network.object_part(grids.float()[:, None])
    with torch.autocast(grids.device.type, enabled=False):
        x = network.pose_part(omega.float())
        return torch.cat([x[:, :3], functional.normalize(x[:, 3:7], dim=1), x[:, 7:]], dim=1)


def _check(grids: torch.Tensor) -> None:
    if grids.ndim != 4 or grids.shape[1:] != (GRID_CELLS,) * 3:
        raise ValueError(f"grids: expected (B, 64, 64, 64), got {tuple(grids.shape)}")
