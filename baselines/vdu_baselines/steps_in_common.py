"""Steps that several baselines take alike."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vdu_bench.methods.context import UnlearningContext
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.specs import SamplerSpec


def denoised_on_the_way(
    model: DiffusionModel,
    context: UnlearningContext,
    prompts: Sequence[str] | None,
    n: int,
    steps: int,
    guidance: float,
) -> tuple[Tensor, Tensor]:
    """Noise that a model has denoised to a random step, one for all images: x_t and t.

    Args:
        model: whose sampler it is.
        context: its generator draws the step, and then the noise.
        prompts: what is asked for.
        n: how many images.
        steps: DDIM's, of the whole way.
        guidance: on it.
    """
    sampler = SamplerSpec(name="ddim", steps=steps, guidance_scale=guidance)
    stop = int(torch.randint(sampler.steps, (1,), generator=context.generator))
    noise = torch.randn(n, *model.latent_shape, generator=context.generator)
    return model.denoised_until(stop, prompts, noise, sampler)


def missed_by(model: DiffusionModel, x_t: Tensor, t: Tensor, x0: Tensor) -> Tensor:
    """``sigma_t eps_theta(x_t, t) - (x_t - sqrt(abar_t) x_0)``: an unconditional model's error in units of x_t.

    In units of the noise, what is to be denoised to another image would be decided by small t alone.
    """
    process = model.process
    sigma = process.sigma(t).reshape(-1, *[1] * (x_t.dim() - 1))
    return sigma * (model.predict_noise(x_t, t) - process.noise_from(x0, x_t, t, "sample"))
