from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from vdu_bench.models.training.batches import epoch_indices


@given(n=st.integers(1, 40), start=st.integers(0, 200), count=st.integers(1, 90), seed=st.integers(0, 5))
def test_every_epoch_draws_every_image_once_whatever_the_batches(n: int, start: int, count: int, seed: int) -> None:
    drawn = epoch_indices(n, start, count, seed)
    one_by_one = torch.cat([epoch_indices(n, start + i, 1, seed) for i in range(count)])
    assert torch.equal(drawn, one_by_one)
    first_epoch = epoch_indices(n, 0, n, seed)
    assert sorted(first_epoch.tolist()) == list(range(n))


def test_epochs_differ_in_order() -> None:
    assert not torch.equal(epoch_indices(50, 0, 50, 0), epoch_indices(50, 50, 50, 0))
