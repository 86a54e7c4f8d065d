"""What is drawn on the CPU comes to a model's device as it is, and without waiting for a GPU."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from vdu_bench.models.upload import upload


class OnACard:
    """As much of a tensor on a GPU as is asked for."""

    device, dtype = torch.device("cuda"), torch.float64


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_values_device_and_dtype_are_those_of_a_plain_copy(dtype: torch.dtype) -> None:
    drawn, like = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.zeros(1, dtype=dtype)
    assert torch.equal(upload(drawn, like), drawn.to(like))
    assert upload(drawn, torch.zeros(1, device="meta")).device.type == "meta"


def test_times_and_positions_stay_whole_numbers() -> None:
    t = torch.tensor([3, 998])
    for like in (torch.zeros(1, dtype=torch.bfloat16), torch.device("cpu")):
        assert torch.equal(upload(t, like), t)
    assert upload(t, torch.device("meta")).dtype == torch.int64
    drawn = torch.rand(3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(upload(drawn, torch.device("cpu")), drawn)


def test_a_card_copies_from_pinned_memory_and_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned: list[Tensor] = []
    waits: list[bool] = []
    plain = Tensor.to

    def pin_memory(self: Tensor) -> Tensor:
        pinned.append(self)
        return self

    def to(self: Tensor, *given: Any, non_blocking: bool = False, **named: Any) -> Tensor:
        waits.append(not non_blocking)
        device, dtype = given
        assert device.type == "cuda"
        return plain(self, "cpu", dtype, **named)  # there may be no other

    monkeypatch.setattr(Tensor, "pin_memory", pin_memory)
    monkeypatch.setattr(Tensor, "to", to)
    drawn = torch.ones(2)
    like: Any = OnACard()
    assert upload(drawn, like).dtype == torch.float64
    assert len(pinned) == 1
    assert pinned[0] is drawn
    assert waits == [False]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_on_a_card_the_values_are_the_same() -> None:
    drawn = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(upload(drawn, torch.zeros(1, device="cuda")).cpu(), drawn)
