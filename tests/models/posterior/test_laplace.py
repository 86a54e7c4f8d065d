"""The diagonal Laplace approximation against closed forms, on a denoiser that is linear: eps_theta(x, t) = w * x."""

from __future__ import annotations

import pytest
import torch
from linear import LinearModel
from torch import Tensor

from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.posterior.laplace import laplace_posterior
from vdu_bench.models.selection import selected_parameters
from vdu_bench.models.specs import LaplacePosterior, SamplerSpec

SHAPE = (1, 8, 8)
SAMPLES, OBSERVATIONS, PRIOR_STD = 600, 50, 0.2


class Planted(LinearModel):
    """A linear model whose samples are all one image: black above, grey below."""

    def sample(self, n: int, prompts: object, *_: object) -> Tensor:  # type: ignore[override]
        assert prompts is None
        image = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
        image[:, :, 4:] = 128
        return image.expand(n, -1, -1, -1)


def posterior_of(model: LinearModel, samples: int = SAMPLES, **settings: float) -> WeightPosterior:
    spec = {"samples": samples, "observations": OBSERVATIONS, "prior_std": PRIOR_STD, **settings}
    return laplace_posterior(model, ["w"], LaplacePosterior(source="laplace", **spec), SamplerSpec(), None)


def second_moments(model: LinearModel) -> Tensor:
    """E x_t^2 of the planted image's pixels ``[1, 8, 8]``, over a uniform time: abar x_0^2 + 1 - abar."""
    x0 = model.encode(model.sample(1, None))[0]
    signal = float(model.alphas_cumprod.mean())
    return signal * x0.square() + 1 - signal


def test_one_weight_a_pixel() -> None:
    """<eps, xi> has the derivative x_i xi_i in w_i, so the Fisher information is E x_i^2."""
    weights = torch.linspace(-1, 1, 64).reshape(SHAPE)
    model = Planted(weights, SHAPE)
    posterior = posterior_of(model)
    assert torch.equal(posterior.mean["w"], weights)
    fisher = (posterior.std["w"] ** -2 - PRIOR_STD**-2) / OBSERVATIONS
    expected = second_moments(model)
    # 32 pixels with 600 draws each: a mean of 19,200 squared products of normals, each with a relative variance of 8
    # or less, and so known to 2 %.
    for half in (slice(0, 4), slice(4, 8)):
        assert float(fisher[:, half].mean()) == pytest.approx(float(expected[:, half].mean()), rel=0.08)
    assert float(expected[:, :4].mean()) > 1.2 * float(expected[:, 4:].mean()), "the two could not be told apart"


def test_one_weight_for_all_pixels() -> None:
    """The derivative is sum_i x_i xi_i: squared after the sum, its mean is sum_i E x_i^2."""
    model = Planted(torch.tensor([0.3]), SHAPE)
    fisher = float((posterior_of(model).std["w"] ** -2 - PRIOR_STD**-2) / OBSERVATIONS)
    # A chi-square of one degree: a relative variance of 2 over 600 draws, 6 %.
    assert fisher == pytest.approx(float(second_moments(model).sum()), rel=0.2)


def test_observations_and_prior_enter_as_the_formula_says() -> None:
    model = Planted(torch.zeros(SHAPE), SHAPE)

    def precision(**settings: float) -> Tensor:
        return posterior_of(model, 20, **settings).std["w"].double() ** -2

    fisher = precision(observations=1, prior_std=1e6)
    for observations, prior_std in ((1, 0.5), (300, 0.5), (300, 0.01)):
        expected = observations * fisher + prior_std**-2
        torch.testing.assert_close(
            precision(observations=observations, prior_std=prior_std), expected, rtol=1e-4, atol=0
        )


def test_a_weight_that_no_sample_depends_on_keeps_the_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Planted(torch.ones(SHAPE), SHAPE)
    monkeypatch.setattr(model, "_call_denoiser", lambda x_t, *_: x_t * (0 * model.denoiser.w))
    torch.testing.assert_close(posterior_of(model, 3).std["w"], torch.full(SHAPE, PRIOR_STD))


def test_it_is_the_same_again_and_leaves_the_model_as_it_was() -> None:
    model = Planted(torch.ones(SHAPE), SHAPE).freeze()
    torch.manual_seed(1)
    state, seen = torch.get_rng_state(), []
    one = posterior_of(model, 5)
    assert torch.equal(torch.get_rng_state(), state)
    spec = LaplacePosterior(source="laplace", samples=5, observations=OBSERVATIONS, prior_std=PRIOR_STD)
    torch.manual_seed(2)
    two = laplace_posterior(model, ["w"], spec, SamplerSpec(), None, seen.append)
    assert torch.equal(one.std["w"], two.std["w"])
    assert seen == [1] * 5
    assert not model.denoiser.w.requires_grad
    assert model.denoiser.w.grad is None
    # The mean is a copy: what becomes of the model later does not move it.
    model.denoiser.w.data.add_(1)
    assert torch.equal(one.mean["w"], torch.ones(SHAPE))


def test_of_a_text_to_image_model_it_takes_the_named_weights_and_the_prompts(tiny_text_to_image: TextToImage) -> None:
    names = list(selected_parameters(tiny_text_to_image.denoiser, "cross_attention"))
    spec = LaplacePosterior(source="laplace", samples=3, prior_std=0.05)
    sampler = SamplerSpec(steps=2, guidance_scale=2.0)

    def of(prompts: list[str]) -> WeightPosterior:
        return laplace_posterior(tiny_text_to_image, names, spec, sampler, prompts)

    one = of(["a hat", "bangs", "a person"])
    assert list(one.mean) == list(one.std) == names
    weights = dict(tiny_text_to_image.denoiser.named_parameters())
    for name in names:
        assert torch.equal(one.mean[name], weights[name])
        assert bool((one.std[name] > 0).all())
        assert bool((one.std[name] <= 0.05 * (1 + 1e-6)).all())
        assert bool((one.std[name] < 0.05).any())
    again, other = of(["a hat", "bangs", "a person"]), of(["", "", ""])
    assert all(torch.equal(one.std[name], again.std[name]) for name in names)
    assert not any(torch.equal(one.std[name], other.std[name]) for name in names if "to_k" in name)
