"""Probes that look at a model by its denoising loss on given images, and draw none."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from vdu_bench.errors import Diverged
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.upload import upload
from vdu_bench.probes.context import ProbeContext
from vdu_bench.probes.probe import Probe
from vdu_bench.seeds import derive_seed
from vdu_bench.spec import PositiveInt, Spec


class LossSettings(Spec):
    """At how many times, and over how many noises, a loss is taken; together they are what an image costs."""

    times: PositiveInt = Field(10, description="training times, evenly spaced, that a loss is taken at")
    noises: PositiveInt = Field(1, description="noises at each of them")
    batch_size: PositiveInt = Field(100, description="images at a time")


class LossContext(ProbeContext):
    """Hands over images that a model drew, too.

    Attributes:
        drawn: by name, uint8 ``[N, C, H, W]``; empty for a probe that reads none.
    """

    drawn: Mapping[str, Tensor]

    def __init__(self, *arguments: Any, drawn: Mapping[str, Tensor], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.drawn = drawn


class LossProbe(Probe):
    """Gives losses in the place of images: what it draws is float32 ``[N]`` by name, one for each image.

    It is asked for and kept as any other. No judge reads what it gives.
    """

    of_samples: ClassVar[bool] = False
    """Whether losses are on samples, of the model and of the retrained one, and not on real images."""

    settings: LossSettings

    @abstractmethod
    def draw(self, model: DiffusionModel, context: ProbeContext) -> Mapping[str, Tensor]:
        """Losses by what the images are called, float32 ``[N]`` on the CPU. Raises Diverged for one not finite."""


Taken = tuple[Tensor, Tensor | None]
"""Clean latents and the condition that they are denoised under, on the model's device."""


@torch.no_grad()
def denoising_losses(
    model: DiffusionModel,
    count: int,
    take: Callable[[Tensor], Taken],
    settings: LossSettings,
    seed: int,
    on_batch: Callable[[int], None] | None = None,
) -> Tensor:
    """The simple objective of each image (Ho et al. 2020, eq. 14), at fixed times and noises.

        L(x) = mean over k, j, elements of (eps_kj - eps_theta(x_t, t_k, c))^2,  t_k = floor(T (k + 1/2) / K)

    Noise comes from CPU generators that the seed, k, j and the batch's first row decide, so all models see the same.

    Args:
        model: stays as it is.
        count: how many images there are.
        take: gives those at some positions, int64 ``[B]``, with their condition.
        settings: K times, j of the noises, and the size of a batch.
        seed: of the noise.
        on_batch: called with the number of images of each finished batch.

    Returns:
        float32 ``[count]`` on the CPU.

    Raises:
        Diverged: a loss is not finite.
    """
    if count == 0:
        return torch.empty(0)
    model.denoiser.eval()
    losses = []
    for rows in torch.arange(count).split(settings.batch_size):
        x0, condition = take(rows)
        sums = torch.zeros(len(rows), dtype=torch.float64, device=x0.device)
        for k in range(settings.times):
            time = int(model.train_timesteps * (k + 0.5) / settings.times)
            t = torch.full((len(rows),), time, device=x0.device)
            for j in range(settings.noises):
                generator = torch.Generator().manual_seed(derive_seed(seed, "loss", int(rows[0]), k, j))
                noise = upload(torch.randn(x0.shape, generator=generator), x0)
                found = model.predict_noise(model.add_noise(x0, noise, t), t, condition)
                sums += (found - noise).float().square().flatten(1).mean(1).double()
        losses.append((sums / (settings.times * settings.noises)).float().cpu())
        if on_batch is not None:
            on_batch(len(rows))
    together = torch.cat(losses)
    if not bool(torch.isfinite(together).all()):
        raise Diverged("a denoising loss is not finite")
    return together
