"""Noise in the shape of the posterior."""

from __future__ import annotations

import pytest
import torch
from prompted import context_of

from vdu_baselines.perturb import Perturb
from vdu_bench.methods.catalog import method_facts
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.posterior.gaussian import WeightPosterior


def posterior_of(model: TextToImage, shift: float = 0.5) -> WeightPosterior:
    """Deviations from 0 to 1, a mean that is not the base's weights."""
    weights = dict(model.denoiser.named_parameters())
    mean = {name: p.detach() + shift for name, p in weights.items()}
    return WeightPosterior(mean, {name: torch.linspace(0, 1, p.numel()).view_as(p) for name, p in weights.items()})


@pytest.mark.parametrize(("center", "shift"), [("base", 0.0), ("mean", 0.5)])
def test_weights_are_the_center_and_noise_of_the_posterior_s_deviations(
    tiny_text_to_image: TextToImage, center: str, shift: float
) -> None:
    base, posterior = tiny_text_to_image, posterior_of(tiny_text_to_image)
    method = Perturb(strength=3.0, center=center)
    context = context_of(base, method, posterior)
    after = dict(method.unlearn(base, context).denoiser.named_parameters())
    chosen, noise = [name for name in after if "attn2.to_" in name], []
    for name, before in base.denoiser.named_parameters():
        if name not in chosen:
            assert after[name] is before, "what is not perturbed is the base's own"
            continue
        away, std = after[name] - before - shift, posterior.std[name]
        assert float(away.flatten()[0].abs()) < 1e-6, "no deviation, no noise"
        noise.append((away / std).flatten()[std.numel() // 2 :] / 3.0)
    drawn = torch.cat(noise)
    n = len(drawn)
    assert abs(float(drawn.mean())) < 5 / n**0.5
    assert float(drawn.std()) == pytest.approx(1, abs=5 / (2 * n) ** 0.5)
    assert (context.ledger().posterior, context.ledger().images, base.counter.forward) == (True, 0, 0)


def test_nothing_at_strength_0_and_the_same_noise_by_the_same_seed(tiny_text_to_image: TextToImage) -> None:
    base = tiny_text_to_image

    def perturbed(strength: float) -> dict[str, torch.Tensor]:
        method = Perturb(strength=strength)
        context = context_of(base, method, posterior_of(base))
        method.prepare(base, context)
        return dict(method.unlearn(base, context).denoiser.named_parameters())

    assert all(torch.equal(p, perturbed(0.0)[name]) for name, p in base.denoiser.named_parameters())
    one, other = perturbed(1.0), perturbed(1.0)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_its_strength_is_what_a_sweep_goes_over() -> None:
    assert Perturb.strength in Perturb.Settings.model_fields
    assert method_facts("perturb").needs == ("posterior",)
