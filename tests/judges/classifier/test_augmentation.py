"""Only what is drawn comes from the CPU; on a CPU the pictures are to the bit those that judges were trained on."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vdu_bench.judges.classifier.augmentation import NOISE_LEVELS, jitter, off_manifold, sometimes_jittered


def pictures(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def jittered_on_the_cpu(x: Tensor, max_shift: int, max_rotation: float, generator: torch.Generator) -> Tensor:
    n, _, height, width = x.shape
    angle = (torch.rand(n, generator=generator) * 2 - 1) * math.radians(max_rotation)
    shift = (torch.rand(n, 2, generator=generator) * 2 - 1) * 2 * max_shift
    affine = torch.zeros(n, 2, 3)
    affine[:, 0, 0], affine[:, 0, 1] = angle.cos(), -angle.sin()
    affine[:, 1, 0], affine[:, 1, 1] = angle.sin(), angle.cos()
    affine[:, 0, 2], affine[:, 1, 2] = shift[:, 0] / width, shift[:, 1] / height
    grid = torch.nn.functional.affine_grid(affine, list(x.shape), align_corners=False)
    return torch.nn.functional.grid_sample(x, grid, padding_mode="border", align_corners=False)


def off_manifold_on_the_cpu(x: Tensor, generator: torch.Generator) -> Tensor:
    n = len(x)
    way = torch.randint(5, (n,), generator=generator)
    order = torch.rand(n, x.shape[2] * x.shape[3], generator=generator).argsort(1)[:, None].expand(-1, x.shape[1], -1)
    shuffled = x.flatten(2).gather(2, order).reshape(x.shape)
    partner = x[torch.randperm(n, generator=generator)]
    low, high = NOISE_LEVELS
    level = low + (high - low) * torch.rand(n, 1, 1, 1, generator=generator)
    noise = torch.randn(x.shape, generator=generator)
    drowned = (1 - level) * x + level * noise
    constant = (torch.rand(n, 1, 1, 1, generator=generator) * 2 - 1).expand_as(x)
    candidates = torch.stack([shuffled, (x + partner) / 2, drowned, noise, constant])
    return candidates[way, torch.arange(n)].clamp(-1, 1)


@pytest.mark.parametrize("shape", [(9, 1, 8, 8), (6, 3, 40, 56)])
def test_pictures_are_the_same_to_the_bit(shape: tuple[int, ...]) -> None:
    x = pictures(*shape)
    assert torch.equal(jitter(x, 2, 10.0, seeded()), jittered_on_the_cpu(x, 2, 10.0, seeded()))
    assert torch.equal(off_manifold(x, seeded()), off_manifold_on_the_cpu(x, seeded()))


def test_some_are_jittered_and_the_others_as_they_were() -> None:
    x = pictures(200, 1, 8, 8)
    found = sometimes_jittered(x, 2, 10.0, seeded())
    generator = seeded()
    untouched = torch.rand(len(x), 1, 1, 1, generator=generator).flatten() < 0.5
    assert torch.equal(found[untouched], x[untouched])
    assert torch.equal(found[~untouched], jittered_on_the_cpu(x, 2, 10.0, generator)[~untouched])
    assert 80 < int(untouched.sum()) < 120


def test_they_are_made_where_the_images_are() -> None:
    x = pictures(4, 3, 16, 16).to("meta")
    assert jitter(x, 2, 10.0, seeded()).device.type == "meta"
    assert off_manifold(x, seeded()).device.type == "meta"
