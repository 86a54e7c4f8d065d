"""Batches and draws as functions of seed and position: nothing to save, nothing to restore."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from vdu_bench.seeds import derive_seed


def step_generator(seed: int, step: int) -> torch.Generator:
    """The CPU generator of one training step."""
    return torch.Generator().manual_seed(derive_seed(seed, "step", step))


@lru_cache(maxsize=8)
def _epoch_order(n: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(derive_seed(seed, "epoch", epoch)))


def epoch_indices(n: int, start: int, count: int, seed: int) -> Tensor:
    """Which of `n` images are the draws number `start` to ``start + count - 1``, int64 ``[count]``.

    Images are drawn in epochs, each in an order of its own, and batches run across an epoch's end, so that none is
    smaller than the others.
    """
    positions = torch.arange(start, start + count)
    epochs = positions // n
    parts = [
        _epoch_order(n, seed, epoch)[positions[epochs == epoch] - epoch * n]
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1)
    ]
    return torch.cat(parts)
