"""SalUn's mask, and what it teaches in place of the concept."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from prompted import context_of
from torch import Tensor
from unprompted import forgetting_ones

from vdu_baselines.salun import SalUn, salient
from vdu_bench.errors import UserError
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.training.base_model import denoising_loss

SMALL: dict[str, Any] = {"batch_size": 3, "mask_batches": 2, "weights": "conv_*"}


@pytest.mark.parametrize("share", [0.01, 0.5, 0.83, 1.0])
def test_the_mask_keeps_exactly_the_share(share: float) -> None:
    generator = torch.Generator().manual_seed(0)
    # Ties too: half of the numbers are one and the same.
    slopes = [torch.randn(40, 7, generator=generator), torch.full((2, 3, 50), -0.3)]
    masks = salient(slopes, share)
    assert [mask.shape for mask in masks] == [slope.shape for slope in slopes]
    kept = torch.cat([slope[mask] for slope, mask in zip(slopes, masks, strict=True)]).abs()
    left = torch.cat([slope[~mask] for slope, mask in zip(slopes, masks, strict=True)]).abs()
    assert len(kept) == round(share * 580)
    assert not len(left) or float(kept.min()) >= float(left.max())


def test_it_moves_the_weights_with_the_largest_summed_gradient_alone(tiny_model: UnconditionalDDPM) -> None:
    before = {name: p.detach().clone() for name, p in tiny_model.denoiser.named_parameters()}
    method = SalUn(share=0.25, steps=3, learning_rate=1e-3, **SMALL)
    after = dict(method.unlearn(tiny_model, forgetting_ones(tiny_model, method)).denoiser.named_parameters())

    model = tiny_model.clone()
    chosen = method.selection(model)
    for parameter in chosen.values():
        parameter.requires_grad_(True)
    context, loss = forgetting_ones(tiny_model, method), 0
    for _ in range(2):
        loss = loss + denoising_loss(model, context.forget.batch(3).x0, None, context.generator)
    loss.backward()
    sizes = torch.cat([p.grad.abs().flatten() for p in chosen.values()])
    threshold = sizes.sort(descending=True).values[round(0.25 * len(sizes)) - 1]
    moved = torch.cat([(after[name] != before[name]).flatten() for name in chosen])
    assert not bool((moved & (sizes < 0.999 * threshold)).any())
    assert int(moved.sum()) == round(0.25 * len(sizes))


def test_an_unconditional_model_is_led_to_retained_images(tiny_model: UnconditionalDDPM) -> None:
    method = SalUn(alpha=0.5, **SMALL)
    loss = method.loss(tiny_model, forgetting_ones(tiny_model, method))
    context = forgetting_ones(tiny_model, method)
    forget, retain = context.forget.batch(3), context.retain.batch(3)
    held = denoising_loss(tiny_model, retain.x0, None, context.generator)
    t = context.timesteps(3)
    noise = context.noise_like(forget.x0)
    abar = tiny_model.alphas_cumprod[t].reshape(-1, 1, 1, 1)
    x_t = abar.sqrt() * forget.x0 + (1 - abar).sqrt() * noise
    # sigma (eps_theta - eps') is what is left of x_t, after sigma eps_theta is taken off, but the retained image.
    rest = x_t - (1 - abar).sqrt() * tiny_model.predict_noise(x_t, t) - abar.sqrt() * retain.x0
    torch.testing.assert_close(loss, rest.square().mean() + 0.5 * held, rtol=1e-4, atol=1e-6)


def test_a_text_to_image_model_answers_as_to_another_caption(tiny_text_to_image: TextToImage) -> None:
    method = SalUn(alpha=0.5, batch_size=3)
    base, trained = tiny_text_to_image, tiny_text_to_image.clone()
    trained.denoiser.requires_grad_(True)
    loss = method.loss(trained, context_of(base, method))
    context = context_of(base, method)
    forget, retain = context.forget.batch(3), context.retain.batch(3)
    held = denoising_loss(base, retain.x0, retain.condition, context.generator)
    t, noise = context.timesteps(3), context.noise_like(forget.x0)
    x_t = base.add_noise(forget.x0, noise, t)

    def answer(captions: list[str]) -> Tensor:
        return base.predict_noise(x_t, t, base.condition(captions))

    expected = (answer(forget.captions) - answer(retain.captions)).square().mean()
    assert float(expected) > 0
    torch.testing.assert_close(loss.detach(), expected + 0.5 * held, rtol=1e-4, atol=1e-6)
    # The other answer is a target, and gives no gradient: two copies of one answer would pull at each other.
    loss.backward()
    found = trained.denoiser.conv_out.bias.grad.clone()
    trained.denoiser.zero_grad()
    again = context_of(base, method)
    forget, retain = again.forget.batch(3), again.retain.batch(3)
    held = denoising_loss(trained, retain.x0, retain.condition, again.generator)
    told = trained.predict_noise(x_t, t, forget.condition)
    ((told - answer(retain.captions)).square().mean() + 0.5 * held).backward()
    torch.testing.assert_close(found, trained.denoiser.conv_out.bias.grad, rtol=1e-4, atol=1e-7)


def test_published_settings() -> None:
    published = SalUn(preset="published", alpha=0.1).settings
    assert (published.share, published.alpha, published.steps, published.batch_size) == (0.5, 0.1, 1000, 128)
    assert SalUn(preset="published_sd").settings.weights == "all"
    # The authors' loss of retained images is a sum over the 3 x 32 x 32 elements, that of forget images a mean.
    assert SalUn(preset="published").settings.alpha == pytest.approx(3.072)


def test_weight_decay_would_move_masked_weights(tiny_model: UnconditionalDDPM) -> None:
    method = SalUn(optimizer="adamw", weight_decay=0.1, steps=1, batch_size=4)
    with pytest.raises(UserError, match="weight_decay moves the masked weights too"):
        method.unlearn(tiny_model, forgetting_ones(tiny_model, method))


@pytest.mark.parametrize("share", [0.001, 0.01, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("levels", [2, 7, 50, 10**6])
def test_among_equal_numbers_the_mask_is_that_of_a_sorted_choice(share: float, levels: int) -> None:
    sizes = torch.randint(levels, (5000,), generator=torch.Generator().manual_seed(levels)) / levels
    sorted_choice = torch.zeros(5000, dtype=torch.bool)
    sorted_choice[sizes.topk(max(1, round(share * 5000))).indices] = True
    assert torch.equal(torch.cat(salient([sizes[:1000], sizes[1000:]], share)), sorted_choice)
