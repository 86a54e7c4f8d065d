"""What methods and probes have in common: draws of their own, and batches of real images as a model takes them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, Protocol

import torch
from torch import Tensor

from vdu_bench.data.captions import Captions
from vdu_bench.methods.encoded import Kept
from vdu_bench.methods.pools import Batch, ImagePool
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.upload import upload


class Wording(Protocol):
    """Draws a caption for each row of bool ``[N, K]``, the concepts that an image shows, by a CPU generator."""

    def drawn(self, concepts: Tensor, generator: torch.Generator) -> list[str]: ...


class Batches:
    """Makes batches of clean latents, with captions from a generator.

    It is an object of its own, since pools hold it. A pool that held the context, which holds the pool, would keep the
    model on its card until the garbage collector comes.

    Args:
        model: what the latents are of; it embeds the captions.
        captions: puts images into words; None for an unconditional model.
        generator: of the captions.
    """

    def __init__(self, model: DiffusionModel, captions: Wording | None, generator: torch.Generator) -> None:
        self._model, self.captions, self._generator = model, captions, generator
        self._embedded: Kept[str] = Kept()

    def __call__(self, x0: Tensor, concepts: Tensor) -> Batch:
        """A batch of clean latents and of the concepts that their images show, bool ``[N, K]``."""
        if self.captions is None:
            return Batch(x0, self._model.condition(None), None, concepts)
        captions = self.captions.drawn(concepts, self._generator)
        condition = self._embedded.of(captions, lambda: self._model.condition(captions))
        return Batch(x0, condition, captions, concepts)


class Draws(ABC):
    """Noise, times and captions from one generator.

    Args:
        model: on whose device and in whose latents everything is.
        seed: of the generator.
        captions: puts images into words, for a text-to-image model.
    """

    _forget: ImagePool
    _retain: ImagePool

    def __init__(self, model: DiffusionModel, seed: int, captions: Captions | None) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        """A CPU generator for draws of one's own; move what it gives to the model's device."""
        self._model, self._captions = model, captions
        self._batches = Batches(model, captions, self.generator)

    @property
    def forget(self) -> ImagePool:
        """The images that show the concept. Raises RegimeError (a method's) or ValueError (a probe's) if undeclared."""
        self._require("forget_images")
        return self._forget

    @property
    def retain(self) -> ImagePool:
        """The images that do not show it. Raises as `forget`."""
        self._require("retain_images")
        return self._retain

    @abstractmethod
    def _require(self, need: Literal["forget_images", "retain_images"]) -> None:
        """Raises an error where it was not declared or is not allowed."""

    def noise_like(self, x0: Tensor) -> Tensor:
        """Standard normal, shaped and placed as `x0`."""
        return upload(torch.randn(x0.shape, generator=self.generator), x0)

    def timesteps(self, n: int) -> Tensor:
        """Uniform training times, int64 ``[n]``, on the model's device."""
        t = torch.randint(self._model.train_timesteps, (n,), generator=self.generator)
        return upload(t, self._model.device)
