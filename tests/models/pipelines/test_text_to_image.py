"""A text-to-image model at work: samples, conditions, prediction, clones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    StableDiffusionPipeline,
)
from pipelines import LENGTH, parts, parts_of, write_pipeline
from torch import Tensor

from vdu_bench.errors import Diverged, UserError
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.sampling import initial_noise
from vdu_bench.models.selection import selected_parameters
from vdu_bench.models.specs import ComputeSpec, SamplerSpec

PROMPTS = ["a portrait of a person", "a hat", "a person with eyeglasses and bangs", "", "bangs"]
SCHEDULERS: dict[str, Callable[[Any], Any]] = {
    "dpmsolver++": lambda config: DPMSolverMultistepScheduler.from_config(config, algorithm_type="dpmsolver++"),
    "ddim": DDIMScheduler.from_config,
}


@pytest.fixture(scope="module")
def second_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pipeline of Stable Diffusion 2.x."""
    folder = tmp_path_factory.mktemp("second") / "pipeline"
    write_pipeline(folder, version=2)
    return folder


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize("folder", ["tiny_pipeline", "second_version"])
def test_samples_equal_the_pipeline_s_own_to_the_bit(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, name: str, guidance: float, folder: str
) -> None:
    place: Path = request.getfixturevalue(folder)
    model = TextToImage.load(place)
    assert model.noise_scheduler.config["prediction_type"] == ("v_prediction" if "second" in folder else "epsilon")
    noise = initial_noise(5, model.latent_shape, 3)
    latents: list[Tensor] = []
    decode = model.decode
    monkeypatch.setattr(model, "decode", lambda x0: (latents.append(x0.clone()), decode(x0))[1])
    sampler = SamplerSpec(name=name, steps=4, guidance_scale=guidance, batch_size=3)
    images = model.sample(5, PROMPTS, noise, sampler)

    pipeline = StableDiffusionPipeline.from_pretrained(place, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = SCHEDULERS[name](pipeline.scheduler.config)
    for batch, ours in zip((slice(0, 3), slice(3, 5)), latents, strict=True):
        settings = {"num_inference_steps": 4, "guidance_scale": guidance, "latents": noise[batch]}
        theirs = pipeline(PROMPTS[batch], output_type="latent", **settings).images
        assert torch.equal(ours, theirs)
        theirs = pipeline(PROMPTS[batch], output_type="np", **settings).images
        assert torch.equal(images[batch].permute(0, 2, 3, 1), (torch.from_numpy(theirs) * 255).round().to(torch.uint8))


def test_samples_are_the_same_after_save_and_load(tiny_text_to_image: TextToImage, tmp_path: Path) -> None:
    # A scheduler that never was on disk, whose defaults diffusers would exchange for the sampler's own.
    model = TextToImage(*parts_of(tiny_text_to_image, DDPMScheduler(beta_schedule="scaled_linear")))
    assert not model.noise_scheduler.config["clip_sample"]
    noise = initial_noise(2, model.latent_shape, 0)
    model.save(tmp_path)
    again = TextToImage.load(tmp_path)
    for sampler in (SamplerSpec(steps=3), SamplerSpec(name="ddim", steps=3)):
        assert torch.equal(model.sample(2, PROMPTS[:2], noise, sampler), again.sample(2, PROMPTS[:2], noise, sampler))


def test_prompts_and_guidance_matter(tiny_text_to_image: TextToImage) -> None:
    noise = initial_noise(1, tiny_text_to_image.latent_shape, 0)

    def draw(prompt: str, guidance: float) -> Tensor:
        return tiny_text_to_image.sample(1, [prompt], noise, SamplerSpec(steps=2, guidance_scale=guidance))

    assert not torch.equal(draw("a hat", 7.0), draw("bangs", 7.0))
    assert not torch.equal(draw("a hat", 7.0), draw("a hat", 1.0))
    assert torch.equal(draw("", 7.0), draw("", 1.0))


def test_v_prediction_comes_out_as_epsilon(tiny_text_to_image: TextToImage) -> None:
    model = TextToImage(*parts_of(tiny_text_to_image, DDPMScheduler(prediction_type="v_prediction")))
    generator = torch.Generator().manual_seed(0)
    x0, noise = torch.randn(2, 3, *model.latent_shape, generator=generator)
    t = torch.tensor([5, 400, 800])
    x_t = model.add_noise(x0, noise, t)
    model._call_denoiser = lambda *_: DDPMScheduler().get_velocity(x0, noise, t)  # type: ignore[method-assign]
    torch.testing.assert_close(model.predict_noise(x_t, t, None), noise, rtol=1e-3, atol=1e-3)


def test_no_condition_is_the_empty_prompt(tiny_text_to_image: TextToImage) -> None:
    x_t = torch.randn(2, *tiny_text_to_image.latent_shape, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([10, 900])
    empty = tiny_text_to_image.predict_noise(x_t, t, tiny_text_to_image.null_condition(2))
    assert torch.equal(tiny_text_to_image.predict_noise(x_t, t), empty)
    asked = tiny_text_to_image.predict_noise(x_t, t, tiny_text_to_image.condition(["a hat"] * 2))
    assert not torch.equal(asked, empty)


@pytest.mark.parametrize("microbatch", [None, 1])
def test_no_condition_is_the_empty_prompt_as_it_is_embedded_without_autocast(
    tiny_text_to_image: TextToImage, microbatch: int | None
) -> None:
    model = tiny_text_to_image.clone().computing(ComputeSpec(autocast="bfloat16", microbatch=microbatch))
    x_t = torch.randn(2, *model.latent_shape, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([10, 900])
    assert torch.equal(model.predict_noise(x_t, t), model.predict_noise(x_t, t, model.null_condition(2)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_latents_and_conditions_are_in_the_denoiser_s_type(tiny_text_to_image: TextToImage, dtype: torch.dtype) -> None:
    model = tiny_text_to_image
    torch.nn.Module.to(model.denoiser, dtype)
    images = torch.arange(3 * 3 * 256, dtype=torch.int64).remainder(256).to(torch.uint8).reshape(3, 3, 16, 16)
    x0, condition = model.encode(images), model.condition(["a hat"] * 3)
    assert (x0.shape, x0.dtype) == ((3, 4, 8, 8), dtype)
    assert (condition.shape, condition.dtype) == ((3, LENGTH, 32), dtype)
    t = torch.tensor([1, 2, 3])
    assert model.predict_noise(model.add_noise(x0, torch.randn_like(x0), t), t, condition).dtype == dtype
    decoded = model.decode(x0)
    assert (decoded.shape, decoded.dtype) == ((3, 3, 16, 16), torch.uint8)
    assert decoded.is_contiguous()
    sampler = SamplerSpec(steps=2, guidance_scale=3)
    assert model.sample(2, ["a hat"] * 2, initial_noise(2, model.latent_shape, 0), sampler).dtype == torch.uint8


def test_encode_is_the_scaled_posterior_mean_and_draws_nothing(tiny_text_to_image: TextToImage) -> None:
    images = torch.randint(256, (4, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    state = torch.get_rng_state()
    x0 = tiny_text_to_image.encode(images)
    with torch.no_grad():
        posterior = tiny_text_to_image.vae.encode(images.float() / 127.5 - 1).latent_dist
    assert torch.equal(x0, posterior.mean * 0.18215)
    assert torch.equal(torch.get_rng_state(), state)
    with pytest.raises(ValueError, match="do not give latents"):
        tiny_text_to_image.encode(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))


def test_the_autoencoder_works_in_batches_and_slices(
    tiny_text_to_image: TextToImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = torch.randint(256, (5, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    x0 = tiny_text_to_image.encode(images)
    decoded = tiny_text_to_image.decode(x0)
    sizes: list[int] = []
    monkeypatch.setattr("vdu_bench.models.pipelines.text_to_image.VAE_PIXELS", 2 * 256)
    vae_encode, vae_decode = tiny_text_to_image.vae.encode, tiny_text_to_image.vae.decode
    monkeypatch.setattr(tiny_text_to_image.vae, "encode", lambda x: (sizes.append(len(x)), vae_encode(x))[1])
    monkeypatch.setattr(tiny_text_to_image.vae, "decode", lambda x: (sizes.append(len(x)), vae_decode(x))[1])
    torch.testing.assert_close(tiny_text_to_image.encode(images), x0)
    torch.testing.assert_close(tiny_text_to_image.decode(x0), decoded, atol=1, rtol=0)
    assert sizes == [2, 2, 1] * 2
    assert tiny_text_to_image.computing(ComputeSpec(vae_slicing=True)).vae.use_slicing
    torch.testing.assert_close(tiny_text_to_image.decode(x0), decoded, atol=1, rtol=0)


def test_a_long_prompt_is_named_and_not_cut(tiny_text_to_image: TextToImage) -> None:
    fits = " ".join(["hat"] * (LENGTH - 2))
    assert tiny_text_to_image.condition([fits]).shape == (1, LENGTH, 32)
    noise = torch.zeros(2, *tiny_text_to_image.latent_shape)
    for ask in (
        lambda prompts: tiny_text_to_image.condition(prompts),
        lambda prompts: tiny_text_to_image.check_prompts(2, prompts),
        lambda prompts: tiny_text_to_image.sample(2, prompts, noise, SamplerSpec(steps=2, batch_size=1)),
    ):
        with pytest.raises(UserError, match=f"'{fits} hat' has {LENGTH + 1} tokens .* takes {LENGTH}"):
            ask(["a hat", f"{fits} hat"])
    assert tiny_text_to_image.counter.forward == 0


def test_a_prompt_s_own_tokens_stand_behind_its_begin(tiny_text_to_image: TextToImage) -> None:
    tokens = tiny_text_to_image.tokens(["a hat", "", "hat"])
    (a, hat), none, (alone,) = tokens
    assert (none, alone) == ([], hat)
    assert tiny_text_to_image.tokenizer.convert_ids_to_tokens([a, hat]) == ["a</w>", "hat</w>"]
    padded = tiny_text_to_image.tokenizer(["a hat"], padding="max_length", max_length=LENGTH).input_ids[0]
    assert padded[1:3] == [a, hat]
    with pytest.raises(UserError, match="tokens"):
        tiny_text_to_image.tokens([" ".join(["hat"] * LENGTH)])


def test_missing_prompts_and_wrong_noise_are_refused(tiny_text_to_image: TextToImage) -> None:
    noise = torch.zeros(2, *tiny_text_to_image.latent_shape)
    for prompts in (None, ["a hat"]):
        with pytest.raises(ValueError, match="2 images need as many prompts"):
            tiny_text_to_image.sample(2, prompts, noise, SamplerSpec())
    with pytest.raises(ValueError, match="needs prompts"):
        tiny_text_to_image.condition(None)
    with pytest.raises(ValueError, match="noise must be"):
        tiny_text_to_image.sample(2, ["", ""], noise[:1], SamplerSpec())


def test_what_is_not_finite_diverges(tiny_text_to_image: TextToImage) -> None:
    with pytest.raises(Diverged, match="decoded"):
        tiny_text_to_image.decode(torch.full((1, *tiny_text_to_image.latent_shape), float("nan")))
    next(tiny_text_to_image.denoiser.parameters()).fill_(float("nan"))
    with pytest.raises(Diverged, match="sample"):
        tiny_text_to_image.sample(1, ["a hat"], torch.zeros(1, *tiny_text_to_image.latent_shape), SamplerSpec(steps=2))


def test_a_clone_has_a_denoiser_of_its_own_and_shares_the_rest(tiny_text_to_image: TextToImage) -> None:
    twin = tiny_text_to_image.clone()
    assert twin.vae is tiny_text_to_image.vae
    assert twin.text_encoder is tiny_text_to_image.text_encoder
    assert not any(p.requires_grad for part in parts(twin)[1:] for p in part.parameters())
    pairs = list(zip(twin.denoiser.parameters(), tiny_text_to_image.denoiser.parameters(), strict=True))
    assert all(a is not b and torch.equal(a, b) for a, b in pairs)
    twin.denoiser.requires_grad_(True)
    x = torch.zeros(3, *twin.latent_shape)
    twin.predict_noise(x, torch.tensor([1, 2, 3]), twin.condition(["a hat"] * 3)).sum().backward()
    with torch.no_grad():
        tiny_text_to_image.predict_noise(x[:2], torch.tensor([1, 2]))
    assert (tiny_text_to_image.counter.forward, tiny_text_to_image.counter.backward) == (5, 3)


def test_a_clone_has_the_named_weights_for_itself_and_shares_the_others(tiny_text_to_image: TextToImage) -> None:
    chosen = selected_parameters(tiny_text_to_image.denoiser, "cross_attention")
    twin = tiny_text_to_image.clone(chosen)
    before = dict(tiny_text_to_image.denoiser.named_parameters())
    for name, parameter in twin.denoiser.named_parameters():
        assert (parameter is before[name]) == (name not in chosen)
        assert torch.equal(parameter, before[name])
    for parameter in selected_parameters(twin.denoiser, "cross_attention").values():
        parameter.requires_grad_(True).data.add_(1)
    twin.denoiser.train()
    assert not any(parameter.requires_grad for parameter in before.values())
    assert not tiny_text_to_image.denoiser.training
    x_t, t = torch.ones(1, *twin.latent_shape), torch.tensor([5])
    assert not torch.equal(twin.predict_noise(x_t, t), tiny_text_to_image.predict_noise(x_t, t))


def test_guidance_costs_two_evaluations_a_step(tiny_text_to_image: TextToImage) -> None:
    noise = initial_noise(2, tiny_text_to_image.latent_shape, 0)
    for guidance in (1.0, 3.0):
        sampler = SamplerSpec(steps=3, guidance_scale=guidance)
        tiny_text_to_image.sample(2, ["a hat", "bangs"], noise, sampler)
    assert tiny_text_to_image.counter.forward == 2 * 3 + 2 * 2 * 3


def test_a_step_stays_on_the_device(tiny_text_to_image: TextToImage) -> None:
    model = tiny_text_to_image.clone().to("meta")
    model.denoiser.requires_grad_(True)
    x0 = model.encode(torch.zeros(2, 3, 16, 16, dtype=torch.uint8))
    condition = model.condition(["a hat", "bangs"])
    t = torch.tensor([1, 2]).to("meta")
    x_t = model.add_noise(x0, torch.randn_like(x0), t)
    loss = (model.predict_noise(x_t, t, condition) - model.predict_noise(x_t, t)).square().mean()
    loss.backward()
    assert {part.device.type for part in (x0, condition, x_t, loss)} == {"meta"}
    assert all(p.grad is not None and p.grad.device.type == "meta" for p in model.denoiser.parameters())
