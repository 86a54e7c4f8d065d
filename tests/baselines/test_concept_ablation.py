"""Concept Ablation's loss by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from prompted import PROMPTS, context_of
from torch import Tensor

from vdu_baselines.concept_ablation import ConceptAblation
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.seeds import derive_seed

QUICK: dict[str, Any] = {"images": 3, "batch_size": 4, "steps": 2}


def started(base: TextToImage, **settings: Any) -> tuple[ConceptAblation, UnlearningContext, TextToImage]:
    """A method after its start, with a student that has gone some of its way."""
    method = ConceptAblation(**{**QUICK, **settings})
    context = context_of(base, method)
    context._sampler = context._sampler.model_copy(update={"steps": 3})
    student = base.clone()
    student.denoiser.requires_grad_(True)
    method.start(student, context)
    generator = torch.Generator().manual_seed(1)
    for parameter in student.denoiser.parameters():
        parameter.data.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    return method, context, student


def eps(model: TextToImage, x_t: Tensor, t: Tensor, prompts: list[str]) -> Tensor:
    return model.denoiser(x_t, t, encoder_hidden_states=model.condition(prompts)).sample


@pytest.mark.parametrize("target", ["model", "noise"])
@pytest.mark.parametrize("hold", [0.0, 0.5])
def test_the_loss_and_its_gradient_are_the_formula_s(
    tiny_text_to_image: TextToImage, monkeypatch: pytest.MonkeyPatch, target: str, hold: float
) -> None:
    method, context, student = started(tiny_text_to_image, target=target, hold=hold)
    calls: dict[str, list[Any]] = {"add_noise": [], "condition": []}
    for name, seen in calls.items():
        original = getattr(student, name)
        monkeypatch.setattr(
            student, name, lambda *args, original=original, seen=seen: (seen.append(args), original(*args))[1]
        )
    loss = method.loss(student, context)
    ((x0, noise, t),) = calls["add_noise"]
    asked = [prompts for (prompts,) in calls["condition"]]
    (concept,) = [prompts for prompts in asked if set(prompts) <= set(PROMPTS.concept)]
    assert [prompts for prompts in asked if prompts != concept] == [[PROMPTS.anchor] * 4]

    # The anchor's images are the base's own, drawn by the generator of replays.
    noises = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(derive_seed(0, "replay")))
    images = tiny_text_to_image.sample(3, [PROMPTS.anchor] * 3, noises, context._sampler)
    made = tiny_text_to_image.encode(images.clone())
    assert all(any(torch.equal(latent, other) for other in made) for latent in x0)

    alphabar = student.noise_scheduler.alphas_cumprod[t].reshape(-1, 1, 1, 1)
    x_t = alphabar.sqrt() * x0 + (1 - alphabar).sqrt() * noise
    anchor = eps(student, x_t, t, [PROMPTS.anchor] * 4)
    wanted = anchor.detach() if target == "model" else noise
    expected = (eps(student, x_t, t, concept) - wanted).square().mean() + hold * (anchor - noise).square().mean()
    torch.testing.assert_close(loss, expected)
    parameters = list(student.denoiser.parameters())
    for own, other in zip(*(torch.autograd.grad(one, parameters) for one in (loss, expected)), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-3, atol=1e-6)


def test_keys_and_values_move_and_all_is_counted(tiny_text_to_image: TextToImage) -> None:
    base, method = tiny_text_to_image, ConceptAblation(**QUICK, hold=1.0)
    context = context_of(base, method)
    context._sampler = context._sampler.model_copy(update={"steps": 3, "guidance_scale": 2.0})
    edited = method.unlearn(base, context)
    own = {name for name, p in edited.denoiser.named_parameters() if p is not base.denoiser.get_parameter(name)}
    layers = [f"{path}.attn2" for path, _ in base.denoiser.named_modules() if path.endswith("transformer_blocks.0")]
    assert own == {f"{layer}.to_{part}.weight" for layer in layers for part in "kv"}
    assert all(not torch.equal(edited.denoiser.get_parameter(n), base.denoiser.get_parameter(n)) for n in own)
    ledger = context.ledger()
    assert (ledger.prompts, ledger.images, ledger.replayed) == (True, 0, 3)
    # Three images of three guided steps; two steps of four under the anchor, the concept and the anchor again.
    assert (base.counter.forward, base.counter.backward) == (3 * 3 * 2 + 2 * 4 * 3, 2 * 4 * 2)


def test_the_concept_is_answered_as_the_anchor_is(tiny_text_to_image: TextToImage) -> None:
    base = tiny_text_to_image
    method = ConceptAblation(images=3, batch_size=4, steps=15, learning_rate=3e-3, hold=0.0)
    context = context_of(base, method)
    context._sampler = context._sampler.model_copy(update={"steps": 2})
    edited = method.unlearn(base, context)
    x_t = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    t = torch.full((3,), 500)

    def gap(model: TextToImage) -> float:
        with torch.no_grad():
            asked, anchor = eps(model, x_t, t, [PROMPTS.concept[0]] * 3), eps(model, x_t, t, [PROMPTS.anchor] * 3)
        return float((asked - anchor).square().mean())

    assert gap(edited) < 0.5 * gap(base)
