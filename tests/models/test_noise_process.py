"""The noise process against diffusers, and its conversions against what the latents are made of."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from diffusers import DDPMScheduler
from torch import Tensor

from vdu_bench.models.noise_process import NoiseProcess, Prediction

KINDS: tuple[Prediction, ...] = get_args(Prediction)
SCHEDULES = {
    "linear": {},
    "scaled_linear": {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    "cosine": {"beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 100},
}


def double(scheduler: DDPMScheduler) -> NoiseProcess:
    return NoiseProcess.of(scheduler).to(torch.device("cpu"), torch.float64)


@pytest.fixture
def draws() -> tuple[Tensor, Tensor]:
    """Clean latents and noise, float64 ``[4, 2, 3, 3]``."""
    x0, noise = torch.randn(2, 4, 2, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return x0, noise


@pytest.mark.parametrize("name", SCHEDULES)
def test_it_is_the_schedule_s(name: str, draws: tuple[Tensor, Tensor]) -> None:
    scheduler = DDPMScheduler(**SCHEDULES[name])
    process = NoiseProcess.of(scheduler)
    assert scheduler.config["num_train_timesteps"] == process.T
    t = torch.arange(process.T)
    torch.testing.assert_close(process.signal(t) ** 2, (1 - scheduler.betas).cumprod(0))
    torch.testing.assert_close(process.signal(t) ** 2 + process.sigma(t) ** 2, torch.ones(process.T))
    x0, noise = (values.float() for values in draws)
    t = torch.tensor([0, 1, 50, process.T - 1])
    assert torch.equal(process.add_noise(x0, noise, t), scheduler.add_noise(x0, noise, t))


def test_at_a_time_of_known_values() -> None:
    """With alphabar 0.64 the signal is 0.8 and the deviation 0.6; x_0 = 1 and eps = 2 are x_t = 2 and v = 1."""
    process = NoiseProcess(torch.tensor([0.99, 0.64], dtype=torch.float64))
    one = torch.ones(1, 1, dtype=torch.float64)
    x0, noise, t = one, 2 * one, torch.tensor([1])
    torch.testing.assert_close(process.signal(t), torch.tensor([0.8], dtype=torch.float64))
    torch.testing.assert_close(process.sigma(t), torch.tensor([0.6], dtype=torch.float64))
    x_t = process.add_noise(x0, noise, t)
    torch.testing.assert_close(x_t, 2 * one)
    torch.testing.assert_close(process.noise_from(one, x_t, t, "v_prediction"), 2 * one)
    torch.testing.assert_close(process.noise_from(x0, x_t, t, "sample"), 2 * one)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("kind", KINDS)
def test_each_prediction_says_what_the_noise_is(kind: Prediction, name: str, draws: tuple[Tensor, Tensor]) -> None:
    scheduler = DDPMScheduler(**SCHEDULES[name])
    process, (x0, noise) = double(scheduler), draws
    for t in (torch.tensor([0, 1, 50, 90]), torch.tensor(70)):
        x_t = process.add_noise(x0, noise, t)
        v = process.signal(t).reshape(-1, 1, 1, 1) * noise - process.sigma(t).reshape(-1, 1, 1, 1) * x0
        output = {"epsilon": noise, "v_prediction": v, "sample": x0}[kind]
        torch.testing.assert_close(process.noise_from(output, x_t, t, kind), noise)
    torch.testing.assert_close(v.float(), scheduler.get_velocity(x0.float(), noise.float(), t.expand(4)))


def test_a_prediction_of_another_kind_is_refused(draws: tuple[Tensor, Tensor]) -> None:
    process, t = double(DDPMScheduler()), torch.tensor([1, 2, 3, 4])
    with pytest.raises(ValueError, match="unknown prediction type 'flow'"):
        process.noise_from(*draws, t, "flow")  # type: ignore[arg-type]


def test_it_is_rounded_before_anything_is_made_of_it() -> None:
    """As diffusers' schedulers do it; 1 - alphabar in half precision is another number than its rounded root."""
    half = NoiseProcess.of(DDPMScheduler()).to(torch.device("cpu"), torch.float16)
    t = torch.tensor([0, 10, 500])
    assert half.sigma(t).dtype == torch.float16
    assert torch.equal(half.sigma(t), (1 - DDPMScheduler().alphas_cumprod.half()[t]).sqrt())
