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
from vdu_bench.models.specs import ModelKind, ModelRecipe
from vdu_bench.seeds import derive_seed


class UnconditionalDDPM(DiffusionModel):
    """Latents are pixels scaled to [-1, 1]; there is no condition."""

    kind: ClassVar[ModelKind] = "unconditional"
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
        DDPMPipeline(self.denoiser, self.noise_scheduler).save_pretrained(folder, safe_serialization=True)

    @classmethod
    def load(cls, source: str | Path) -> Self:
        disable_progress_bar()
        # The network is initialised before it is filled; the global generator is set aside for that.
        with torch.random.fork_rng(devices=[]):
            pipeline = DDPMPipeline.from_pretrained(str(source), use_safetensors=True, low_cpu_mem_usage=False)
        # Where it was read from would be written into the next folder that it is saved to, and into its checksum.
        pipeline.unet.register_to_config(_name_or_path="")
        return cls(pipeline.unet.float(), DDPMScheduler.from_config(pipeline.scheduler.config))
