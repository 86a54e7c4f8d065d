from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler

from vdu_bench.errors import Diverged
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.sampling import initial_noise, make_scheduler
from vdu_bench.models.specs import SamplerSpec

SCHEDULERS = {
    "dpmsolver++": lambda config: DPMSolverMultistepScheduler.from_config(
        config, algorithm_type="dpmsolver++", timestep_spacing="leading"
    ),
    "ddim": lambda config: DDIMScheduler.from_config(config, timestep_spacing="leading"),
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


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_model_is_sampled_alike_before_and_after_it_was_saved(
    tiny_model: UnconditionalDDPM, tmp_path: Path, name: str
) -> None:
    noise = initial_noise(4, tiny_model.latent_shape, 3)
    tiny_model.save(tmp_path)
    sampler = SamplerSpec(name=name, steps=5)
    before, after = (model.sample(4, None, noise, sampler) for model in (tiny_model, UnconditionalDDPM.load(tmp_path)))
    assert torch.equal(before, after)


@pytest.mark.parametrize(("spacing", "first"), [("leading", 900), ("linspace", 999), ("trailing", 999)])
def test_the_spacing_of_the_protocol_is_what_is_used(tiny_model: UnconditionalDDPM, spacing: str, first: int) -> None:
    scheduler = make_scheduler(SamplerSpec(name="ddim", steps=10, timestep_spacing=spacing), tiny_model.noise_scheduler)
    assert int(scheduler.timesteps[0]) == first


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
