"""Labelled images in memory: what every source gives and everything else takes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ImageSet:
    """Images with the concepts that each of them shows.

    Attributes:
        images: uint8 ``[N, C, H, W]``, values 0..255.
        concepts: bool ``[N, K]``; ``concepts[i, k]`` says that image `i` shows concept `k`. For a data set of
            classes exactly one is set in each row; for attributes any number.
        names: the K concept names, in column order.
    """

    images: Tensor
    concepts: Tensor
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.dim() != 4:
            raise ValueError(f"images must be uint8 [N, C, H, W], not {self.images.dtype} {list(self.images.shape)}")
        expected = (len(self.images), len(self.names))
        if self.concepts.dtype != torch.bool or tuple(self.concepts.shape) != expected:
            raise ValueError(f"concepts must be bool {list(expected)}, not {list(self.concepts.shape)}")

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    def of_classes(cls, images: Tensor, labels: Tensor, names: Sequence[str]) -> ImageSet:
        """From class labels: int64 ``[N]`` in 0..K-1."""
        concepts = torch.nn.functional.one_hot(labels.long(), len(names)).bool()
        return cls(images, concepts, tuple(names))

    def shows(self, name: str) -> Tensor:
        """bool ``[N]``: which images show the concept. Raises KeyError for an unknown name."""
        if name not in self.names:
            raise KeyError(name)
        return self.concepts[:, self.names.index(name)]

    @property
    def exclusive(self) -> bool:
        """Whether every image shows exactly one concept: these are classes then, and not attributes."""
        return bool((self.concepts.sum(1) == 1).all())

    def labels(self) -> Tensor:
        """int64 ``[N]`` class labels. Raises ValueError where an image shows none or several concepts."""
        if not self.exclusive:
            raise ValueError("these images carry attributes, not classes")
        return self.concepts.long().argmax(1)

    def subset(self, index: Tensor) -> ImageSet:
        """The images at `index` (bool mask or int64 positions)."""
        return ImageSet(self.images[index], self.concepts[index], self.names)

    def digest(self) -> str:
        """sha256 over pixels, concepts and names: equal exactly when the data are."""
        digest = hashlib.sha256()
        digest.update(repr((tuple(self.images.shape), self.names)).encode())
        # Flat views and no bytes objects, which would be the images in memory once more.
        digest.update(self.images.contiguous().flatten().numpy().data)
        digest.update(self.concepts.contiguous().flatten().numpy().data)
        return digest.hexdigest()
