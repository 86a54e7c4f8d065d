"""Which images are far from others, on a line."""

from __future__ import annotations

import torch

from vdu_bench.methods.nearest import farthest


def test_those_that_lie_nearest_are_left_out() -> None:
    generator = torch.Generator().manual_seed(0)
    others = torch.rand(5, 1, 8, 8, generator=generator)
    x0 = torch.cat([torch.rand(18, 1, 8, 8, generator=generator) + 3, others[[3, 1]] + 0.01])
    assert set(farthest(x0, others, 0.9).tolist()) == set(range(18))
    assert set(farthest(x0, others, 1.0).tolist()) == set(range(20))
