"""Which images lie near to others."""

from __future__ import annotations

import torch
from torch import Tensor


def farthest(x0: Tensor, others: Tensor, share: float) -> Tensor:
    """Which `share` of `x0`, float ``[N, ...]``, are farthest from the nearest of `others`, ``[M, ...]``: int64."""
    distances = torch.cdist(x0.flatten(1), others.flatten(1)).min(1).values
    return distances.topk(max(1, round(share * len(x0)))).indices
