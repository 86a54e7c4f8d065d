"""Words before a prompt that are embeddings and no tokens: what an attacker may learn without keeping to words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from vdu_bench.errors import UserError
from vdu_bench.models.pipelines.prompt_tokens import tokens_of
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.upload import upload


def random_words(model: TextToImage, count: int, generator: torch.Generator) -> Tensor:
    """What the text encoder has for `count` tokens of its vocabulary, drawn with `generator`; float32 ``[W, D]``."""
    weight = model.text_encoder.get_input_embeddings().weight
    tokens = torch.randint(len(model.tokenizer), (count,), generator=generator)
    return weight[upload(tokens, weight.device)].detach().float().clone()


def with_prefix(model: TextToImage, prompts: Sequence[str], prefix: Tensor) -> Tensor:
    """The condition of N prompts, each with the prefix between its begin and its first word; gradients reach it.

    Args:
        model: whose text encoder is asked.
        prompts: N of them.
        prefix: embeddings ``[W, D]``.

    Returns:
        ``[N, L, D]`` on the model's device and dtype.

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
    tokens = torch.tensor(tokens_of(prompts, model.tokenizer, model.max_tokens))
    # Which tokens stand in the prefix's places is of no account: their embeddings are exchanged. What is cut off at
    # the end is padding.
    tokens = torch.cat([tokens[:, :1], tokens[:, :1].repeat(1, words), tokens[:, 1 : tokens.shape[1] - words]], dim=1)

    def put(_: Any, __: tuple[Tensor, ...], found: Tensor) -> Tensor:
        placed = prefix.to(found).expand(len(found), -1, -1)
        return torch.cat([found[:, :1], placed, found[:, 1 + words :]], dim=1)

    encoder = model.text_encoder
    handle = encoder.get_input_embeddings().register_forward_hook(put)
    try:
        return encoder(upload(tokens, encoder.device)).last_hidden_state.to(model.device, model.dtype)
    finally:
        handle.remove()
