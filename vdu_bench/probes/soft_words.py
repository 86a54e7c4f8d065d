"""Words of a prompt whose embeddings somebody else decides: an attacker learns one, or asks which others would help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.word_vectors import exchanged


@contextmanager
def embedded(model: TextToImage, token: int, vector: Tensor) -> Iterator[None]:
    """While it lasts, a vector ``[D]`` stands for a token in every prompt; gradients reach it."""

    def put(ids: Tensor, found: Tensor, place: slice) -> Tensor:
        return torch.where((ids == token).unsqueeze(-1), vector[place].to(found), found)

    with exchanged(model, put):
        yield


@contextmanager
def watched(model: TextToImage, seen: list[Tensor]) -> Iterator[None]:
    """While it lasts, what each text encoder has for a batch of prompts, ``[N, L, D_e]``, goes into `seen`, with
    gradients asked for."""

    def keep(_: Tensor, found: Tensor, __: slice) -> Tensor:
        kept = found.detach().requires_grad_(True)
        seen.append(kept)
        return kept

    with exchanged(model, keep):
        yield
