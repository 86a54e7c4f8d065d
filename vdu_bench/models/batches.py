"""Batches and draws as functions of (seed, step): nothing to save, nothing to restore."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from vdu_bench.seeds import derive_seed


def step_generator(seed: int, step: int) -> torch.Generator:
    """The CPU generator of one training step."""
    return torch.Generator().manual_seed(derive_seed(seed, "step", step))


@lru_cache(maxsize=4)
def _epoch_order(n: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(derive_seed(seed, "epoch", epoch)))


def batch_indices(n: int, batch_size: int, seed: int, step: int) -> Tensor:
    """Positions of the images in the batch of `step` (from 0), int64 ``[batch_size]``.

    Every epoch has an order of its own, and batches run across its end, so none is smaller than the others.
    """
    positions = torch.arange(step * batch_size, (step + 1) * batch_size)
    epochs = positions // n
    parts = [
        _epoch_order(n, seed, epoch)[positions[epochs == epoch] - epoch * n]
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1)
    ]
    return torch.cat(parts)
