"""Training on several processes at once (`torchrun`): each computes its part of one joint batch.

The gradient is that of the joint batch on one process: losses are means over equal parts, their gradients are averaged,
and batch normalisation takes its mean and variance over all parts.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

# Its functions have the group of all processes as a default. `DistributedDataParallel` imports it: after the group is
# made, that default would keep the group and its threads to the interpreter's end, where they abort the process.
import torch.distributed.nn  # noqa: F401
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.synthesis.resumable import alone


@dataclass(frozen=True)
class Team:
    """The processes that train together.

    Attributes:
        rank: number of this one; 0 writes the files.
        size: how many there are.
        device: on which this one computes.
    """

    rank: int
    size: int
    device: torch.device

    def part(self, batch: int) -> slice:
        """Which grids of the joint batch are this process's.

        Raises:
            ConfigError: the batch cannot be divided equally.
        """
        if batch % self.size:
            raise ConfigError(f"batch: expected a multiple of the {self.size} processes, got {batch}")
        return slice(self.rank, None, self.size)

    def joined(self, network: nn.Module) -> nn.Module:
        """The network to call in training: the same, or with gradients and batch statistics of the whole team."""
        if self.size == 1:
            return network
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.__class__ = JointBatchNorm  # the same parameters, so that checkpoints stay the same
        return DistributedDataParallel(network)

    def mean(self, values: list[float]) -> list[float]:
        """Means over the processes, the same for all."""
        if self.size == 1:
            return values
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(total)
        return (total / self.size).tolist()


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """The folder of a run for this run alone; of `torchrun`'s processes the first one has it for all.

    Raises:
        GraspPoseNetError: another training is at work in it, or it cannot be written.
    """
    first = int(os.environ.get("RANK", "0")) == 0
    with alone(out, "training") if first else nullcontext():
        yield


@contextmanager
def team(device: str) -> Iterator[Team]:
    """The team that `torchrun` started this process in, or this process alone.

    Args:
        device: cpu, cuda, or auto: cuda where there is one.

    Raises:
        ConfigError: the device is none of these, or not there.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise ConfigError(f"device: expected auto, cpu or an existing cuda, got {device!r}")
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Team(0, 1, torch.device(device))
        return
    distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        place = torch.device("cpu")
        if device == "cuda":
            place = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(place)
        yield Team(distributed.get_rank(), distributed.get_world_size(), place)
    finally:
        gc.collect()  # a network of the team holds the group, too
        distributed.destroy_process_group()


class _Sum(torch.autograd.Function):
    """Sum over the processes; every process's loss depends on it, so gradients are summed likewise."""

    @staticmethod
    def forward(ctx: Any, part: torch.Tensor) -> torch.Tensor:
        """Sum of the parts."""
        total = part.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        """Sum of the gradients."""
        return _Sum.apply(gradient)


class JointBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation over the parts of all processes; torch's own (SyncBatchNorm) needs a GPU."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise x (B, C, ...) by the mean and variance of every channel over the joint batch."""
        if not self.training:
            return super().forward(x)
        axes, shape = [0, *range(2, x.ndim)], (1, -1, *[1] * (x.ndim - 2))
        wide, size = x.float(), distributed.get_world_size()
        moments = torch.stack([wide.mean(axes), wide.square().mean(axes)])
        mean, square = _Sum.apply(moments) / size
        variance = square - mean.square()
        count, momentum = size * x.numel() // x.shape[1], self.momentum or 0.0
        with torch.no_grad():  # evaluation uses these; their variance is the unbiased one
            self.get_buffer("running_mean").lerp_(mean, momentum)
            self.get_buffer("running_var").lerp_(variance * count / (count - 1), momentum)
            self.get_buffer("num_batches_tracked").add_(1)
        scale = self.weight * (variance + self.eps).rsqrt()
        return (wide * scale.view(shape) + (self.bias - mean * scale).view(shape)).to(x.dtype)

    def _check_input_dim(self, input: torch.Tensor) -> None:
        """Any number of dimensions will do."""
