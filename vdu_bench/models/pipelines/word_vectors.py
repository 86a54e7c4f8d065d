"""What text encoders have for tokens; of several encoders, their embeddings side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.upload import upload

Change = Callable[[Tensor, Tensor, slice], Tensor]
"""From a text encoder's token ids ``[N, L]``, what it has for them ``[N, L, D_e]`` and its place in D, what is to stand
there."""


def word_vectors(model: TextToImage, tokens: Tensor) -> Tensor:
    """What the text encoders have for tokens, int64 ``[W]``: float32 ``[W, D]``, a copy."""
    found = [table.weight[upload(tokens, table.weight.device)] for table in model.word_embeddings]
    return torch.cat([vectors.detach().float() for vectors in found], dim=-1)


def word_deviation(model: TextToImage) -> Tensor:
    """The standard deviation of each text encoder's table, at the places of its embeddings: float32 ``[D]``.

    As a tensor: to read it would be to wait for the device.
    """
    tables = [table.weight.detach().float() for table in model.word_embeddings]
    return torch.cat([table.std().expand(table.shape[1]) for table in tables])


@contextmanager
def exchanged(model: TextToImage, change: Change) -> Iterator[None]:
    """While it lasts, what `change` makes of tokens' embeddings stands for them in every prompt; gradients reach it."""
    start = 0
    with ExitStack() as hooks:
        for table in model.word_embeddings:
            place = slice(start, start := start + table.embedding_dim)

            def put(_: Any, inputs: tuple[Tensor, ...], found: Tensor, place: slice = place) -> Tensor:
                return change(inputs[0], found, place)

            hooks.callback(table.register_forward_hook(put).remove)
        yield
