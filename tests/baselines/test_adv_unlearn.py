"""AdvUnlearn: its loss by hand, what its attacker finds, and what is trained."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from prompted import PRESERVING, context_of
from torch import Tensor

from vdu_baselines.adv_unlearn import AdvUnlearn
from vdu_baselines.soft_prefix import random_words, with_prefix
from vdu_bench.errors import UserError
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.models.pipelines.text_to_image import TextToImage

ETA, PRESERVE = 2.5, 3.0
QUICK: dict[str, Any] = {"steps": 3, "batch_size": 2, "preserve_batch": 3, "images": 4, "attack_steps": 2}


def started(base: TextToImage, **settings: Any) -> tuple[AdvUnlearn, UnlearningContext, TextToImage]:
    """A method after its start, with a student that has gone some of its way."""
    method = AdvUnlearn(**{**QUICK, **settings})
    context = context_of(base, method, prompts=PRESERVING)
    student = base.clone(method.selection(base))
    for parameter in method.selection(student).values():
        parameter.requires_grad_(True)
    method.start(student, context)
    generator = torch.Generator().manual_seed(1)
    for parameter in method.parameters(student):
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return method, context, student


def noise(model: TextToImage, x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
    return model.denoiser(x_t, t, encoder_hidden_states=condition).sample


def state(model: TextToImage) -> dict[str, Tensor]:
    networks = {"denoiser": model.denoiser, "text_encoder": model.text_encoder}
    return {f"{name}.{key}": p.detach().clone() for name, one in networks.items() for key, p in one.named_parameters()}


@pytest.mark.parametrize("trains", ["text_encoder", "denoiser"])
@pytest.mark.parametrize("x_t", ["replayed", "denoised"])
def test_the_loss_is_the_formula_by_hand(
    tiny_text_to_image: TextToImage, monkeypatch: pytest.MonkeyPatch, trains: str, x_t: str
) -> None:
    base = tiny_text_to_image
    method, context, student = started(base, trains=trains, x_t=x_t, x_t_steps=3, eta=ETA, preserve=PRESERVE, plain=0.5)
    prefix, drawn, asked = random_words(base, 1, torch.Generator().manual_seed(3)), [], method._asked
    monkeypatch.setattr(method, "_attacked", lambda *_: prefix)
    monkeypatch.setattr(method, "_asked", lambda *args: (drawn.append((args[2], found := asked(*args))), found)[1])

    def by_hand(attacked: bool) -> Tensor:
        (erase, (x_e, t_e, concept)), (keep, (x_k, t_k, kept)) = drawn[-2:]
        assert (erase, keep, len(x_e), len(x_k)) == ("concept", "kept", 2, 3)
        assert set(concept) <= set(PRESERVING.concept)
        assert set(kept) <= {PRESERVING.anchor, *PRESERVING.preserve}
        null, given = (noise(base, x_e, t_e, base.condition(texts)) for texts in ([""] * 2, concept))
        answer = with_prefix(student, concept, prefix) if attacked else student.condition(concept)
        erased = (noise(student, x_e, t_e, answer) - (null - ETA * (given - null))).square().mean()
        held = noise(student, x_k, t_k, student.condition(kept)) - noise(base, x_k, t_k, base.condition(kept))
        assert float(held.detach().square().mean()) > 0
        return erased + PRESERVE * held.square().mean()

    # Half of three steps are without the attacker: the first two.
    for attacked in (False, False, True):
        loss = method.loss(student, context)
        torch.testing.assert_close(loss, by_hand(attacked))
    loss.backward()
    trained = list(method.parameters(student))
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in trained)
    known = {id(p) for p in trained}
    others = [*base.denoiser.parameters(), *base.text_encoder.parameters(), *student.text_encoder.parameters()]
    assert all(p.grad is None for p in others if id(p) not in known)


def test_the_attacker_finds_what_brings_the_concept_back(tiny_text_to_image: TextToImage) -> None:
    base = tiny_text_to_image
    method, context, student = started(base, attack_steps=60, batch_size=8, attack_learning_rate=0.05, images=8)
    x_t, t, prompts = method._asked(student, context, "concept", 64)
    target = noise(base, x_t, t, base.condition(prompts))

    def missed(prefix: Tensor) -> float:
        return float((noise(student, x_t, t, with_prefix(student, prompts, prefix)) - target).square().mean().detach())

    at_random = sorted(missed(random_words(base, 1, torch.Generator().manual_seed(seed))) for seed in range(20))
    found = method._attacked(student, context)
    assert found.shape == (1, base.text_encoder.config.hidden_size)
    assert not found.requires_grad
    assert missed(found) < at_random[0], "better than the best of twenty words"
    assert all(p.grad is None for p in method.parameters(student)), "the weights' gradients are the step's own"


def test_an_attacker_s_rate_is_in_the_embeddings_units_or_in_their_deviations(tiny_text_to_image: TextToImage) -> None:
    """Adam's first step is the rate, whatever the gradient."""
    base = tiny_text_to_image
    deviation = float(base.text_encoder.get_input_embeddings().weight.detach().std())
    for rate, expected in ((None, 0.1 * deviation), (0.003, 0.003)):
        method, context, student = started(base, attack_steps=1, attack_learning_rate=rate)
        state_before = context.generator.get_state()
        first = random_words(student, 1, context.generator)
        context.generator.set_state(state_before)
        moved = (method._attacked(student, context) - first).abs()
        torch.testing.assert_close(moved, torch.full_like(moved, expected), rtol=1e-2, atol=1e-6)


@pytest.mark.parametrize("trains", ["text_encoder", "denoiser"])
def test_what_is_named_is_trained_and_nothing_else(tiny_text_to_image: TextToImage, trains: str) -> None:
    base = tiny_text_to_image
    before, method = state(base), AdvUnlearn(trains=trains, learning_rate=0.01, plain=0.0, **QUICK)
    context = context_of(base, method)
    model = method.unlearn(base, context)
    assert isinstance(model, TextToImage)
    after, now = state(model), state(base)
    assert all(torch.equal(now[name], weight) for name, weight in before.items()), "the base stays"
    moved = {name for name, weight in after.items() if not torch.equal(weight, before[name])}
    if trains == "text_encoder":
        encoder = {name for name in after if name.startswith("text_encoder.")}
        assert len(words := {name for name in encoder if "token_embedding" in name}) == 1
        assert moved == encoder - words
        assert model.text_encoder is not base.text_encoder
    else:
        assert moved == {f"denoiser.{name}" for name in method.selection(base)}
        assert model.text_encoder is base.text_encoder
    assert not any(p.requires_grad for one in (model.denoiser, model.text_encoder) for p in one.parameters())
    ledger = context.ledger()
    assert (ledger.prompts, ledger.images, ledger.replayed) == (True, 0, 2 * QUICK["images"])


def test_without_an_attacker_no_word_is_learned(
    tiny_text_to_image: TextToImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, context, student = started(tiny_text_to_image, attack_steps=0, plain=0.0)
    monkeypatch.setattr(method, "_attacked", lambda *_: pytest.fail("there is no attacker"))
    assert bool(torch.isfinite(method.loss(student, context)))


def test_the_denoiser_s_weights_are_named_where_it_is_trained() -> None:
    with pytest.raises(UserError, match="weights are the denoiser's: give trains: denoiser as well"):
        AdvUnlearn(weights="all")
    assert AdvUnlearn(weights="all", trains="denoiser").settings.weights == "all"
