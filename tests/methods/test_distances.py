"""Distances are torch's own, and of a GPU never by a matrix product."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from vdu_bench.methods.distances import distances_between, farthest


def test_on_the_cpu_they_are_torch_s_own_to_the_bit() -> None:
    x, others = torch.randn(2, 40, 64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(distances_between(x, others), torch.cdist(x, others))


def test_elsewhere_they_are_taken_from_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[str] = []

    def noted(x: torch.Tensor, others: torch.Tensor, **more: Any) -> torch.Tensor:
        modes.append(more["compute_mode"])
        return x.new_empty(len(x), len(others))

    monkeypatch.setattr(torch, "cdist", noted)
    for place in ("cpu", "meta"):
        assert distances_between(torch.zeros(30, 4, device=place), torch.ones(7, 4, device=place)).shape == (30, 7)
    assert modes == ["use_mm_for_euclid_dist_if_necessary", "donot_use_mm_for_euclid_dist"]


def test_those_that_lie_nearest_are_left_out() -> None:
    generator = torch.Generator().manual_seed(0)
    others = torch.rand(5, 1, 8, 8, generator=generator)
    x0 = torch.cat([torch.rand(18, 1, 8, 8, generator=generator) + 3, others[[3, 1]] + 0.01])
    assert set(farthest(x0, others, 0.9).tolist()) == set(range(18))
    assert set(farthest(x0, others, 1.0).tolist()) == set(range(20))
