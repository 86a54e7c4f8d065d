"""Words before a prompt that are embeddings and no tokens: what an attacker may learn without keeping to words."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vdu_bench.errors import UserError
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.word_vectors import exchanged, word_vectors


def random_words(model: TextToImage, count: int, generator: torch.Generator) -> Tensor:
    """What the text encoders have for `count` random tokens, drawn with `generator`: float32 ``[W, D]``."""
    return word_vectors(model, torch.randint(len(model.tokenizer), (count,), generator=generator))


def with_prefix(model: TextToImage, prompts: Sequence[str], prefix: Tensor) -> Tensor:
    """The condition of N prompts, each with the prefix between its begin and its first word; gradients reach it.

    Args:
        model: whose text encoders are asked.
        prompts: N of them.
        prefix: embeddings ``[W, D]``.

    Returns:
        What the model takes for a condition, on its device and dtype.

    Raises:
        UserError: a prompt leaves no room for it.
    """
    words = len(prefix)
    longest = max(len(ids) for ids in model.tokens(prompts)) + 2
    if longest + words > model.max_tokens:
        raise UserError(
            f"{words} embeddings before a prompt of {longest} tokens are more than the {model.max_tokens} that the "
            "text encoder takes: set fewer words"
        )
    # Which tokens stand in the prefix's places is of no account: their embeddings are exchanged. What is cut off at
    # the end is padding.
    token_ids = [
        torch.cat([ids[:, :1], ids[:, :1].repeat(1, words), ids[:, 1 : ids.shape[1] - words]], dim=1)
        for ids in model.token_ids(prompts)
    ]

    def put(_: Tensor, found: Tensor, place: slice) -> Tensor:
        placed = prefix[:, place].to(found).expand(len(found), -1, -1)
        return torch.cat([found[:, :1], placed, found[:, 1 + words :]], dim=1)

    with exchanged(model, put):
        return model.embedded(token_ids)
