"""What a model makes of images and prompts, kept on its device: nothing is encoded twice."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor

from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.upload import upload

Key = TypeVar("Key", bound=Hashable)

KEPT_BYTES = 2**30
"""How much of one kind is kept; beyond that the oldest go."""


class Kept(Generic[Key]):
    """Tensors by what they were made of.

    Args:
        limit: bytes.
    """

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self._limit, self._known = limit, dict[Key, Tensor]()

    def of(self, keys: Sequence[Key], make: Callable[[], Tensor | None]) -> Tensor | None:
        """The tensors of `keys`, ``[N, ...]``.

        Args:
            keys: what they are made of.
            make: makes all of them, and is called unless each is known: an encoder's bits may depend on how many it is
                given, so that parts of a batch are not made alone. What has a gradient is not kept; None is None.
        """
        if keys and all(key in self._known for key in keys):
            return torch.stack([self._known[key] for key in keys])
        made = make()
        if made is not None and len(made) and not made.requires_grad:
            for key, one in zip(keys, made.unbind(), strict=True):
                if key not in self._known:
                    # Its own memory, and not a part of the batch's.
                    self._known[key] = one.clone()
            size = made[0].nbytes
            while len(self._known) * size > self._limit:
                del self._known[next(iter(self._known))]
        return made


class Encoded:
    """Some of a data set's images as clean latents.

    Where latents are pixels, to make them costs nothing, and the images are kept on the model's device as they are,
    from the first time on. What an autoencoder makes of an image is kept instead.

    Args:
        model: encodes them.
        images: uint8 ``[N, C, H, W]``, the whole data set.
        index: which of them, int64 positions ``[M]``.
    """

    def __init__(self, model: DiffusionModel, images: Tensor, index: Tensor) -> None:
        self._model, self._images, self._index = model, images, index
        self._there: Tensor | None = None
        self._latents: Kept[int] = Kept()

    def __call__(self, places: Tensor) -> Tensor:
        """Clean latents ``[N, *latent_shape]`` of those at `places` of `index`, int64 ``[N]``."""
        if self._model.in_pixels:
            return self._model.encode(self._pixels(places))
        made = self._latents.of(places.tolist(), lambda: self._model.encode(self._images[self._index[places]]))
        assert made is not None  # an encoder gives something
        return made

    def _pixels(self, places: Tensor) -> Tensor:
        device = self._model.device
        if self._images.device == device:
            return self._images[self._index[places]]
        if self._there is None:
            self._there = self._images[self._index].to(device)
        return self._there[upload(places, device)]
