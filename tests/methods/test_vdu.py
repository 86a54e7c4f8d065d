"""VDU against closed forms, on a denoiser that is linear: eps_theta(x, t) = w * x, one weight for each pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler
from linear import LinearModel
from torch import Tensor

from vdu_bench.data.image_set import ImageSet
from vdu_bench.errors import UserError
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.vdu import VDU, elbo_weights
from vdu_bench.methods.vdu_contrast import VDUContrast
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.posterior.gaussian import WeightPosterior

WEIGHTS = torch.tensor([[[0.1, -0.4], [0.7, 0.2]]])
MEAN = torch.tensor([[[0.0, -0.5], [0.5, 0.3]]])
STD = torch.tensor([[[0.5, 0.1], [0.2, 1.0]]])


def linear() -> LinearModel:
    return LinearModel(WEIGHTS, (1, 2, 2))


def make_context(model: DiffusionModel) -> UnlearningContext:
    images = torch.randint(256, (6, 1, 2, 2), generator=torch.Generator().manual_seed(5)).to(torch.uint8)
    train = ImageSet.of_classes(images, torch.tensor([0, 0, 0, 0, 1, 1]), ["a", "b"])
    posterior = WeightPosterior({"w": MEAN}, {"w": STD})
    return UnlearningContext(
        model, train, "a", "forget_only", VDU.needs, 0, posterior.only, lambda: pytest.fail("nobody asked for it")
    )


def started(model: DiffusionModel, **settings: Any) -> tuple[VDU, UnlearningContext]:
    # The smallest deviation is the floor, so the floor changes nothing.
    kind = VDUContrast if "contrast" in settings or "condition" in settings else VDU
    method = kind(kind.Settings(batch_size=8, variance_floor=0.01, **settings))
    # The base is another than the one that is trained.
    context = make_context(model.clone())
    method.start(model, context)
    return method, context


def draws(context: UnlearningContext) -> tuple[Tensor, Tensor, Tensor]:
    """The very batch, times and noise that a method sees next."""
    x0 = context.forget.batch(8).x0
    return x0, context.timesteps(8), context.noise_like(x0)


def ascent(
    draw: tuple[Tensor, Tensor, Tensor],
    weighting: str = "simple",
    error_cap: float | None = None,
    contrast: float = 0.0,
) -> Tensor:
    """d/dw_i, at the base, of the mean over pixels and images of C_t (eps_i - w_i x_i)^2."""
    x0, t, eps = draw
    alphabar = DDPMScheduler().alphas_cumprod[t].reshape(-1, 1, 1, 1)
    x_t = alphabar.sqrt() * x0 + (1 - alphabar).sqrt() * eps
    # eps + k (eps - eps_base) - eps_theta, where theta is still the base.
    residual = (1 + contrast) * (eps - WEIGHTS * x_t)
    error = residual.square().mean((1, 2, 3))
    c_t = elbo_weights(linear())[t] if weighting == "elbo" else torch.ones(8)
    # Nothing from images above the cap.
    counted = torch.ones(8) if error_cap is None else (error < error_cap).float()
    return ((c_t * counted).reshape(-1, 1, 1, 1) * -2 * x_t * residual / 4).mean(0)


def backward(loss: Tensor, *, retain_graph: bool = False) -> None:
    """As the shared loop hands it to a method."""
    loss.backward(retain_graph=retain_graph)


@pytest.mark.parametrize("space", ["parameter", "posterior"])
@pytest.mark.parametrize("center", ["base", "mean"])
@pytest.mark.parametrize("weighting", ["simple", "elbo"])
@pytest.mark.parametrize(("error_cap", "contrast"), [(None, None), (0.8, None), (None, 2.0), (7.2, 2.0)])
def test_gradient_is_the_closed_form(
    space: str, center: str, weighting: str, error_cap: float | None, contrast: float | None
) -> None:
    gamma = 0.3
    model, twin = linear(), make_context(linear())
    told = (weighting, error_cap, contrast or 0.0)
    # The scale: sqrt(d) times the mean norm of the gradient in z over eight batches.
    norms = [float((STD * ascent(draws(twin), *told)).norm()) for _ in range(8)]
    scale = sum(norms) / 8 * 2
    mu = WEIGHTS if center == "base" else MEAN
    pull = scale * (WEIGHTS - mu) / STD.square() / 4
    draw = draws(twin)
    slope = ascent(draw, *told)
    mute = torch.equal(slope, ascent(draw, weighting, None, contrast or 0.0))
    assert mute == (error_cap is None), "some image is above the cap"
    expected = -(1 - gamma) * slope + gamma * pull
    if space == "posterior":
        expected = expected * STD  # theta = mu + sigma z

    settings = {"gamma": gamma, "space": space, "center": center, "weighting": weighting, "error_cap": error_cap}
    method, context = started(model, **settings, **({} if contrast is None else {"contrast": contrast}))
    (parameter,) = method.parameters(model)
    method.gradients(model, context, backward)
    torch.testing.assert_close(parameter.grad, expected, rtol=1e-4, atol=1e-6)


def test_at_half_the_two_balance_one_deviation_away() -> None:
    model, twin = linear(), make_context(linear())
    slope = sum(float((STD * ascent(draws(twin))).norm()) for _ in range(8)) / 8
    method, _ = started(model, gamma=0.5)
    (z,) = method.parameters(model)
    with torch.no_grad():
        z.copy_(torch.tensor([[[1.0, -1.0], [1.0, -1.0]]]))  # a root mean square of 1
    (0.5 * method._scale * method._stability([z])).backward()
    assert float(z.grad.norm()) == pytest.approx(0.5 * slope, rel=1e-5)


@pytest.mark.parametrize("space", ["parameter", "posterior"])
def test_without_gamma_it_is_plain_ascent_and_nothing_is_measured(space: str) -> None:
    model, twin = linear(), make_context(linear())
    expected = -ascent(draws(twin)) * (STD if space == "posterior" else 1)
    method, context = started(model, gamma=0, space=space, center="mean")
    assert model.counter.forward == 0
    (parameter,) = method.parameters(model)
    method.gradients(model, context, backward)
    torch.testing.assert_close(parameter.grad, expected, rtol=1e-4, atol=1e-6)


def test_the_batches_of_the_scale_count() -> None:
    model = linear()
    started(model, gamma=0.5)
    assert (model.counter.forward, model.counter.backward) == (8 * 8, 8 * 8)


def test_an_unconditional_model_cannot_be_told_a_prompt() -> None:
    with pytest.raises(UserError, match="vdu_contrast: condition: concept needs prompts"):
        started(linear(), condition="concept")


def test_loss_is_the_closed_form_at_a_known_point() -> None:
    model = linear()
    method, context = started(model, gamma=1.0, center="mean")
    z = (WEIGHTS - MEAN) / STD
    expected = float(method._scale) * float(z.square().sum() / 8)
    assert float(method.loss(model, context).detach()) == pytest.approx(expected, rel=1e-5)


def test_elbo_weights_are_ho_et_al_s() -> None:
    scheduler = DDPMScheduler()
    beta = scheduler.betas.double()
    alpha = 1 - beta
    alphabar = alpha.cumprod(0)
    expected = beta**2 / (2 * beta * alpha * (1 - alphabar))
    torch.testing.assert_close(elbo_weights(linear()), expected.float(), rtol=1e-6, atol=0)


def test_elbo_has_no_weight_for_a_time_without_signal() -> None:
    model = linear()
    model.noise_scheduler = DDPMScheduler(rescale_betas_zero_snr=True)
    with pytest.raises(UserError, match="no weight for a last time without signal"):
        elbo_weights(model)


def test_gamma_one_holds_the_model_where_it_is() -> None:
    model = linear()
    settings = VDU.Settings(gamma=1.0, batch_size=4, steps=5, variance_floor=0.01)
    unlearned = VDU(settings).unlearn(model, make_context(model))
    torch.testing.assert_close(unlearned.denoiser.w, WEIGHTS)


def test_unlearning_raises_the_error_on_the_forget_set_and_leaves_the_base_alone() -> None:
    model = linear()
    settings = VDU.Settings(gamma=0.1, batch_size=4, steps=20, learning_rate=0.1, variance_floor=0.01)
    unlearned = VDU(settings).unlearn(model, make_context(model))
    x0, t, eps = draws(make_context(model))

    def error(m: DiffusionModel) -> float:
        return float((eps - m.predict_noise(m.add_noise(x0, eps, t), t)).square().mean().detach())

    assert error(unlearned) > 1.2 * error(model)
    assert torch.equal(model.denoiser.w.detach(), WEIGHTS)
    # Plain parameters again, of the very names that a checkpoint has.
    assert [name for name, _ in unlearned.denoiser.named_parameters()] == ["w"]


@pytest.mark.parametrize("space", ["parameter", "posterior"])
def test_a_posterior_from_a_file_fits_the_network_by_name(
    space: str, tiny_model: UnconditionalDDPM, tmp_path: Path
) -> None:
    weights = {name: p.detach().clone() for name, p in tiny_model.denoiser.named_parameters()}
    WeightPosterior(weights, {name: torch.full_like(p, 0.01) for name, p in weights.items()}).save(tmp_path / "p")
    posterior = WeightPosterior.load(tmp_path / "p")
    assert list(posterior.std) != list(weights), "a file keeps the names in an order of its own"
    context = UnlearningContext(
        tiny_model,
        ImageSet.of_classes(torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 0, 1, 1]), ["a", "b"]),
        "a",
        "forget_only",
        VDU.needs,
        0,
        posterior.only,
        lambda: pytest.fail("nobody asked for it"),
    )
    method = VDU(VDU.Settings(gamma=1.0, space=space, center="mean", batch_size=2))
    trained = tiny_model.clone()
    trained.denoiser.requires_grad_(True)
    method.start(trained, context)
    # At the posterior's own mean the regularizer is zero, up to the half precision that the file keeps the mean in.
    assert float(method._stability(method._z()).detach()) < 1e-4
