"""How data become noise, and what a network's prediction says of the noise. All in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import torch
from diffusers import DDPMScheduler
from torch import Tensor

Prediction = Literal["epsilon", "v_prediction", "sample"]
"""What a network predicts, in diffusers' words: the noise, v, or the clean latents."""


@dataclass(frozen=True, eq=False)
class NoiseProcess:
    """x_t = signal(t) x_0 + sigma(t) eps at T discrete times, with signal^2 + sigma^2 = 1 (Ho et al. 2020, eq. 4).

    Times are int64, ``[N]`` or a scalar; latents are ``[N, ...]`` on this process's device. What is not determined
    (the noise from x_0 where there is none in x_t) comes out as infinite or NaN.

    Attributes:
        alphas_cumprod: alphabar_t, ``[T]``.
    """

    alphas_cumprod: Tensor

    @classmethod
    def of(cls, scheduler: DDPMScheduler) -> Self:
        """The process that a diffusers schedule describes, as float32 on the CPU."""
        return cls(scheduler.alphas_cumprod)

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        """This process elsewhere and in another precision, from which all else follows."""
        return type(self)(self.alphas_cumprod.to(device, dtype))

    def lies(self, device: torch.device, dtype: torch.dtype) -> bool:
        """Whether it is there, in that precision."""
        return self.alphas_cumprod.device == device and self.alphas_cumprod.dtype == dtype

    @property
    def T(self) -> int:
        """How many times there are: t is 0..T-1."""
        return len(self.alphas_cumprod)

    def signal(self, t: Tensor) -> Tensor:
        """sqrt(alphabar_t), shaped as `t`: how much of the data is left."""
        return self.alphas_cumprod[t].sqrt()

    def sigma(self, t: Tensor) -> Tensor:
        """sqrt(1 - alphabar_t), shaped as `t`: the deviation of the noise."""
        return (1 - self.alphas_cumprod[t]).sqrt()

    def add_noise(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """x_t, shaped as `x0`."""
        signal, sigma = self._at(t, x0)
        return signal * x0 + sigma * noise

    def noise_from(self, output: Tensor, x_t: Tensor, t: Tensor, kind: Prediction) -> Tensor:
        """eps, from a network's `output` of some kind at `x_t`.

        With v = signal eps - sigma x_0 (Salimans & Ho 2022), eps is sigma x_t + signal v; from x_0 it is
        (x_t - signal x_0) / sigma.
        """
        if kind == "epsilon":
            return output
        signal, sigma = self._at(t, x_t)
        if kind == "v_prediction":
            return sigma * x_t + signal * output
        if kind == "sample":
            return (x_t - signal * output) / sigma
        raise ValueError(f"unknown prediction type {kind!r}")

    def _at(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        shape = (-1, *[1] * (like.dim() - 1))
        return self.signal(t).reshape(shape), self.sigma(t).reshape(shape)
