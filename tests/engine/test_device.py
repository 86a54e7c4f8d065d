"""One place sets a process's device; without a GPU its calls are watched, with one they are made."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vdu_bench.engine.device import set_device
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.store import Store
from vdu_bench.engine.workshop import Workshop


def test_what_names_no_card_of_its_own_runs_on_the_one_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    current: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    assert [set_device(name) for name in ("cuda:1", "cuda", "cpu")] == ["cuda:1", "cuda", "cpu"]
    assert current == [1, 0]


def test_a_process_computes_float32_proper_by_the_same_algorithms() -> None:
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = True
    set_device("cpu")
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
    assert (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic) == (False, True)


def test_cards_of_one_machine_share_what_is_made(tmp_path: Path) -> None:
    shops = [Workshop(Store(tmp_path), device, Progress(quiet=True)) for device in ("cuda", "cuda:1", "cpu")]
    assert [shop.device_kind for shop in shops] == ["cuda", "cuda", "cpu"]


@pytest.mark.cuda
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there are no two GPUs")
def test_the_second_card_is_the_current_one() -> None:
    assert set_device("cuda:1") == "cuda:1"
    assert torch.cuda.current_device() == 1
    set_device("cuda:0")
