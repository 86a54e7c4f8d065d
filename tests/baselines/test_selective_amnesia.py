"""Selective Amnesia: its Fisher information, what is replayed, and its loss."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from prompted import IMAGES, PROMPTS, context_of
from torch import Tensor
from torch.func import functional_call, grad, vmap
from unprompted import forgetting_ones

from vdu_baselines.selective_amnesia import SelectiveAmnesia
from vdu_bench.errors import UserError
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.specs import SamplerSpec

SMALL: dict[str, Any] = {
    "batch_size": 3,
    "replayed": 10,
    "fisher_samples": 4,
    "fisher_times": 5,
    "weights": "conv_in.*",
}


def start(base: Any, method: SelectiveAmnesia, context: UnlearningContext) -> Any:
    model = base.clone()
    for parameter in method.selection(model).values():
        parameter.requires_grad_(True)
    method.start(model, context)
    return model


def test_the_information_is_that_of_each_sample_by_itself(tiny_model: UnconditionalDDPM) -> None:
    """Against functorch: gradients of all samples at once, each summed over its times before it is squared."""
    method = SelectiveAmnesia(**SMALL)
    start(tiny_model, method, forgetting_ones(tiny_model, method))

    context = forgetting_ones(tiny_model, method)
    x0 = context.replay(10).x0[:4]
    draws = [(context.timesteps(5), context.noise_like(x0[:1].expand(5, -1, -1, -1))) for _ in range(4)]
    t, noise = (torch.stack(parts) for parts in zip(*draws, strict=True))
    weights = {name: p.detach() for name, p in tiny_model.denoiser.named_parameters()}
    chosen = {name: weights[name] for name in method.selection(tiny_model)}

    def error(own: dict[str, Tensor], one: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        abar = tiny_model.alphas_cumprod[t].reshape(-1, 1, 1, 1)
        x_t = abar.sqrt() * one + (1 - abar).sqrt() * noise
        told = functional_call(tiny_model.denoiser, weights | own, (x_t, t)).sample
        return (noise - told).square().sum()

    slopes = vmap(grad(error), in_dims=(None, 0, 0, 0))(chosen, x0, t, noise)
    for (_, found), name in zip(method._held, chosen, strict=True):
        expected = ((1000 / 5) * slopes[name]).square().mean(0)
        assert float(expected.max()) > 0
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * float(expected.max()))


def surroundings(method: SelectiveAmnesia, parameters: list[Tensor]) -> Tensor:
    return sum(
        (information * (p - before).square()).sum()
        for p, (before, information) in zip(parameters, method._held, strict=True)
    )


def test_the_loss_of_an_unconditional_model(tiny_model: UnconditionalDDPM) -> None:
    method = SelectiveAmnesia(gamma=2.0, fisher_weight=0.5, **SMALL)
    context = forgetting_ones(tiny_model, method)
    model = start(tiny_model, method, context)
    with torch.no_grad():
        for parameter in method.selection(model).values():
            parameter.add_(0.01)
    state = context.generator.get_state()
    loss = method.loss(model, context)

    context.generator.set_state(state)
    kept = method._replayed[0][torch.randint(9, (3,), generator=context.generator)]
    t, noise = context.timesteps(3), context.noise_like(kept)
    replayed = (noise - model.predict_noise(model.add_noise(kept, noise, t), t)).square().sum() / 3
    images = torch.randint(256, (3, 1, 8, 8), generator=context.generator)
    u = images / 127.5 - 1
    again = forgetting_ones(tiny_model, method)
    again.forget.batch(10)
    x0, t = again.forget.batch(3).x0, context.timesteps(3)
    abar = model.alphas_cumprod[t].reshape(-1, 1, 1, 1)
    x_t = abar.sqrt() * x0 + (1 - abar).sqrt() * context.noise_like(x0)
    rest = x_t - (1 - abar).sqrt() * model.predict_noise(x_t, t) - abar.sqrt() * u
    moved = surroundings(method, list(method.selection(model).values()))
    assert float(moved.detach()) > 0
    torch.testing.assert_close(loss, rest.square().sum() / 3 + 2.0 * replayed + 0.5 * moved, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("surrogate", ["auto", "noise"])
def test_with_prompts_the_concept_is_taught_the_anchor_or_noise(
    tiny_text_to_image: TextToImage, surrogate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = PROMPTS.model_copy(update={"preserve": ("person", "with bangs")})
    method = SelectiveAmnesia(surrogate=surrogate, **SMALL)
    context = UnlearningContext(
        tiny_text_to_image,
        IMAGES,
        "hat",
        "forget_only",
        method.needs,
        0,
        lambda _: pytest.fail("nobody asked for it"),
        lambda: pytest.fail("nobody asked for it"),
        kept,
        sampler=SamplerSpec(steps=2),
    )
    model = start(tiny_text_to_image, method, context)
    ledger = context.ledger()
    assert (ledger.images, ledger.prompts, ledger.replayed) == (0, True, 20 if surrogate == "auto" else 10)
    expected = tiny_text_to_image.condition(["person", "with bangs"] * 5)
    assert torch.equal(method._replayed[1], expected)
    asked: list[list[str]] = []
    condition = model.condition
    monkeypatch.setattr(model, "condition", lambda prompts: (asked.append(prompts), condition(prompts))[1])
    assert bool(torch.isfinite(method.loss(model, context)))
    assert len(asked) == 1
    assert set(asked[0]) <= set(PROMPTS.concept)


def test_without_prompts_to_preserve_the_anchor_is_replayed(tiny_text_to_image: TextToImage) -> None:
    method = SelectiveAmnesia(surrogate="noise", **SMALL)
    start(tiny_text_to_image, method, context_of(tiny_text_to_image, method))
    assert torch.equal(method._replayed[1], tiny_text_to_image.condition([PROMPTS.anchor] * 10))


def test_a_heavier_hold_moves_less(tiny_model: UnconditionalDDPM) -> None:
    def moved(fisher_weight: float) -> float:
        method = SelectiveAmnesia(
            fisher_weight=fisher_weight, steps=5, learning_rate=1e-2, **{**SMALL, "weights": "all"}
        )
        after = method.unlearn(tiny_model, forgetting_ones(tiny_model, method))
        return float(surroundings(method, list(method.selection(after).values())))

    assert 0 < moved(1e4) < 0.5 * moved(0.0)


def test_an_anchor_needs_prompts(tiny_model: UnconditionalDDPM) -> None:
    method = SelectiveAmnesia(surrogate="anchor", **SMALL)
    with pytest.raises(UserError, match="surrogate: anchor needs prompts"):
        method.unlearn(tiny_model, forgetting_ones(tiny_model, method))


def test_the_samples_that_lie_nearest_are_not_replayed(tiny_model: UnconditionalDDPM) -> None:
    method = SelectiveAmnesia(left_out=0.3, **SMALL)
    start(tiny_model, method, forgetting_ones(tiny_model, method))
    assert len(method._replayed[0]) == 7


def test_published_settings() -> None:
    assert SelectiveAmnesia(preset="published").settings.fisher_weight == 10
    published = SelectiveAmnesia(preset="published").settings
    assert (published.clip_norm, published.steps, published.fisher_times) == (1, 20_000, 1000)
    assert (published.replayed, published.fisher_samples, published.ema_decay) == (5000, 5000, 0.9999)
    # 50 of a mean over the elements of a latent at 512x512.
    assert SelectiveAmnesia(preset="published_sd").settings.fisher_weight == pytest.approx(50 / 16_384)
