"""UCE against a plain least-squares solve, with its tokens found by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from prompted import PRESERVING, context_of

from vdu_baselines.uce import UCE, Tokens, keys_and_values
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.selection import selected_parameters


def words(model: TextToImage, prompt: str) -> NDArray[np.float64]:
    """A prompt's condition ``[L, D]``, by transformers' own means."""
    tokens = model.tokenizer([prompt], padding="max_length", max_length=model.max_tokens, return_tensors="pt")
    return model.text_encoder(tokens.input_ids).last_hidden_state[0].double().numpy()


def last(model: TextToImage, prompt: str) -> int:
    """The place of a prompt's last word."""
    tokens = model.tokenizer(prompt).input_ids
    assert tokens[-1] == model.tokenizer.eos_token_id
    return len(tokens) - 2


def rows(model: TextToImage, tokens: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The concept's tokens, and the anchor's in their place."""
    anchor, place = words(model, PRESERVING.anchor), last(model, PRESERVING.anchor)
    asked, meant = [], []
    for prompt in PRESERVING.concept:
        embedded, own = words(model, prompt), last(model, prompt)
        assert own > place
        n = 1 if tokens == "last" else len(embedded) - own
        asked += list(embedded[own : own + n])
        meant += list(anchor[place : place + n])
    return np.array(asked), np.array(meant)


@pytest.mark.parametrize(
    "settings",
    [{}, {"tokens": "last", "erase": 3.0, "preserve": 0.02, "hold": 0.01}, {"preset": "published_2025"}],
)
def test_it_is_the_least_squares_solution(tiny_text_to_image: TextToImage, settings: dict[str, Any]) -> None:
    base, method = tiny_text_to_image, UCE(**settings)
    before = {name: p.detach().clone() for name, p in base.denoiser.named_parameters()}
    context = context_of(base, method, prompts=PRESERVING)
    edited = method.unlearn(base, context)

    s = method.settings
    asked, meant = rows(base, s.tokens)
    if s.kept == "last":
        kept = np.stack([words(base, prompt)[last(base, prompt)] for prompt in PRESERVING.preserve])
    else:
        kept = np.concatenate([words(base, prompt) for prompt in ("", PRESERVING.anchor, *PRESERVING.preserve)])
    weight = np.sqrt(np.repeat([s.erase, s.preserve, s.hold], [len(asked), len(kept), asked.shape[1]]))[:, None]
    inputs = weight * np.concatenate([asked, kept, np.eye(asked.shape[1])])
    answers = weight * np.concatenate([meant, kept, np.eye(asked.shape[1])])
    chosen = keys_and_values(edited)
    assert len(chosen) == 2 * 7
    for name, new in chosen.items():
        old = before[name].double().numpy()
        expected = np.linalg.lstsq(inputs, answers @ old.T, rcond=None)[0].T
        np.testing.assert_allclose(new.detach().double().numpy(), expected, rtol=1e-4, atol=1e-6)
        assert not np.allclose(expected, old, rtol=1e-3, atol=1e-5)

    # The edit alone is the new model's own, and nothing was evaluated for it.
    for name, parameter in edited.denoiser.named_parameters():
        assert (parameter is base.denoiser.get_parameter(name)) == (name not in chosen)
    assert all(torch.equal(p, before[name]) for name, p in base.denoiser.named_parameters())
    ledger = context.ledger()
    assert (ledger.prompts, ledger.images, ledger.replayed, base.counter.forward) == (True, 0, 0, 0)


def test_what_it_edits_is_all_of_the_condition_s_keys_and_values(tiny_text_to_image: TextToImage) -> None:
    names = selected_parameters(tiny_text_to_image.denoiser, "cross_attention")
    expected = [name for name in names if "to_q" not in name and "to_out" not in name]
    assert list(keys_and_values(tiny_text_to_image)) == expected


def test_the_concept_s_word_becomes_the_anchor_s_and_the_rest_stays(tiny_text_to_image: TextToImage) -> None:
    base, method = tiny_text_to_image, UCE(tokens="last", erase=1e4, preserve=1.0, hold=1e-6)
    edited = method.unlearn(base, context_of(base, method, prompts=PRESERVING))
    asked, meant = (torch.from_numpy(found).float() for found in rows(base, "last"))
    kept = torch.from_numpy(words(base, "with bangs")).float()
    for name, new in keys_and_values(edited).items():
        old = base.denoiser.get_parameter(name)
        torch.testing.assert_close(asked @ new.T, meant @ old.T, rtol=0, atol=2e-2)
        assert float((asked @ old.T - meant @ old.T).abs().max()) > 0.1
        assert float((kept @ new.T - kept @ old.T).square().mean()) < 0.1 * float((kept @ old.T).square().mean())


def test_the_newest_release_preserves_nothing_that_it_is_not_told(tiny_text_to_image: TextToImage) -> None:
    method = UCE(preset="published_2025")
    context = context_of(tiny_text_to_image, method)
    assert not context.concept.preserve
    assert Tokens.of(tiny_text_to_image, context, method.settings).kept.shape[0] == 0
    edited = method.unlearn(tiny_text_to_image, context_of(tiny_text_to_image, method))
    assert all(bool(torch.isfinite(weight).all()) for weight in keys_and_values(edited).values())


def test_without_weight_on_the_concept_nothing_changes(tiny_text_to_image: TextToImage) -> None:
    method = UCE(erase=0.0)
    edited = method.unlearn(tiny_text_to_image, context_of(tiny_text_to_image, method))
    for name, new in keys_and_values(edited).items():
        torch.testing.assert_close(new, tiny_text_to_image.denoiser.get_parameter(name), rtol=1e-5, atol=1e-7)
