"""A change is taken apart into the product of least rank that makes it."""

from __future__ import annotations

import pytest
import torch

from vdu_bench.models.files.lora_of_change import factors


@pytest.mark.parametrize("shape", [(12, 20), (8, 4, 3, 3)])
@pytest.mark.parametrize("rank", [0, 1, 5])
def test_the_rank_is_found_through_float32_s_rounding(rank: int, shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(rank)
    before = torch.randn(shape, generator=generator)
    up, down = (
        torch.randn(shape[0], rank, generator=generator),
        torch.randn(rank, before[0].numel(), generator=generator),
    )
    after = before + (0.3 * up @ down).reshape(shape)
    found = factors(before, after)
    assert found.rank == rank
    product = (found.up @ found.down).reshape(shape)
    torch.testing.assert_close(before + product.float(), after, rtol=0, atol=2e-6)


def test_noise_is_of_full_rank() -> None:
    generator = torch.Generator().manual_seed(0)
    before, noise = (torch.randn(9, 14, generator=generator) for _ in range(2))
    assert factors(before, before + 1e-3 * noise).rank == 9
