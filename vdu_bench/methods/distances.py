"""How far images are from each other."""

from __future__ import annotations

import torch
from torch import Tensor


def distances_between(x: Tensor, others: Tensor) -> Tensor:
    """Euclidean distances ``[N, M]`` of the rows of `x` ``[N, D]`` from those of `others` ``[M, D]``.

    On a GPU from the differences: torch's way for more than 25 rows is a matrix product, and in TF32 its error is as
    large as the distance of neighbours. On a CPU that product is float32 proper, and decides between neighbours that
    are equally far but for last bits: so it stays.
    """
    mode = "use_mm_for_euclid_dist_if_necessary" if x.device.type == "cpu" else "donot_use_mm_for_euclid_dist"
    return torch.cdist(x, others, compute_mode=mode)


def farthest(x0: Tensor, others: Tensor, share: float) -> Tensor:
    """Which `share` of `x0`, float ``[N, ...]``, are farthest from the nearest of `others`, ``[M, ...]``: int64."""
    distances = distances_between(x0.flatten(1), others.flatten(1)).min(1).values
    return distances.topk(max(1, round(share * len(x0)))).indices
