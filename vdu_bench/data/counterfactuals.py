"""Counterfactual pairs: the same image without and with one attribute."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vdu_bench.data.image_set import ImageSet


@dataclass(frozen=True)
class CounterfactualPairs:
    """The same images twice: once without an attribute and once with it, all else equal.

    Attributes:
        attribute: what is toggled.
        names: the K concept names, in column order.
        without: uint8 ``[N, C, H, W]``.
        with_: uint8 ``[N, C, H, W]``; ``with_[i]`` is the same as ``without[i]``.
        concepts_without: bool ``[N, K]``, False in the attribute's column.
        concepts_with: bool ``[N, K]``, True in the attribute's column and elsewhere equal to `concepts_without`.
    """

    attribute: str
    names: tuple[str, ...]
    without: Tensor
    with_: Tensor
    concepts_without: Tensor
    concepts_with: Tensor

    def __post_init__(self) -> None:
        if self.without.shape != self.with_.shape:
            raise ValueError(f"the halves differ in shape: {list(self.without.shape)}, {list(self.with_.shape)}")
        toggled = self.concepts_without ^ self.concepts_with
        expected = torch.zeros_like(toggled)
        expected[:, self.names.index(self.attribute)] = True
        if not torch.equal(toggled, expected) or not bool(self.concepts_with[expected].all()):
            raise ValueError(f"the pairs must differ in {self.attribute!r} and in nothing else")

    def __len__(self) -> int:
        return len(self.without)

    def digest(self) -> str:
        """sha256 over both halves' pixels and concepts."""
        images = torch.cat([self.without, self.with_])
        return ImageSet(images, torch.cat([self.concepts_without, self.concepts_with]), self.names).digest()
