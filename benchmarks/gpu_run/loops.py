"""Training and sampling as one writes them with diffusers alone, around the same network, schedule, steps and batch."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

import torch
from diffusers import DDPMPipeline, DPMSolverMultistepScheduler
from diffusers.optimization import get_cosine_schedule_with_warmup
from diffusers.training_utils import EMAModel
from torch import Tensor

from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.specs import SamplerSpec, TrainingRecipe

from .timing import autocasting


class PlainTraining:
    """The usual loop: noise on the device, mean squared error, clipping, AdamW or Adam, cosine, average of the weights.

    Args:
        model: whose network is trained, in place.
        recipe: batch, optimiser, clipping and average.
        precision: of the arithmetic.
        x0: clean latents ``[B, *latent_shape]`` on the device, the batch of every step.
        condition: the embedded captions; None for an unconditional model.
    """

    def __init__(
        self, model: DiffusionModel, recipe: TrainingRecipe, precision: str, x0: Tensor, condition: Tensor | None
    ) -> None:
        self._unet, self._schedule, self._recipe, self._precision = (
            model.denoiser.requires_grad_(True).train(),
            model.noise_scheduler,
            recipe,
            precision,
        )
        self._x0, self._condition, self._T = x0, condition, model.train_timesteps
        optimizer = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
        self._optimizer = optimizer(self._unet.parameters(), lr=recipe.learning_rate)
        self._rate = get_cosine_schedule_with_warmup(self._optimizer, recipe.warmup_steps, recipe.steps)
        self._average = EMAModel(self._unet.parameters(), decay=recipe.ema_decay) if recipe.ema_decay else None

    def run(self, steps: int) -> None:
        """Take so many steps."""
        x0 = self._x0
        for _ in range(steps):
            noise = torch.randn_like(x0)
            t = torch.randint(self._T, (len(x0),), device=x0.device)
            noisy = self._schedule.add_noise(x0, noise, t)
            given = {} if self._condition is None else {"encoder_hidden_states": self._condition}
            with autocasting(self._precision, x0.device):
                predicted = self._unet(noisy, t, **given).sample
            torch.nn.functional.mse_loss(predicted.float(), noise).backward()
            if self._recipe.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(self._unet.parameters(), self._recipe.clip_norm)
            self._optimizer.step()
            self._rate.step()
            self._optimizer.zero_grad()
            if self._average is not None:
                self._average.step(self._unet.parameters())


def plain_sampling(
    model: DiffusionModel, n: int, prompts: Sequence[str] | None, sampler: SamplerSpec, precision: str
) -> None:
    """`n` images in one batch by diffusers' own pipeline, with the suite's scheduler and its settings."""
    config = {**model.noise_scheduler.config, "timestep_spacing": sampler.timestep_spacing}
    config.pop("_use_default_values", None)
    known = inspect.signature(DPMSolverMultistepScheduler.__init__).parameters
    scheduler = DPMSolverMultistepScheduler(
        **{key: value for key, value in config.items() if key in known and key != "variance_type"},
        algorithm_type="dpmsolver++",
    )
    generator = torch.Generator(model.device).manual_seed(0)
    with torch.inference_mode(), autocasting(precision, model.device):
        if isinstance(model, TextToImage):
            whole = model.pipeline()
            whole.register_modules(scheduler=scheduler)
            whole.set_progress_bar_config(disable=True)
            whole(
                list(prompts or ()),
                num_inference_steps=sampler.steps,
                guidance_scale=sampler.guidance_scale,
                generator=generator,
                output_type="np",
            )
        else:
            plain = DDPMPipeline(model.denoiser, scheduler)
            plain.set_progress_bar_config(disable=True)
            plain(batch_size=n, num_inference_steps=sampler.steps, generator=generator, output_type="np")
