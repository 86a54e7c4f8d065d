"""SISS against densities of the mixture, and gradients made by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from prompted import context_of
from torch import Tensor
from torch.distributions import Normal
from unprompted import forgetting_ones

from vdu_baselines.siss import SISS, importance
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM


@pytest.mark.parametrize("mixture", [0.1, 0.5, 0.9])
def test_the_weights_are_densities_over_the_mixture_s(tiny_model: UnconditionalDDPM, mixture: float) -> None:
    generator = torch.Generator().manual_seed(0)
    x, a = (torch.rand(200, 1, 8, 8, generator=generator) * 2 - 1 for _ in range(2))
    t = torch.randint(300, 1000, (200,), generator=generator)
    process = tiny_model.process
    m_t = process.add_noise(torch.where(torch.arange(200).reshape(-1, 1, 1, 1) % 2 == 0, x, a), torch.randn_like(x), t)
    of_x, of_a = importance(process, m_t, t, x, a, mixture)

    abar = tiny_model.alphas_cumprod.double()[t].reshape(-1, 1, 1, 1)
    densities = [
        Normal(abar.sqrt() * x0.double(), (1 - abar).sqrt()).log_prob(m_t.double()).flatten(1).sum(1).exp()
        for x0 in (x, a)
    ]
    mixed = (1 - mixture) * densities[0] + mixture * densities[1]
    torch.testing.assert_close(of_x.double(), densities[0] / mixed, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(of_a.double(), densities[1] / mixed, rtol=1e-3, atol=1e-4)
    # Their mean under the mixture is 1 for either.
    torch.testing.assert_close((1 - mixture) * of_x + mixture * of_a, torch.ones(200))


def test_the_weights_are_finite_where_densities_are_not(tiny_model: UnconditionalDDPM) -> None:
    x, a = torch.full((1, 1, 8, 8), -1.0), torch.full((1, 1, 8, 8), 1.0)
    t = torch.zeros(1, dtype=torch.int64)
    m_t = tiny_model.process.add_noise(x, torch.zeros_like(x), t)
    assert [float(w) for w in importance(tiny_model.process, m_t, t, x, a, 0.5)] == [2.0, 0.0]


def by_hand(model: Any, context: Any, mixture: float) -> tuple[Tensor, Tensor]:
    """Both losses of one batch of 4, image by image."""
    retain, forget = context.retain.batch(4), context.forget.batch(4)
    t, noise = context.timesteps(4), context.noise_like(retain.x0)
    of_forget = torch.rand(4, 1, 1, 1, generator=context.generator).flatten() < mixture
    k, n = len(context.forget), len(context.forget) + len(context.retain)
    kept, forgotten = [], []
    for i in range(4):
        x, a = retain.x0[i].double(), forget.x0[i].double()
        abar = model.alphas_cumprod[t[i]].double()
        m = abar.sqrt() * (a if of_forget[i] else x) + (1 - abar).sqrt() * noise[i]
        condition = None if forget.condition is None else forget.condition[i : i + 1]
        told = model.predict_noise(m.float()[None], t[i : i + 1], condition)[0]
        near = [-(m - abar.sqrt() * x0).square().sum() / (2 * (1 - abar)) for x0 in (x, a)]
        mixed = torch.logaddexp(near[0] + torch.tensor(1 - mixture).log(), near[1] + torch.tensor(mixture).log())
        for x0, log, losses in zip((x, a), near, (kept, forgotten), strict=True):
            error = ((m - abar.sqrt() * x0) / (1 - abar).sqrt() - told).square().mean()
            losses.append((log - mixed).exp() * error)
    return n / (n - k) * torch.stack(kept).mean(), k / (n - k) * torch.stack(forgotten).mean()


@pytest.mark.parametrize("share", [0.1, 1.5])
@pytest.mark.parametrize("prompted", [False, True])
def test_its_gradient_is_the_first_less_a_share_of_the_second(
    tiny_model: UnconditionalDDPM, tiny_text_to_image: TextToImage, share: float, prompted: bool
) -> None:
    base: Any = tiny_text_to_image if prompted else tiny_model
    make: Any = context_of if prompted else forgetting_ones
    method = SISS(share=share, mixture=0.4, batch_size=4, weights="conv_in.*")
    model = base.clone()
    parameters = list(method.selection(model).values())
    for parameter in parameters:
        parameter.requires_grad_(True)
    slopes = []
    for loss in by_hand(model, make(base, method), 0.4):
        found = torch.autograd.grad(loss, parameters, retain_graph=True)
        slopes.append(torch.cat([slope.flatten() for slope in found]).double())
    base.counter.forward = base.counter.backward = 0
    method.gradients(model, make(base, method), lambda loss, **kept: loss.backward(**kept))
    assert (base.counter.forward, base.counter.backward) == (4, 8), "one evaluation, two passes back"
    first, second = slopes
    expected = first - share * first.norm() / second.norm() * second
    found = torch.cat([parameter.grad.flatten() for parameter in parameters]).double()
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5 * float(first.abs().max()))


def test_where_no_forget_image_has_any_weight_nothing_is_subtracted(tiny_model: UnconditionalDDPM) -> None:
    """A batch of retained images at a small time: nothing is left for a forget image, and has no share of the first."""
    method = SISS(share=0.5, batch_size=2, weights="conv_in.*")
    model, told = tiny_model.clone(), []
    (parameters := list(method.selection(model).values()))[0].requires_grad_(True)

    def losses(*_: Any) -> tuple[torch.Tensor, torch.Tensor]:
        kept = parameters[0].square().sum()
        return kept, 0.0 * parameters[0].sum()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(method, "_losses", losses)
        context = forgetting_ones(tiny_model, method)
        told.append(method.gradients(model, context, lambda loss, **kept: loss.backward(**kept)))
    torch.testing.assert_close(parameters[0].grad, 2 * parameters[0].detach())
    assert torch.isfinite(told[0])


def test_a_batch_of_one_stays_finite(tiny_model: UnconditionalDDPM) -> None:
    method = SISS(batch_size=1, steps=12, learning_rate=1e-6)
    unlearned = method.unlearn(tiny_model, forgetting_ones(tiny_model, method))
    assert all(torch.isfinite(p).all() for p in unlearned.denoiser.parameters())


def test_published_settings() -> None:
    published = SISS(preset="published").settings
    assert (published.mixture, published.share, published.steps, published.learning_rate) == (0.5, 0.1, 60, 5e-6)
    for name in ("published", "published_sd"):
        settings = SISS(preset=name).settings
        assert (settings.clip_norm, settings.reduction) == (1.0, "sum")


def test_a_sum_over_elements_is_so_many_times_the_mean(tiny_model: UnconditionalDDPM) -> None:
    """Adam's epsilon tells the two apart, and a clip: an image of 64 elements here."""
    found = {}
    for reduction in ("mean", "sum"):
        method, model = SISS(reduction=reduction, batch_size=4), tiny_model.clone()
        parameters = list(method.selection(model).values())
        for parameter in parameters:
            parameter.requires_grad_(True)
        method.gradients(model, forgetting_ones(tiny_model, method), lambda loss, **kept: loss.backward(**kept))
        found[reduction] = torch.cat([parameter.grad.flatten() for parameter in parameters])
    torch.testing.assert_close(found["sum"], 64 * found["mean"], rtol=1e-3, atol=1e-6)
