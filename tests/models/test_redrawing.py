"""Parts of the sampler's way, back from images and on from noise, against diffusers' own loops."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, StableDiffusionImg2ImgPipeline
from torch import Tensor

from vdu_bench.errors import Diverged
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.sampling import initial_noise
from vdu_bench.models.specs import ComputeSpec, SamplerSpec

PROMPTS = ["a portrait of a person", "a hat", "a person with eyeglasses and bangs", "", "bangs"]
IMAGES = torch.randint(256, (5, 3, 16, 16), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
SCHEDULERS: dict[str, Callable[[Any], Any]] = {
    "dpmsolver++": lambda config: DPMSolverMultistepScheduler.from_config(config, algorithm_type="dpmsolver++"),
    "ddim": DDIMScheduler.from_config,
}


@pytest.fixture(params=["epsilon", "v_prediction"])
def pipeline(request: pytest.FixtureRequest, tiny_pipeline: Path, tmp_path: Path) -> Path:
    """The tiny pipeline, in each of the prediction types."""
    copied = Path(shutil.copytree(tiny_pipeline, tmp_path / "copied"))
    file = copied / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"prediction_type": request.param}))
    return copied


def latents_of(model: TextToImage | UnconditionalDDPM, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """A list of what is decoded from here on, batch by batch."""
    latents: list[Tensor] = []
    decode = model.decode
    monkeypatch.setattr(model, "decode", lambda x0: (latents.append(x0.clone()), decode(x0))[1])
    return latents


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_redrawing_equals_the_image_to_image_pipeline_to_the_bit(
    pipeline: Path, monkeypatch: pytest.MonkeyPatch, name: str, guidance: float, strength: float
) -> None:
    model = TextToImage.load(pipeline)
    x0 = model.encode(IMAGES)
    noise = torch.cat([_drawn(batch, model) for batch in (3, 2)])
    latents = latents_of(model, monkeypatch)
    sampler = SamplerSpec(name=name, steps=4, guidance_scale=guidance, batch_size=3)
    images = model.redraw(IMAGES, PROMPTS, noise, sampler, strength)

    theirs = StableDiffusionImg2ImgPipeline.from_pretrained(pipeline, safety_checker=None)
    theirs.set_progress_bar_config(disable=True)
    theirs.scheduler = SCHEDULERS[name](theirs.scheduler.config)
    for batch, ours in zip((slice(0, 3), slice(3, 5)), latents, strict=True):
        # What has as many channels as the latents is not encoded: the pipeline would draw latents, and we take means.
        settings = {"image": x0[batch], "strength": strength, "num_inference_steps": 4, "guidance_scale": guidance}
        asked = theirs(PROMPTS[batch], output_type="latent", generator=_generator(), **settings).images
        assert torch.equal(ours, asked)
        pixels = theirs(PROMPTS[batch], output_type="np", generator=_generator(), **settings).images
        assert torch.equal(images[batch].permute(0, 2, 3, 1), (torch.from_numpy(pixels) * 255).round().to(torch.uint8))


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def _drawn(n: int, model: TextToImage) -> Tensor:
    """What the pipeline draws for a batch."""
    return torch.randn(n, *model.latent_shape, generator=_generator())


def test_an_unconditional_model_redraws_as_the_plain_loop(
    tiny_model: UnconditionalDDPM, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = IMAGES[:, :1, :8, :8].contiguous()
    noise = initial_noise(5, tiny_model.latent_shape, 0, "pairs")
    latents = latents_of(tiny_model, monkeypatch)
    batches: list[int] = []
    tiny_model.redraw(images, None, noise, SamplerSpec(name="ddim", steps=8, batch_size=5), 0.4, batches.append)
    scheduler = DDIMScheduler.from_config(tiny_model.noise_scheduler.config, timestep_spacing="leading")
    scheduler.set_timesteps(8)
    left = scheduler.timesteps[5:]
    x = scheduler.add_noise(images / 127.5 - 1, noise, left[:1])
    with torch.no_grad():
        for t in left:
            x = scheduler.step(tiny_model.denoiser(x, t).sample, t, x).prev_sample
    assert torch.equal(latents[0], x)
    assert batches == [5]
    assert tiny_model.counter.forward == 5 * 3


def test_more_strength_takes_images_further_from_what_they_were(tiny_model: UnconditionalDDPM) -> None:
    # A network that takes nothing for noise: all that was added stays.
    images = IMAGES[:, :1, :8, :8].contiguous()
    noise = initial_noise(5, tiny_model.latent_shape, 0)
    tiny_model._call_denoiser = lambda x_t, *_: torch.zeros_like(x_t)  # type: ignore[method-assign]
    sampler = SamplerSpec(name="ddim", steps=10)
    far = [
        float((tiny_model.redraw(images, None, noise, sampler, strength).double() - images).abs().mean())
        for strength in (0.1, 0.5, 0.9)
    ]
    assert far[0] < far[1] < far[2]


@pytest.mark.parametrize("strength", [0.0, 0.24, 1.3])
def test_a_strength_that_leaves_no_step_or_more_than_all_is_refused(
    tiny_model: UnconditionalDDPM, strength: float
) -> None:
    noise = torch.zeros(1, *tiny_model.latent_shape)
    images = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    with pytest.raises(ValueError, match=f"a strength of {strength} leaves"):
        tiny_model.redraw(images, None, noise, SamplerSpec(steps=4), strength)


def test_redrawing_refuses_what_sampling_refuses(tiny_text_to_image: TextToImage) -> None:
    noise = torch.zeros(5, *tiny_text_to_image.latent_shape)
    with pytest.raises(ValueError, match="noise must be"):
        tiny_text_to_image.redraw(IMAGES, PROMPTS, noise[:4], SamplerSpec(steps=2), 0.5)
    with pytest.raises(ValueError, match="5 images need as many prompts"):
        tiny_text_to_image.redraw(IMAGES, None, noise, SamplerSpec(steps=2), 0.5)
    next(tiny_text_to_image.denoiser.parameters()).fill_(float("nan"))
    with pytest.raises(Diverged):
        tiny_text_to_image.redraw(IMAGES, PROMPTS, noise, SamplerSpec(steps=2), 0.5)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize("stop", [0, 1, 4])
def test_denoised_until_is_the_first_steps_of_the_loop(pipeline: Path, guidance: float, stop: int) -> None:
    model = TextToImage.load(pipeline).freeze()
    noise = initial_noise(3, model.latent_shape, 0)
    sampler = SamplerSpec(name="ddim", steps=5, guidance_scale=guidance)
    x_t, t = model.denoised_until(stop, PROMPTS[:3], noise, sampler)

    scheduler = DDIMScheduler.from_config(model.noise_scheduler.config, timestep_spacing="leading")
    scheduler.set_timesteps(5)
    asked, null = model.condition(PROMPTS[:3]), model.condition([""] * 3)
    x = noise
    with torch.no_grad():
        for time in scheduler.timesteps[:stop]:
            both = [model.denoiser(x, time, encoder_hidden_states=c).sample for c in (null, asked)]
            x = scheduler.step(both[0] + guidance * (both[1] - both[0]), time, x).prev_sample
    if stop == 0:
        assert torch.equal(x_t, noise)
    # In one batch of six there, in two of three here.
    torch.testing.assert_close(x_t, x, rtol=1e-4, atol=1e-5)
    assert (t.dtype, t.tolist()) == (torch.int64, [int(scheduler.timesteps[stop])] * 3)
    assert not x_t.requires_grad


def test_denoised_to_the_last_step_only_that_step_is_missing(tiny_model: UnconditionalDDPM) -> None:
    noise, sampler = initial_noise(2, tiny_model.latent_shape, 0), SamplerSpec(name="ddim", steps=4)
    x_t, t = tiny_model.denoised_until(3, None, noise, sampler)
    scheduler = DDIMScheduler.from_config(tiny_model.noise_scheduler.config, timestep_spacing="leading")
    scheduler.set_timesteps(4)
    with torch.no_grad():
        x0 = scheduler.step(tiny_model.denoiser(x_t, t).sample, t[0], x_t).prev_sample
    assert torch.equal(tiny_model.decode(x0), tiny_model.sample(2, None, noise, sampler))


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_autocast_changes_the_arithmetic_and_not_the_type(
    tiny_text_to_image: TextToImage, prediction_type: str
) -> None:
    model = tiny_text_to_image
    model.noise_scheduler.register_to_config(prediction_type=prediction_type)
    x_t, t = initial_noise(2, model.latent_shape, 0), torch.tensor([10, 900])
    condition = model.condition(["a hat", "bangs"])
    inside: list[torch.dtype] = []
    model.denoiser.conv_out.register_forward_hook(lambda _, __, output: inside.append(output.dtype))
    exact = model.predict_noise(x_t, t, condition)
    model.computing(ComputeSpec(autocast="bfloat16"))
    rough = model.predict_noise(x_t, t, condition)
    assert inside == [torch.float32, torch.bfloat16]
    assert rough.dtype == x_t.dtype == torch.float32
    assert not torch.equal(rough, exact)
    # bfloat16 has eight bits of precision.
    torch.testing.assert_close(rough, exact, atol=0.05 * float(exact.abs().max()), rtol=0)
    assert model.clone().autocast == torch.bfloat16
    assert torch.equal(model.computing(ComputeSpec()).predict_noise(x_t, t, condition), exact)


def test_gradient_checkpointing_gives_the_same_gradients(tiny_text_to_image: TextToImage) -> None:
    x_t, t = initial_noise(2, tiny_text_to_image.latent_shape, 0), torch.tensor([10, 900])
    condition = tiny_text_to_image.condition(["a hat", "bangs"])

    def gradients(compute: ComputeSpec) -> list[Tensor]:
        model = tiny_text_to_image.computing(compute).clone()
        model.denoiser.requires_grad_(True).train()
        calls: list[int] = []
        model.denoiser.mid_block.resnets[1].register_forward_pre_hook(lambda *_: calls.append(1))
        model.predict_noise(x_t, t, condition).square().mean().backward()
        assert len(calls) == (2 if compute.gradient_checkpointing else 1)
        return [p.grad for p in model.denoiser.parameters() if p.grad is not None]

    plain, again = (gradients(ComputeSpec(gradient_checkpointing=on)) for on in (False, True))
    assert len(plain) == len(list(tiny_text_to_image.denoiser.parameters()))
    for one, other in zip(plain, again, strict=True):
        torch.testing.assert_close(one, other)
