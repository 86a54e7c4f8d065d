"""What a judge sees while it learns, beside the training images themselves."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vdu_bench.models.upload import upload

NOISE_LEVELS = (0.3, 1.0)
UNTOUCHED = 0.5
"""Share of the training images that are shown as they are, without jitter."""


def sometimes_jittered(x: Tensor, max_shift: int, max_rotation: float, generator: torch.Generator) -> Tensor:
    """The images, each by `jitter` or, with the chance `UNTOUCHED`, as it is."""
    untouched = torch.rand(len(x), 1, 1, 1, generator=generator) < UNTOUCHED
    return torch.where(untouched.to(x.device), x, jitter(x, max_shift, max_rotation, generator))


def jitter(x: Tensor, max_shift: int, max_rotation: float, generator: torch.Generator) -> Tensor:
    """Each image turned and moved a little, edges repeated.

    Args:
        x: float ``[N, C, H, W]``.
        max_shift: largest translation each way, in pixels.
        max_rotation: largest rotation each way, in degrees.
        generator: a CPU generator.
    """
    n, _, height, width = x.shape
    angle = (torch.rand(n, generator=generator) * 2 - 1) * math.radians(max_rotation)
    shift = (torch.rand(n, 2, generator=generator) * 2 - 1) * 2 * max_shift
    affine = torch.zeros(n, 2, 3)
    affine[:, 0, 0], affine[:, 0, 1] = angle.cos(), -angle.sin()
    affine[:, 1, 0], affine[:, 1, 1] = angle.sin(), angle.cos()
    affine[:, 0, 2], affine[:, 1, 2] = shift[:, 0] / width, shift[:, 1] / height
    # What is drawn is moved, and what is as large as the images is made where they are.
    grid = torch.nn.functional.affine_grid(affine.to(x), list(x.shape), align_corners=False)
    return torch.nn.functional.grid_sample(x, grid, padding_mode="border", align_corners=False)


def mirror(x: Tensor, generator: torch.Generator) -> Tensor:
    """Half of the images, chosen at random, with left and right exchanged; float ``[N, C, H, W]``, a CPU generator."""
    flipped = torch.rand(len(x), 1, 1, 1, generator=generator) < 0.5
    return torch.where(flipped.to(x.device), x.flip(3), x)


def off_manifold(x: Tensor, generator: torch.Generator) -> Tensor:
    """Images that are none of the classes, one made from each of `x` by one of five ways chosen at random.

    The failures that unlearning is known to produce: pixels in a random order, a blend of two images, an image
    drowned in noise, noise alone, and a constant. Teaching a classifier to name them is outlier exposure
    (Hendrycks, Mazeika & Dietterich 2019).

    Args:
        x: float ``[N, C, H, W]`` in [-1, 1].
        generator: a CPU generator.
    """
    n = len(x)
    way = torch.randint(5, (n,), generator=generator)
    order = torch.rand(n, x.shape[2] * x.shape[3], generator=generator).to(x.device).argsort(1)
    shuffled = x.flatten(2).gather(2, order[:, None].expand(-1, x.shape[1], -1)).reshape(x.shape)
    partner = x[torch.randperm(n, generator=generator).to(x.device)]
    low, high = NOISE_LEVELS
    level = low + (high - low) * torch.rand(n, 1, 1, 1, generator=generator).to(x)
    noise = upload(torch.randn(x.shape, generator=generator), x)
    drowned = (1 - level) * x + level * noise
    constant = (torch.rand(n, 1, 1, 1, generator=generator) * 2 - 1).to(x).expand_as(x)
    candidates = torch.stack([shuffled, (x + partner) / 2, drowned, noise, constant])
    return candidates[way.to(x.device), torch.arange(n, device=x.device)].clamp(-1, 1)
