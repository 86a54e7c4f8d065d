"""The training images that a method may draw, and what it gets of them: batches, counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vdu_bench.data.image_set import ImageSet
from vdu_bench.errors import UserError
from vdu_bench.methods.encoded import Encoded
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.training.batches import epoch_indices


@dataclass(frozen=True)
class Batch:
    """Training images as a model takes them.

    Attributes:
        x0: clean latents ``[N, *latent_shape]`` on the model's device.
        condition: the embedded captions, on the model's device; None for an unconditional model.
        captions: what the images show in words, N of them; None for an unconditional model.
        concepts: bool ``[N, K]`` on the CPU; which concepts each image shows, in the order of the context's `names`.
    """

    x0: Tensor
    condition: Tensor | None
    captions: list[str] | None
    concepts: Tensor


class ImagePool:
    """Images that are drawn in epochs, each in an order of its own, with a note of which were ever drawn.

    Args:
        model: whose latents they become.
        images: the whole data set.
        index: which of them are in the pool, int64 positions.
        seed: of the epochs' orders.
        batch_of: makes a batch of clean latents and of the concepts that the images show, bool ``[N, K]``.
    """

    def __init__(
        self,
        model: DiffusionModel,
        images: ImageSet,
        index: Tensor,
        seed: int,
        batch_of: Callable[[Tensor, Tensor], Batch],
    ) -> None:
        self._images, self._index, self._seed, self._batch_of = images, index, seed, batch_of
        self._encoded = Encoded(model, images.images, index)
        self._drawn = torch.zeros(len(index), dtype=torch.bool)
        self._position = 0

    def __len__(self) -> int:
        return len(self._index)

    @property
    def distinct(self) -> int:
        """How many different images were drawn so far, in whichever way."""
        return int(self._drawn.sum())

    def batch(self, n: int) -> Batch:
        """The next `n` images; after the last one a new epoch begins. Raises UserError where there are none at all."""
        if not len(self):
            raise UserError("there are no such images in the data")
        index = epoch_indices(len(self), self._position, n, self._seed)
        self._position += n
        return self.take(index)

    def take(self, index: Tensor) -> Batch:
        """The images at `index`, int64 ``[N]`` in 0..len-1, whatever `batch` is at. Raises IndexError beyond these."""
        self._drawn[index] = True
        return self._batch_of(self._encoded(index), self._images.concepts[self._index[index]])

    def images(self, index: Tensor) -> ImageSet:
        """As `take`, but the images as they lie in the data, counted all the same."""
        self._drawn[index] = True
        return self._images.subset(self._index[index])
