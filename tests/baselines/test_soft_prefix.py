"""Embeddings before a prompt: as words where they are those of words, and refused where they do not fit."""

from __future__ import annotations

import pytest
import torch

from vdu_baselines.soft_prefix import random_words, with_prefix
from vdu_bench.errors import UserError
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.word_vectors import word_vectors

PROMPTS = ["a person", "a portrait with a hat"]


def embeddings(model: TextToImage, words: str) -> torch.Tensor:
    (tokens,) = model.tokens([words])
    return word_vectors(model, torch.tensor(tokens))


@pytest.mark.parametrize("words", ["bangs", "a hat"])
def test_embeddings_of_words_are_these_words(prompted_model: TextToImage, words: str) -> None:
    model = prompted_model
    found = with_prefix(model, PROMPTS, embeddings(model, words))
    torch.testing.assert_close(found, model.condition([f"{words} {prompt}" for prompt in PROMPTS]))
    assert not torch.allclose(found, model.condition(PROMPTS))


def test_nothing_is_left_behind_and_gradients_reach_the_embeddings(prompted_model: TextToImage) -> None:
    model, before = prompted_model, prompted_model.condition(PROMPTS)
    prefix = embeddings(model, "bangs").requires_grad_(True)
    with_prefix(model, PROMPTS, prefix).square().sum().backward()
    assert prefix.grad is not None
    assert float(prefix.grad.abs().min()) > 0
    assert torch.equal(model.condition(PROMPTS), before)


def test_what_does_not_fit_is_refused(prompted_model: TextToImage) -> None:
    model = prompted_model
    # With those for its begin and end.
    room = model.max_tokens - len(model.tokens(PROMPTS)[1]) - 2
    assert room > 0
    table = word_vectors(model, torch.arange(room + 1))
    assert with_prefix(model, PROMPTS, table[:room]).shape == model.condition(PROMPTS).shape
    with pytest.raises(UserError, match=rf"{room + 1} embeddings before a prompt of \d+ tokens are more than the"):
        with_prefix(model, PROMPTS, table[: room + 1])


def test_random_words_are_of_the_vocabulary_and_of_the_generator(prompted_model: TextToImage) -> None:
    model = prompted_model
    table = word_vectors(model, torch.arange(len(model.tokenizer)))

    def drawn(seed: int) -> torch.Tensor:
        return random_words(model, 5, torch.Generator().manual_seed(seed))

    found = drawn(0)
    assert found.shape == (5, table.shape[1])
    assert all(bool((table == row).all(dim=1).any()) for row in found)
    assert torch.equal(found, drawn(0))
    assert not torch.equal(found, drawn(1))
    found.zero_()
    assert not bool((table == 0).all(dim=1).any()), "copies"
