"""A stratified split for data sets that come without one."""

from __future__ import annotations

import torch
from torch import Tensor

from vdu_bench.seeds import derive_seed


def stratified_split(labels: Tensor, held_out_per_class: int, seed: int) -> tuple[Tensor, Tensor]:
    """Positions of the training and of the held-out images, each ascending, int64.

    Args:
        labels: int64 ``[N]`` class labels.
        held_out_per_class: how many of each class are held out.
        seed: decides which.

    Raises:
        ValueError: a class has no more images than are to be held out.
    """
    generator = torch.Generator().manual_seed(derive_seed(seed, "split"))
    held_out = []
    for label in labels.unique():
        members = torch.nonzero(labels == label).flatten()
        if len(members) <= held_out_per_class:
            raise ValueError(f"class {int(label)} has {len(members)} images, {held_out_per_class} are to be held out")
        order = torch.randperm(len(members), generator=generator)
        held_out.append(members[order[:held_out_per_class]])
    mask = torch.zeros(len(labels), dtype=torch.bool)
    mask[torch.cat(held_out)] = True
    return torch.nonzero(~mask).flatten(), torch.nonzero(mask).flatten()
