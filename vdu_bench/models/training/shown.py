"""What a base model is shown while it is trained: clean latents, and the captions that go with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from vdu_bench.data.captions import Captions
from vdu_bench.data.image_set import ImageSet
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.upload import upload

WHOLE = slice(None)


class TrainingData(ABC):
    """Images as a model takes them."""

    @abstractmethod
    def __len__(self) -> int:
        """How many images there are."""

    @abstractmethod
    def batch(self, index: Tensor, generator: torch.Generator, part: slice = WHOLE) -> tuple[Tensor, Tensor | None]:
        """Clean latents ``[M, *latent_shape]`` of a part of the images at `index`, and their condition.

        Args:
            index: int64 ``[N]``.
            generator: the step's own, on the CPU; what is drawn is drawn for all N.
            part: which M of them.
        """

    def parameters(self) -> Iterator[nn.Parameter]:
        """What learns beside the denoiser."""
        return iter(())


class Pixels(TrainingData):
    """Images for a model that takes pixels and no condition."""

    def __init__(self, model: UnconditionalDDPM, images: ImageSet) -> None:
        self._model, self._images = model, images.images.to(model.device)

    def __len__(self) -> int:
        return len(self._images)

    def batch(
        self,
        index: Tensor,
        generator: torch.Generator,  # noqa: ARG002
        part: slice = WHOLE,
    ) -> tuple[Tensor, None]:
        return self._model.encode(self._images[upload(index[part], self._images)]), None


class CaptionedLatents(TrainingData):
    """Images with captions, for a latent model whose text encoder learns as well.

    The autoencoder is frozen, so every image is encoded once, ahead of all.

    Args:
        model: its text encoder gets gradients from here on.
        images: images with attributes.
        captions: puts these into words, anew whenever an image is drawn.
        dropout: share of the images that are shown with the empty prompt instead of their caption.
    """

    def __init__(self, model: TextToImage, images: ImageSet, captions: Captions, dropout: float) -> None:
        self._model, self._captions, self._dropout = model, captions, dropout
        self._latents, self._concepts = model.encode(images.images), images.concepts
        model.text_encoder.requires_grad_(True).train()

    def __len__(self) -> int:
        return len(self._latents)

    def batch(self, index: Tensor, generator: torch.Generator, part: slice = WHOLE) -> tuple[Tensor, Tensor]:
        prompts = self._captions.drawn(self._concepts[index], generator)
        dropped = torch.rand(len(index), generator=generator) < self._dropout
        shown = ["" if drop else prompt for prompt, drop in zip(prompts, dropped.tolist(), strict=True)]
        return self._latents[upload(index[part], self._latents)], self._model.condition(shown[part])

    def parameters(self) -> Iterator[nn.Parameter]:
        return self._model.text_encoder.parameters()
