"""An unconditional pixel-space DDPM: diffusers' UNet2DModel with its noise schedule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, Self

import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from diffusers.utils.logging import disable_progress_bar
from torch import Tensor

from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.components import read_component, read_noise_scheduler
from vdu_bench.models.pipelines.pipeline_files import check_pipeline, pipeline_folder
from vdu_bench.models.pipelines.registry import PIPELINES, PipelineFacts
from vdu_bench.models.specs import ModelKind, ModelRecipe
from vdu_bench.seeds import derive_seed


class UnconditionalDDPM(DiffusionModel):
    """Latents are pixels scaled to [-1, 1]; there is no condition."""

    facts: ClassVar[PipelineFacts] = PIPELINES["DDPMPipeline"]
    conditioning: ClassVar[ModelKind] = facts.conditioning
    in_pixels: ClassVar[bool] = True
    denoiser: UNet2DModel

    @classmethod
    def from_recipe(cls, recipe: ModelRecipe) -> Self:
        """The untrained network of a recipe; its initial weights depend on the recipe's train seed alone."""
        # torch's initialisers take no generator, so the global one is set aside and given back.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(recipe.training.seed, "init"))
            denoiser = UNet2DModel(**recipe.denoiser)
        return cls(denoiser, DDPMScheduler(**recipe.noise_scheduler))

    def _call_denoiser(self, x_t: Tensor, t: Tensor, condition: Tensor | None) -> Tensor:
        if condition is not None:
            raise ValueError("an unconditional model takes no condition")
        return self.denoiser(x_t, t).sample

    def encode(self, images: Tensor) -> Tensor:
        return images.to(self.device).to(self.dtype) / 127.5 - 1

    def decode(self, x0: Tensor) -> Tensor:
        return ((x0.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu()

    def condition(self, prompts: Sequence[str] | None) -> None:
        if prompts is not None:
            raise ValueError("an unconditional model takes no prompts")

    def check_prompts(self, n: int, prompts: Sequence[str] | None) -> None:  # noqa: ARG002
        self.condition(prompts)

    def _sampling_denoiser(
        self,
        prompts: Sequence[str] | None,  # noqa: ARG002
        guidance_scale: float,  # noqa: ARG002
    ) -> Callable[[Tensor, Tensor], Tensor]:
        return self.denoise

    def save(self, folder: Path) -> None:
        self._channels_first()
        DDPMPipeline(self.denoiser, self.noise_scheduler).save_pretrained(folder, safe_serialization=True)

    @classmethod
    def load(cls, source: str | Path) -> Self:
        """Read a folder or a hub id in the layout of diffusers' DDPMPipeline, as float32 on the CPU.

        Raises:
            UserError: there is no such pipeline, it is of another kind, or its U-Net cannot be read (`read_component`).
        """
        disable_progress_bar()
        folder = pipeline_folder(source, cls.facts.components)
        check_pipeline(folder, source, cls.conditioning)
        noise_scheduler = read_noise_scheduler(folder, source)
        return cls(read_component(UNet2DModel, folder, "unet", source), noise_scheduler)
