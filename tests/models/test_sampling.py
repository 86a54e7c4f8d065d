from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler

from vdu_bench.errors import Diverged
from vdu_bench.models.sampling import initial_noise
from vdu_bench.models.specs import SamplerSpec
from vdu_bench.models.unconditional import UnconditionalDDPM

SCHEDULERS = {
    "dpmsolver++": lambda config: DPMSolverMultistepScheduler.from_config(config, algorithm_type="dpmsolver++"),
    "ddim": DDIMScheduler.from_config,
}


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_samples_equal_the_plain_diffusers_loop_to_the_bit(
    tiny_model: UnconditionalDDPM, name: str, prediction_type: str
) -> None:
    tiny_model.noise_scheduler = DDPMScheduler(prediction_type=prediction_type)
    noise = initial_noise(6, tiny_model.latent_shape, 3)
    ours = tiny_model.sample(6, None, noise, SamplerSpec(name=name, steps=7, batch_size=6))

    scheduler = SCHEDULERS[name](tiny_model.noise_scheduler.config)
    scheduler.set_timesteps(7)
    x = noise
    with torch.no_grad():
        for t in scheduler.timesteps:
            x = scheduler.step(tiny_model.denoiser(x, t).sample, t, x).prev_sample
    theirs = ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    assert torch.equal(ours, theirs)


def test_noise_is_the_seed_s_alone() -> None:
    a, b = initial_noise(5, (1, 8, 8), 0), initial_noise(9, (1, 8, 8), 0)
    assert torch.equal(a, b[:5])
    assert not torch.equal(a, initial_noise(5, (1, 8, 8), 1))
    assert abs(float(initial_noise(2000, (1, 8, 8), 0).std()) - 1) < 0.01


def test_wrong_noise_and_prompts_are_refused(tiny_model: UnconditionalDDPM) -> None:
    with pytest.raises(ValueError, match="noise must be"):
        tiny_model.sample(4, None, torch.zeros(3, 1, 8, 8), SamplerSpec())
    with pytest.raises(ValueError, match="takes no prompts"):
        tiny_model.sample(1, ["a digit"], torch.zeros(1, 1, 8, 8), SamplerSpec())


def test_a_model_that_gives_nan_diverges(tiny_model: UnconditionalDDPM) -> None:
    next(tiny_model.denoiser.parameters()).fill_(float("nan"))
    with pytest.raises(Diverged):
        tiny_model.sample(2, None, torch.zeros(2, 1, 8, 8), SamplerSpec(steps=2))
