"""The stream of batches of a run; what is in a batch depends on the seed and the number of its step alone.

So nothing has to be kept to go on after a stop, and any number of workers makes the same batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numba
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from grasp_pose_net.training.data import Objects, TrainingBatch, draw_batch

AHEAD = 4  # batches that each worker has ready


@dataclass(frozen=True)
class Draws(Dataset[TrainingBatch]):
    """The batch of every step.

    Attributes:
        objects: to draw from.
        batch: grids of the joint batch.
        part: of it that is wanted.
        seed: of the run.
        paper_share: share of grids under the paper's rotations.
    """

    objects: Objects
    batch: int
    part: slice
    seed: int
    paper_share: float

    def __getitem__(self, step: int) -> TrainingBatch:
        """Batch of a step."""
        rng = np.random.default_rng([self.seed, step])
        return draw_batch(self.objects, self.batch, rng=rng, paper_share=self.paper_share, part=self.part)


def stream(draws: Draws, steps: range, workers: int) -> Iterator[TrainingBatch]:
    """Batches of some steps in order, made ahead by worker processes, or here and now without any."""
    if workers == 0:
        return map(draws.__getitem__, steps)
    loader = DataLoader(
        draws,
        batch_size=None,
        sampler=steps,
        num_workers=workers,
        prefetch_factor=AHEAD,
        multiprocessing_context="spawn",  # threads of numba and torch do not survive a fork
        worker_init_fn=_one_thread,
        generator=torch.Generator(),  # else the loader takes a seed from the global one
    )
    return iter(loader)


def _one_thread(_: int) -> None:
    numba.set_num_threads(1)
