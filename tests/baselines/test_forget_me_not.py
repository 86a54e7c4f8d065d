"""Forget-Me-Not's attention against a softmax by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from prompted import IMAGES, PRESERVING, PROMPTS, context_of
from torch import Tensor

from vdu_baselines.forget_me_not import ForgetMeNot
from vdu_bench.errors import UserError
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.specs import ComputeSpec

LENGTH = 12


def started(base: TextToImage, **settings: Any) -> tuple[ForgetMeNot, UnlearningContext, TextToImage]:
    method = ForgetMeNot(batch_size=3, **settings)
    context = context_of(base, method, prompts=PRESERVING)
    student = base.clone()
    student.denoiser.requires_grad_(True)
    method.start(student, context)
    return method, context, student


def by_hand(model: TextToImage, x_t: Tensor, t: Tensor, condition: Tensor) -> list[Tensor]:
    """Of each cross-attention layer ``[N, heads, pixels, tokens]``: its softmax, from what goes into it."""
    found: dict[int, Tensor] = {}

    def watch(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        (x,), c = args, kwargs["encoder_hidden_states"]
        q, k = (
            (into @ linear.weight.T).unflatten(-1, (layer.heads, -1)).transpose(1, 2)
            for into, linear in ((x, layer.to_q), (c, layer.to_k))
        )
        found[id(layer)] = torch.softmax(torch.einsum("nhqd,nhkd->nhqk", q, k) / q.shape[-1] ** 0.5, dim=-1)

    layers = [layer for name, layer in model.denoiser.named_modules() if name.endswith("attn2")]
    hooks = [layer.register_forward_pre_hook(watch, with_kwargs=True) for layer in layers]
    model.denoiser(x_t, t, encoder_hidden_states=condition)
    for hook in hooks:
        hook.remove()
    return [found[id(layer)] for layer in layers]


def places(model: TextToImage, prompts: list[str], words: set[str], end: bool) -> Tensor:
    """bool ``[N, L]``: where these words stand, and whatever comes after the last one."""
    rows = []
    for prompt in prompts:
        ids = model.tokenizer(prompt).input_ids
        tokens = model.tokenizer.convert_ids_to_tokens(ids)
        row = [token.removesuffix("</w>") in words and token.endswith("</w>") for token in tokens[:-1]]
        rows.append(row + [end] * (LENGTH - len(row)))
    return torch.tensor(rows)


@pytest.mark.parametrize("end", [False, True])
def test_the_loss_is_the_softmax_by_hand(
    tiny_text_to_image: TextToImage, monkeypatch: pytest.MonkeyPatch, end: bool
) -> None:
    base = tiny_text_to_image
    method, context, student = started(base, end=end)
    asked, noised = [], []
    ask, add_noise = student.condition, student.add_noise
    monkeypatch.setattr(student, "condition", lambda prompts: (asked.append(prompts), ask(prompts))[1])
    monkeypatch.setattr(student, "add_noise", lambda *args: (noised.append((args, x := add_noise(*args))), x)[1])
    loss = method.loss(student, context)
    (prompts,), (((x0, _, t), x_t),) = asked, noised
    assert set(prompts) <= set(PROMPTS.concept)
    forget = base.encode(IMAGES.images[IMAGES.shows("hat")])
    assert all(any(torch.allclose(latent, other, atol=1e-5) for other in forget) for latent in x0)
    condition = base.condition(prompts)
    attention = by_hand(student, x_t, t, condition)
    mask = method.words(student, context, prompts, LENGTH)
    assert len(attention) == 7
    expected = torch.stack([(a.square() * mask[:, None, None]).sum(-1).mean() for a in attention]).mean()
    torch.testing.assert_close(loss, expected)
    assert 0 < float(loss.detach()) < 1
    for watched, a in zip(method._watched, attention, strict=True):
        torch.testing.assert_close(watched.attention, a)


@pytest.mark.parametrize("end", [False, True])
def test_the_words_are_those_that_the_anchor_and_what_is_preserved_lack(
    tiny_text_to_image: TextToImage, end: bool
) -> None:
    base = tiny_text_to_image
    asked = ["a person with a hat", "person with hat"]
    told = {"concept": tuple(asked), "anchor": "a person", "preserve": ("with bangs",)}
    prompts = PROMPTS.model_copy(update=told)
    method = ForgetMeNot(end=end)
    context = context_of(base, method, prompts=prompts)
    found = method.words(base, context, asked, LENGTH)
    assert torch.equal(found, places(base, asked, {"hat"}, end))
    # Where nothing is preserved, all that the anchor lacks; and so where what is preserved would leave no word.
    for preserve in ((), ("with hat",)):
        context = context_of(base, method, prompts=prompts.model_copy(update={"preserve": preserve}))
        found = method.words(base, context, asked, LENGTH)
        assert torch.equal(found, places(base, asked, {"with", "hat"}, end))


def test_padding_by_another_token_is_no_end(tiny_text_to_image: TextToImage, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of Stable Diffusion 2, whose tokenizer pads by an exclamation mark."""
    method, asked = ForgetMeNot(end=True), ["a person with a hat"]
    context = context_of(tiny_text_to_image, method)
    whole = method.words(tiny_text_to_image, context, asked, LENGTH)
    (end,) = [1 + len(tiny_text_to_image.tokens(asked)[0])]
    assert whole[0, end:].all()
    monkeypatch.setattr(type(tiny_text_to_image.tokenizer), "pad_token_id", 0, raising=False)
    found = method.words(tiny_text_to_image, context, asked, LENGTH)
    assert found[0, end]
    assert not found[0, end + 1 :].any()
    assert torch.equal(found[0, :end], whole[0, :end])


