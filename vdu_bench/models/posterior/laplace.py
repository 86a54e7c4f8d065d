"""The posterior over weights of a model with no other checkpoint: a diagonal Laplace approximation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.sampling import initial_noise
from vdu_bench.models.specs import LaplacePosterior, SamplerSpec
from vdu_bench.models.upload import upload
from vdu_bench.seeds import derive_seed


def laplace_posterior(
    model: DiffusionModel,
    names: Sequence[str],
    spec: LaplacePosterior,
    sampler: SamplerSpec,
    prompts: Sequence[str] | None,
    on_image: Callable[[int], None] | None = None,
) -> WeightPosterior:
    """N(theta, diag(1 / (N F_i + 1 / prior_std^2))) (MacKay 1992), on the CPU.

    F is the diagonal of the Fisher information of the denoiser, read as the mean of a standard normal over the noise
    (what its squared error is the likelihood of): E (d <eps_theta(x_t, t, c), xi> / d theta_i)^2, xi standard normal,
    x_t the model's own samples noised to a uniform time. N is ``spec.observations``. The choice of the likelihood's
    unit variance, of N and of the prior are this project's.

    Args:
        model: its weights are the mean.
        names: the denoiser's parameters to estimate.
        spec: how many samples, N, the prior's deviation.
        sampler: how they are drawn.
        prompts: one for each sample; None for an unconditional model.
        on_image: called with 1 after each.

    Raises:
        Diverged: the model's samples are not finite.
    """
    images = model.sample(spec.samples, prompts, initial_noise(spec.samples, model.latent_shape, 0, "laplace"), sampler)
    parameters = dict(model.denoiser.named_parameters())
    chosen = [parameters[name] for name in names]
    squares = [torch.zeros_like(parameter) for parameter in chosen]
    generator = torch.Generator().manual_seed(derive_seed(0, "laplace"))
    trainable = [parameter.requires_grad for parameter in chosen]
    for parameter in chosen:
        parameter.requires_grad_(True)
    try:
        for place in range(spec.samples):
            gradients = torch.autograd.grad(_pushed(model, images, prompts, place, generator), chosen)
            for square, gradient in zip(squares, gradients, strict=True):
                square += gradient.square()
            if on_image is not None:
                on_image(1)
    finally:
        for parameter, before in zip(chosen, trainable, strict=True):
            parameter.requires_grad_(before)
    mean = {name: parameters[name].detach().cpu().clone() for name in names}
    std = {
        name: (spec.observations * square / spec.samples + spec.prior_std**-2).rsqrt().detach().cpu()
        for name, square in zip(names, squares, strict=True)
    }
    return WeightPosterior(mean, std)


def _pushed(
    model: DiffusionModel, images: Tensor, prompts: Sequence[str] | None, place: int, generator: torch.Generator
) -> Tensor:
    """<eps_theta(x_t, t, c), xi> of one sample."""
    x0 = model.encode(images[place : place + 1])
    # Drawn on the CPU and moved, so that every device sees the same draws.
    t = upload(torch.randint(model.train_timesteps, (1,), generator=generator), x0)
    noise, direction = (upload(torch.randn(x0.shape, generator=generator), x0) for _ in range(2))
    condition = model.condition(None if prompts is None else prompts[place : place + 1])
    return (model.predict_noise(model.add_noise(x0, noise, t), t, condition) * direction).sum()
