"""ReTrack's neighbours and weights, against densities."""

from __future__ import annotations

import pytest
import torch
from prompted import context_of
from torch.distributions import Normal
from unprompted import forgetting_ones

from vdu_baselines.retrack import ReTrack, redirected
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.training.base_model import denoising_loss


def test_the_target_is_the_mean_by_densities(tiny_model: UnconditionalDDPM) -> None:
    generator = torch.Generator().manual_seed(0)
    neighbours = torch.rand(50, 3, 1, 8, 8, generator=generator) * 2 - 1
    t = torch.randint(200, 1000, (50,), generator=generator)
    x_t = tiny_model.add_noise(neighbours[:, 1], torch.randn(50, 1, 8, 8, generator=generator), t)
    abar = tiny_model.alphas_cumprod.double()[t].reshape(-1, 1, 1, 1, 1)
    normal = Normal(abar.sqrt() * neighbours.double(), (1 - abar).sqrt())
    densities = normal.log_prob(x_t.double().unsqueeze(1)).flatten(2).sum(2).exp()
    weights = (densities / densities.sum(1, keepdim=True)).reshape(50, 3, 1, 1, 1)
    noises = (x_t.double().unsqueeze(1) - abar.sqrt() * neighbours.double()) / (1 - abar).sqrt()
    found = redirected(tiny_model.process, x_t, t, neighbours)
    torch.testing.assert_close(found.double(), (weights * noises).sum(1), rtol=1e-3, atol=1e-4)


def test_one_neighbour_is_the_noise_that_leads_to_it(tiny_model: UnconditionalDDPM) -> None:
    x0, noise = torch.rand(2, 4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([5, 100, 500, 999])
    found = redirected(tiny_model.process, tiny_model.add_noise(x0, noise, t), t, x0.unsqueeze(1))
    torch.testing.assert_close(found, noise, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("redirect", [0.25, 1.0])
def test_the_loss_leads_to_the_nearest_retained_images(tiny_model: UnconditionalDDPM, redirect: float) -> None:
    method = ReTrack(redirect=redirect, neighbours=4, candidates=100, batch_size=30)
    context = forgetting_ones(tiny_model, method)
    method.start(tiny_model, context)
    assert context.ledger().retain_images == 100
    loss = method.loss(tiny_model, context)

    again = forgetting_ones(tiny_model, method)
    candidates = torch.cat([again.retain.batch(n).x0 for n in (30, 30, 30, 10)])
    forget, retain = again.forget.batch(30), again.retain.batch(30)
    held = denoising_loss(tiny_model, retain.x0, None, again.generator)
    t, noise = again.timesteps(30), again.noise_like(forget.x0)
    x_t = tiny_model.add_noise(forget.x0, noise, t)
    nearest = torch.stack([candidates[(candidates - x0).flatten(1).norm(dim=1).argsort()[:4]] for x0 in forget.x0])
    target = redirected(tiny_model.process, x_t, t, nearest)
    led = (tiny_model.predict_noise(x_t, t) - target).square().mean()
    torch.testing.assert_close(loss, redirect * led + (1 - redirect) * held, rtol=1e-4, atol=1e-6)


def test_fewer_retained_images_than_neighbours_are_enough(tiny_text_to_image: TextToImage) -> None:
    method = ReTrack(neighbours=50, steps=2, batch_size=3)
    context = context_of(tiny_text_to_image, method)
    method.unlearn(tiny_text_to_image, context)
    assert (context.ledger().forget_images, context.ledger().retain_images) == (4, 4)


def test_published_settings() -> None:
    published = ReTrack(preset="published").settings
    assert (published.neighbours, published.redirect, published.steps) == (10, 0.005, 50)
    assert ReTrack(preset="published_sd").settings.redirect == 0.5
    for name in ("published", "published_sd"):
        settings = ReTrack(preset=name).settings
        assert (settings.clip_norm, settings.reduction, settings.candidates) == (1.0, "sum", 60_000)


def test_a_sum_over_elements_is_so_many_times_the_mean(tiny_text_to_image: TextToImage) -> None:
    told = []
    for reduction in ("mean", "sum"):
        method = ReTrack(reduction=reduction, neighbours=2, batch_size=3)
        context = context_of(tiny_text_to_image, method)
        method.start(tiny_text_to_image, context)
        told.append(float(method.loss(tiny_text_to_image, context).detach()))
    elements = torch.Size(tiny_text_to_image.latent_shape).numel()
    assert told[1] == pytest.approx(elements * told[0], rel=1e-5)
