from __future__ import annotations

import pytest
import torch
from torch import nn

from vdu_bench.errors import Diverged
from vdu_bench.models.fitting import Fit, fit, learning_rate_factor
from vdu_bench.models.specs import FitSpec


def quadratic(p: nn.Parameter):
    return lambda _step: (p - torch.tensor([1.0, -2.0])).square().sum()


def test_finds_the_minimum_of_a_quadratic() -> None:
    p = nn.Parameter(torch.zeros(2))
    losses = fit([p], quadratic(p), FitSpec(steps=400, learning_rate=0.05))
    torch.testing.assert_close(p.detach(), torch.tensor([1.0, -2.0]), atol=1e-3, rtol=0)
    assert losses[-1] < 1e-5 < losses[0]


def test_schedule_warms_up_and_decays_to_zero() -> None:
    spec = FitSpec(steps=110, learning_rate=1.0, schedule="cosine", warmup_steps=10)
    factors = [learning_rate_factor(step, spec) for step in range(110)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9] == factors[10] == 1
    assert factors[60] == pytest.approx(0.5)
    assert 0 < factors[109] < 0.001


def test_clipping_bounds_the_gradient_that_the_optimiser_sees() -> None:
    p = nn.Parameter(torch.zeros(2))
    running = Fit([p], FitSpec(steps=1, learning_rate=0.1, clip_norm=0.5))
    running.advance(1000 * p.sum())
    assert float(p.grad.norm()) == pytest.approx(0.5, rel=1e-4)


def test_average_replaces_the_weights_at_the_end() -> None:
    p = nn.Parameter(torch.zeros(2))
    spec = FitSpec(steps=3, learning_rate=0.1, ema_decay=0.999)
    running = Fit([p], spec)
    for step in range(3):
        running.advance(quadratic(p)(step))
    raw = p.detach().clone()
    running.finish()
    assert 0 < float(p.detach().norm()) < float(raw.norm())


@pytest.mark.parametrize("where", ["loss", "gradient", "weight"])
def test_nan_is_a_divergence(where: str) -> None:
    p = nn.Parameter(torch.ones(1))

    def loss(_step: int) -> torch.Tensor:
        if where == "loss":
            return p.sum() * float("nan")
        # sqrt has an infinite slope at 0, and 0 * inf is not a number.
        return ((p - p.detach()) * 0).square().sqrt().sum()

    spec = FitSpec(steps=1, learning_rate=0.1, clip_norm=1.0 if where == "gradient" else None)
    with pytest.raises(Diverged, match=where):
        fit([p], loss, spec)


def test_a_restored_fit_goes_on_bit_for_bit() -> None:
    spec = FitSpec(steps=10, learning_rate=0.05, ema_decay=0.9, optimizer="adamw", weight_decay=0.1, schedule="cosine")
    p, q = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.full((2,), 7.0))
    whole = Fit([p], spec)
    for step in range(5):
        whole.advance(quadratic(p)(step))
    state = {name: tensor.clone() for name, tensor in whole.state().items()}
    for step in range(5, 10):
        whole.advance(quadratic(p)(step))
    whole.finish()
    resumed = Fit([q], spec)
    resumed.restore(5, state)
    for step in range(5, 10):
        resumed.advance(quadratic(q)(step))
    resumed.finish()
    assert torch.equal(p, q)
