from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vdu_bench.errors import UserError
from vdu_bench.models.posterior.gaussian import MomentAccumulator, WeightPosterior


@given(seed=st.integers(0, 1000), snapshots=st.integers(2, 12))
def test_streamed_moments_are_torch_s(seed: int, snapshots: int) -> None:
    values = torch.randn(snapshots, 3, 4, generator=torch.Generator().manual_seed(seed)) + 100
    moments = MomentAccumulator()
    for value in values:
        moments.add({"w": value})
    posterior = moments.posterior()
    torch.testing.assert_close(posterior.mean["w"], values.double().mean(0).float())
    torch.testing.assert_close(posterior.std["w"], values.double().std(0).float(), rtol=1e-5, atol=1e-7)


def test_one_snapshot_is_no_posterior() -> None:
    moments = MomentAccumulator()
    moments.add({"w": torch.ones(2)})
    with pytest.raises(ValueError, match="two snapshots"):
        moments.posterior()


def test_floor_is_the_quantile_of_all_deviations() -> None:
    posterior = WeightPosterior({}, {"a": torch.arange(1.0, 51), "b": torch.arange(51.0, 101)})
    floored = posterior.floored(0.1)
    assert floored.std["a"][:10].tolist() == [10.0] * 10
    assert torch.equal(floored.std["a"][10:], posterior.std["a"][10:])
    assert torch.equal(floored.std["b"], posterior.std["b"])
    with pytest.raises(UserError, match="all 0"):
        WeightPosterior({}, {"a": torch.zeros(5)}).floored(0.5)
    some = WeightPosterior({}, {"a": torch.tensor([0.0, 0.0, 2.0, 3.0])})
    assert some.floored(0.001).std["a"].tolist() == [2.0, 2.0, 2.0, 3.0]


def test_saved_and_loaded(tmp_path: Path) -> None:
    posterior = WeightPosterior({"a.b": torch.tensor([0.5, -1.25])}, {"a.b": torch.tensor([1e-20, 0.001])})
    posterior.save(tmp_path / "p.safetensors")
    again = WeightPosterior.load(tmp_path / "p.safetensors")
    assert torch.equal(again.mean["a.b"], posterior.mean["a.b"])
    torch.testing.assert_close(again.std["a.b"], posterior.std["a.b"], rtol=0.005, atol=0)
