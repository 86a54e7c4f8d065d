"""A stratified split for data sets that come without one."""

from __future__ import annotations

from collections.abc import Mapping

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
    counts = dict.fromkeys(labels.unique().tolist(), held_out_per_class)
    for label in counts:
        if (members := int((labels == label).sum())) <= held_out_per_class:
            raise ValueError(f"class {label} has {members} images, {held_out_per_class} are to be held out")
    return _split(labels, counts, seed)


def split_by_share(labels: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """As `stratified_split`, with a share of each class held out: rounded, at least one image, and never all.

    Raises:
        ValueError: a class has one image alone; its second argument is the label.
    """
    counts = {}
    for label in labels.unique().tolist():
        members = int((labels == label).sum())
        if members < 2:
            raise ValueError("a class has one image alone", label)
        counts[label] = min(max(round(share * members), 1), members - 1)
    return _split(labels, counts, seed)


def _split(labels: Tensor, counts: Mapping[int, int], seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(derive_seed(seed, "split"))
    held_out = []
    for label, count in counts.items():
        members = torch.nonzero(labels == label).flatten()
        order = torch.randperm(len(members), generator=generator)
        held_out.append(members[order[:count]])
    mask = torch.zeros(len(labels), dtype=torch.bool)
    mask[torch.cat(held_out)] = True
    return torch.nonzero(~mask).flatten(), torch.nonzero(mask).flatten()
