"""A diffusion model with a closed form for everything: its denoiser is linear, eps_theta(x, t) = w * x."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn

from vdu_bench.models.diffusion import DiffusionModel


class Elementwise(nn.Module):
    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.w = nn.Parameter(weights.clone())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.w


class LinearModel(DiffusionModel):
    """Unconditional, on pixels.

    Args:
        weights: ``[C, H, W]``, one for each pixel, or what broadcasts to it.
        shape: ``(C, H, W)``.
    """

    conditioning = "unconditional"

    def __init__(self, weights: Tensor, shape: tuple[int, int, int]) -> None:
        super().__init__(Elementwise(weights), DDPMScheduler())
        self._shape = shape

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        return self._shape

    def _call_denoiser(self, x_t: Tensor, t: Tensor, condition: Tensor | None) -> Tensor:  # noqa: ARG002
        return self.denoiser(x_t)

    def encode(self, images: Tensor) -> Tensor:
        return images.float() / 127.5 - 1

    def decode(self, x0: Tensor) -> Tensor:
        return ((x0.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)

    def condition(self, prompts: Sequence[str] | None) -> None:
        assert prompts is None

    def check_prompts(self, n: int, prompts: Any) -> None:  # noqa: ARG002
        self.condition(prompts)

    def _sampling_denoiser(self, prompts: Any, guidance_scale: float) -> Callable[[Tensor, Tensor], Tensor]:  # noqa: ARG002
        return self.denoise

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, source: Any) -> LinearModel:
        raise NotImplementedError
