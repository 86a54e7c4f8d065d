"""Words of a prompt whose embeddings somebody else decides: an attacker learns one, or asks which others would help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from vdu_bench.models.pipelines.text_to_image import TextToImage


def embedding_of(model: TextToImage, token: int) -> Tensor:
    """What the text encoder has for a token, float32 ``[D]``, a copy."""
    weight: Tensor = model.text_encoder.get_input_embeddings().weight
    return weight[token].detach().float().clone()


@contextmanager
def embedded(model: TextToImage, token: int, vector: Tensor) -> Iterator[None]:
    """While it lasts, a vector ``[D]`` stands for a token in every prompt; gradients reach it."""

    def put(_: Any, inputs: tuple[Tensor, ...], found: Tensor) -> Tensor:
        return torch.where((inputs[0] == token).unsqueeze(-1), vector.to(found), found)

    handle = model.text_encoder.get_input_embeddings().register_forward_hook(put)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def watched(model: TextToImage, seen: list[Tensor]) -> Iterator[None]:
    """While it lasts, what prompts are embedded to, ``[N, L, D]``, goes into `seen`, with gradients asked for."""

    def keep(_: Any, __: tuple[Tensor, ...], found: Tensor) -> Tensor:
        kept = found.detach().requires_grad_(True)
        seen.append(kept)
        return kept

    handle = model.text_encoder.get_input_embeddings().register_forward_hook(keep)
    try:
        yield
    finally:
        handle.remove()