def test_a_concept_without_a_word_of_its_own_is_an_error(tiny_text_to_image: TextToImage) -> None:
    """At once, and not when it happens to be drawn."""
    prompts = PROMPTS.model_copy(update={"concept": (*PROMPTS.concept, "person a"), "anchor": "a person"})
    method = ForgetMeNot(steps=1, batch_size=1)
    with pytest.raises(UserError, match="forget_me_not: all words of 'person a' are the anchor's, 'a person'"):
        method.unlearn(tiny_text_to_image, context_of(tiny_text_to_image, method, prompts=prompts))


def test_watching_changes_no_answer_and_ends(tiny_text_to_image: TextToImage) -> None:
    base = tiny_text_to_image
    before = {name: type(processor) for name, processor in base.denoiser.attn_processors.items()}
    method, _, student = started(base)
    x_t, t = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([3, 700])
    condition = base.condition(["a hat", "bangs"])
    with torch.no_grad():
        assert torch.equal(student.predict_noise(x_t, t, condition), base.predict_noise(x_t, t, condition))
    method.finish(student)
    for model in (student, base):
        assert {name: type(processor) for name, processor in model.denoiser.attn_processors.items()} == before


def test_the_attention_goes_down_and_all_is_counted(tiny_text_to_image: TextToImage) -> None:
    base = tiny_text_to_image
    method = ForgetMeNot(steps=8, batch_size=4, learning_rate=1e-2)
    context = context_of(base, method, prompts=PRESERVING)
    edited = method.unlearn(base, context)
    assert (base.counter.forward, base.counter.backward) == (8 * 4, 8 * 4)
    ledger = context.ledger()
    assert (ledger.prompts, ledger.forget_images, ledger.retain_images, ledger.replayed) == (True, 4, 0, 0)
    x_t = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    prompts, t = list(PROMPTS.concept), torch.tensor([300, 600])
    mask = method.words(base, context, prompts, LENGTH)[:, None, None]
    with torch.no_grad():
        given = [
            torch.stack([(a * mask).sum(-1).mean() for a in by_hand(model, x_t, t, base.condition(prompts))]).mean()
            for model in (base, edited)
        ]
    assert float(given[1]) < 0.5 * float(given[0])


def test_activations_that_are_computed_again_give_the_same_gradients(tiny_text_to_image: TextToImage) -> None:
    gradients = []
    for checkpointed in (False, True):
        base = tiny_text_to_image.clone().computing(ComputeSpec(gradient_checkpointing=checkpointed))
        method, context, student = started(base)
        student.denoiser.train()
        method.loss(student, context).backward()
        gradients.append([p.grad for p in student.denoiser.parameters()])
        assert any(g is not None for g in gradients[-1])
    for plain, again in zip(*gradients, strict=True):
        assert (plain is None) == (again is None)
        if plain is not None:
            torch.testing.assert_close(plain, again)
