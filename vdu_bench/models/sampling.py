"""The sampling loop over diffusers' schedulers, and the initial noise that all methods share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from torch import Tensor

from vdu_bench.errors import UserError
from vdu_bench.models.specs import NOISE, SamplerSpec
from vdu_bench.models.upload import upload
from vdu_bench.seeds import derive_seed

OF_THE_MODEL = (*NOISE, "clip_sample", "steps_offset")
"""What a sampler is told of the schedule that a model was trained with; all else of it is the sampler's own."""

MANY, LATE = 20, 0.8
"""So many steps and more begin in the last fifth of the times, from noise."""


class StochasticDDIM(DDIMScheduler):
    """DDIM with fresh noise in each step (Song, Meng & Ermon 2021, eq. 16), from a CPU generator of its own."""

    def draw_from(self, eta: float, generator: torch.Generator) -> None:
        """Where the fresh noise comes from, and its share."""
        self._eta, self._generator = eta, generator

    def step(self, model_output: Tensor, timestep: Any, sample: Tensor) -> Any:
        fresh = upload(torch.randn(sample.shape, generator=self._generator), sample)
        return super().step(model_output, timestep, sample, eta=self._eta, variance_noise=fresh)


def make_scheduler(sampler: SamplerSpec, noise_scheduler: DDPMScheduler, first: int = 0) -> Any:
    """The diffusers scheduler that `sampler` names, set up for the training schedule, its timesteps set.

    `first` is the number of the batch's first image among all: what fresh noise there is depends on it. Raises
    UserError for more steps than the model was trained at times, and for times that are no way from noise to an image.
    """
    config = {key: noise_scheduler.config[key] for key in OF_THE_MODEL}
    if sampler.steps > (most := config["num_train_timesteps"]):
        raise UserError(f"sampler.steps {sampler.steps}: the model was trained at {most} times; take no more steps")
    # Said outright, since diffusers exchanges a schedule's default spacing for a sampler's own, but only until
    # the schedule has been to disk.
    spacing = sampler.timestep_spacing
    if sampler.name == "dpmsolver++":
        scheduler = DPMSolverMultistepScheduler.from_config(
            config, algorithm_type="dpmsolver++", timestep_spacing=spacing
        )
    elif sampler.eta:
        scheduler = StochasticDDIM.from_config(config, timestep_spacing=spacing)
        seed = derive_seed(sampler.seed, "fresh noise", first)
        scheduler.draw_from(sampler.eta, torch.Generator().manual_seed(seed))
    else:
        scheduler = DDIMScheduler.from_config(config, timestep_spacing=spacing)
    scheduler.set_timesteps(sampler.steps)
    _check_times(scheduler.timesteps.tolist(), most, sampler)
    return scheduler


def can_sample(sampler: SamplerSpec, train_timesteps: int) -> bool:
    """Whether `make_scheduler` takes a sampler for a model that was trained at so many times."""
    try:
        make_scheduler(sampler, DDPMScheduler(num_train_timesteps=train_timesteps))
    except UserError:
        return False
    return True


def _check_times(times: list[int], most: int, sampler: SamplerSpec) -> None:
    """Raise UserError for times that the model does not know, or that begin where there is much signal left."""
    asked = f"sampler.steps {sampler.steps} of {sampler.name} with {sampler.timestep_spacing} spacing"
    if len(set(times)) < len(times) or max(times) >= most:
        raise UserError(f"{asked} are not as many of the model's {most} times: take fewer, or another timestep_spacing")
    # A few steps are far apart, and the first is as far from the last time.
    if len(times) >= MANY and times[0] < LATE * most:
        raise UserError(
            f"{asked} begin at time {times[0]} of {most}, which is not noise alone: take fewer, or another "
            "timestep_spacing"
        )


def begin_at(scheduler: Any, step: int) -> None:
    """Tell a scheduler that keeps count of its steps which one is the first."""
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(step)


def sampling_loop(denoise: Callable[[Tensor, Tensor], Tensor], x_t: Tensor, scheduler: Any, part: slice) -> Tensor:
    """Some of the steps from noise to clean latents: the loop of diffusers' own pipelines.

    Args:
        denoise: the network's raw output for ``(x_t, t)``, in the scheduler's prediction type.
        x_t: ``[N, C, H, W]``, at the first of the times.
        scheduler: a diffusers scheduler whose timesteps are set.
        part: which of its timesteps.
    """
    begin_at(scheduler, part.start or 0)
    times = scheduler.timesteps[part]
    # All at once: to move one is to wait for what is under way.
    for t, there in zip(times, times.to(x_t.device), strict=True):
        output = denoise(scheduler.scale_model_input(x_t, t), there)
        x_t = scheduler.step(output, t, x_t).prev_sample
    return x_t


def initial_noise(n: int, latent_shape: tuple[int, ...], seed: int, purpose: str = "samples") -> Tensor:
    """Standard normal ``[n, *latent_shape]`` on the CPU: the same for every method, device and batch size."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "noise", purpose))
    return torch.randn(n, *latent_shape, generator=generator)
