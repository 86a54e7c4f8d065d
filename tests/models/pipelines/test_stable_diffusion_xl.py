"""Stable Diffusion XL at work, held against diffusers' own pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
)
from pipelines import LENGTH, tiny_unet, tiny_vae
from torch import Tensor

from vdu_bench.errors import UserError
from vdu_bench.models.pipelines.loading import load_model
from vdu_bench.models.pipelines.prompt_tokens import check_lengths
from vdu_bench.models.pipelines.stable_diffusion_xl import StableDiffusionXL
from vdu_bench.models.sampling import initial_noise
from vdu_bench.models.specs import ComputeSpec, SamplerSpec
from vdu_bench.probes.prompt_search import _plain_words

PROMPTS = ["a portrait of a person", "a hat", "a person with eyeglasses and bangs", "", "bangs"]
SCHEDULERS: dict[str, Callable[[Any], Any]] = {
    "dpmsolver++": lambda config: DPMSolverMultistepScheduler.from_config(config, algorithm_type="dpmsolver++"),
    "ddim": DDIMScheduler.from_config,
}
NOISE = {"steps_offset": 1, "clip_sample": False, "num_train_timesteps": 1000}


def change(file: Path, **keys: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | keys))


def theirs(folder: Path, name: str = "ddim") -> StableDiffusionXLPipeline:
    """diffusers' own pipeline, with the noise schedule of ours and the sampler `name`."""
    pipeline = StableDiffusionXLPipeline.from_pretrained(folder, add_watermarker=False)
    pipeline.set_progress_bar_config(disable=True)
    kept = ("beta_schedule", "beta_start", "beta_end", "prediction_type", "timestep_spacing")
    config = NOISE | {key: pipeline.scheduler.config[key] for key in kept}
    pipeline.scheduler = SCHEDULERS[name](config)
    return pipeline


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize("zeros", [True, False])
def test_samples_equal_the_pipeline_s_own(
    copied_xl_pipeline: Path, monkeypatch: pytest.MonkeyPatch, name: str, guidance: float, zeros: bool
) -> None:
    change(copied_xl_pipeline / "model_index.json", force_zeros_for_empty_prompt=zeros)
    model = load_model(copied_xl_pipeline, "text_to_image")
    assert isinstance(model, StableDiffusionXL)
    noise = initial_noise(5, model.latent_shape, 3)
    latents: list[Tensor] = []
    decode = model.decode
    monkeypatch.setattr(model, "decode", lambda x0: (latents.append(x0.clone()), decode(x0))[1])
    images = model.sample(5, PROMPTS, noise, SamplerSpec(name=name, steps=4, guidance_scale=guidance, batch_size=3))
    for batch, ours in zip((slice(0, 3), slice(3, 5)), latents, strict=True):
        pipeline = theirs(copied_xl_pipeline, name)
        settings = {"num_inference_steps": 4, "guidance_scale": guidance, "latents": noise[batch]}
        latent = pipeline(PROMPTS[batch], output_type="latent", **settings).images
        made = pipeline(PROMPTS[batch], output_type="np", **settings).images
        pixels = (torch.from_numpy(made) * 255).round().to(torch.uint8)
        if zeros or guidance == 1:
            assert torch.equal(ours, latent)
            assert torch.equal(images[batch].permute(0, 2, 3, 1), pixels)
        else:
            # We embed the empty prompt once and diffusers once an image: a product of other rows rounds otherwise.
            torch.testing.assert_close(ours, latent, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(images[batch].permute(0, 2, 3, 1), pixels, rtol=0, atol=1)


def test_zeros_and_the_empty_prompt_are_two_things(copied_xl_pipeline: Path, tiny_xl: StableDiffusionXL) -> None:
    null = tiny_xl.null_condition(2)
    assert (null.shape, bool(null.any())) == ((2, LENGTH + 1, 48), False)
    change(copied_xl_pipeline / "model_index.json", force_zeros_for_empty_prompt=False)
    other = StableDiffusionXL.load(copied_xl_pipeline)
    torch.testing.assert_close(other.null_condition(2), other.condition(["", ""]))
    x_t, t = initial_noise(2, tiny_xl.latent_shape, 0), torch.tensor([10, 900])
    for model in (tiny_xl, other):
        assert torch.equal(model.predict_noise(x_t, t), model.predict_noise(x_t, t, model.null_condition(2)))
    assert not torch.equal(tiny_xl.predict_noise(x_t, t), other.predict_noise(x_t, t))


def test_a_condition_is_both_encoders_tokens_and_the_whole_prompt(
    tiny_xl: StableDiffusionXL, tiny_xl_pipeline: Path
) -> None:
    pipeline = theirs(tiny_xl_pipeline)
    tokens, _, whole, _ = pipeline.encode_prompt(PROMPTS, do_classifier_free_guidance=False)
    condition = tiny_xl.condition(PROMPTS)
    assert condition.shape == (5, LENGTH + 1, 48)
    assert torch.equal(condition[:, :-1], tokens)
    assert torch.equal(condition[:, -1, :16], whole)
    assert not bool(condition[:, -1, 16:].any())
    # Both tokenizers say the same of the words, and pad by other tokens.
    first, second = tiny_xl.token_ids(["a hat"])
    assert torch.equal(first[:, :4], second[:, :4])
    assert (int(first[0, 4]), int(second[0, 4])) == (tiny_xl.tokenizer.pad_token_id, tiny_xl.tokenizer_2.pad_token_id)
    assert first[0, 4] != second[0, 4]


def test_each_part_of_a_condition_matters(tiny_xl: StableDiffusionXL) -> None:
    x_t, t, condition = initial_noise(1, tiny_xl.latent_shape, 0), torch.tensor([500]), tiny_xl.condition(["a hat"])
    predicted = tiny_xl.predict_noise(x_t, t, condition)
    for place, decides in (((0, 2, 5), True), ((0, 2, 40), True), ((0, LENGTH, 3), True), ((0, LENGTH, 20), False)):
        changed = condition.clone()
        changed[place] += 1
        assert torch.equal(tiny_xl.predict_noise(x_t, t, changed), predicted) is not decides


def test_the_size_that_is_asked_for_is_the_model_s_own(
    tiny_xl: StableDiffusionXL, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []
    forward = tiny_xl.denoiser.forward

    def watched(*args: Any, added_cond_kwargs: dict[str, Tensor], **more: Any) -> Any:
        seen.append(added_cond_kwargs["time_ids"])
        return forward(*args, added_cond_kwargs=added_cond_kwargs, **more)

    monkeypatch.setattr(tiny_xl.denoiser, "forward", watched)
    tiny_xl.predict_noise(initial_noise(2, tiny_xl.latent_shape, 0), torch.tensor([1, 2]), None)
    assert seen[0].tolist() == [[16, 16, 0, 0, 16, 16]] * 2


def test_a_microbatch_has_its_own_rows(tiny_xl: StableDiffusionXL) -> None:
    x_t, t = initial_noise(3, tiny_xl.latent_shape, 0), torch.tensor([10, 500, 900])
    condition = tiny_xl.condition(PROMPTS[:3])
    model = tiny_xl.clone()
    model.denoiser.requires_grad_(True)
    whole = model.predict_noise(x_t, t, condition)
    parted = model.computing(ComputeSpec(microbatch=2)).predict_noise(x_t, t, condition)
    torch.testing.assert_close(parted, whole)


def test_saved_it_is_diffusers_pipeline_again(copied_xl_pipeline: Path, tmp_path: Path) -> None:
    change(copied_xl_pipeline / "model_index.json", force_zeros_for_empty_prompt=False)
    model = StableDiffusionXL.load(copied_xl_pipeline)
    noise, sampler = initial_noise(2, model.latent_shape, 0), SamplerSpec(name="ddim", steps=3, guidance_scale=2)
    made = model.sample(2, PROMPTS[:2], noise, sampler)
    model.save(tmp_path / "saved")
    again = load_model(tmp_path / "saved", "text_to_image")
    assert again.settings == {"force_zeros_for_empty_prompt": False}
    assert torch.equal(again.sample(2, PROMPTS[:2], noise, sampler), made)
    pipeline = theirs(tmp_path / "saved")
    found = pipeline(PROMPTS[:2], num_inference_steps=3, guidance_scale=2, latents=noise, output_type="np").images
    assert torch.equal(made.permute(0, 2, 3, 1), (torch.from_numpy(found) * 255).round().to(torch.uint8))


def test_image_to_image_is_the_same_network(copied_xl_pipeline: Path, tiny_xl: StableDiffusionXL) -> None:
    pipeline = StableDiffusionXLImg2ImgPipeline.from_pretrained(copied_xl_pipeline, add_watermarker=False)
    pipeline.save_pretrained(copied_xl_pipeline.with_name("img2img"))
    model = load_model(copied_xl_pipeline.with_name("img2img"), "text_to_image")
    noise, sampler = initial_noise(1, model.latent_shape, 0), SamplerSpec(steps=2)
    assert torch.equal(model.sample(1, ["a hat"], noise, sampler), tiny_xl.sample(1, ["a hat"], noise, sampler))


def test_a_long_prompt_is_named(tiny_xl: StableDiffusionXL) -> None:
    with pytest.raises(UserError, match=f"has {LENGTH + 1} tokens"):
        tiny_xl.condition([" ".join(["hat"] * (LENGTH - 1))])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"denoiser": lambda: tiny_unet(cross_attention_dim=48)}, "takes None beside a prompt"),
        (
            {
                "denoiser": lambda: tiny_unet(
                    cross_attention_dim=48,
                    addition_embed_type="text_time",
                    addition_time_embed_dim=8,
                    projection_class_embeddings_input_dim=5 * 8 + 16,
                )
            },
            "takes projections of 8, and the second text encoder's have 16",
        ),
        ({"denoiser": lambda: tiny_unet(cross_attention_dim=32)}, "takes conditions of 32, .* have 48"),
        ({"vae": lambda: tiny_vae(latents_mean=(0.0,) * 4, latents_std=(1.0,) * 4)}, "moves its latents"),
    ],
    ids=["another-condition", "refiner", "other-width", "moved-latents"],
)
def test_parts_that_do_not_fit_are_refused(
    tiny_xl: StableDiffusionXL, changed: dict[str, Callable[[], Any]], said: str
) -> None:
    names = ("denoiser", "noise_scheduler", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2")
    parts = {name: getattr(tiny_xl, name) for name in names} | {name: make() for name, make in changed.items()}
    with pytest.raises(UserError, match=said):
        StableDiffusionXL(**parts)


def test_a_second_tokenizer_of_other_words_is_refused(copied_xl_pipeline: Path) -> None:
    file = copied_xl_pipeline / "tokenizer_2" / "tokenizer.json"
    content = json.loads(file.read_text())
    words = content["model"]["vocab"]
    words["hat</w>"], words["bangs</w>"] = words["bangs</w>"], words["hat</w>"]
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match=f"{copied_xl_pipeline}: the tokenizers have different vocabularies"):
        StableDiffusionXL.load(copied_xl_pipeline)


def test_a_refiner_is_named_before_its_weights_are_read(copied_xl_pipeline: Path) -> None:
    """It has one text encoder alone, which its index says."""
    change(
        copied_xl_pipeline / "model_index.json",
        _class_name="StableDiffusionXLImg2ImgPipeline",
        text_encoder=[None, None],
        tokenizer=[None, None],
    )
    for file in copied_xl_pipeline.rglob("*.safetensors"):
        file.unlink()
    with pytest.raises(UserError, match=r"no whole pipeline: .* has no text_encoder and no tokenizer \(null\)"):
        load_model(copied_xl_pipeline, "text_to_image")


def test_words_that_the_tokenizers_split_otherwise_have_no_place(tiny_xl: StableDiffusionXL) -> None:
    """As "!!" is one token to the published model's first tokenizer, and two to the second, which pads with "!"."""
    assert len(tiny_xl.tokens(["a hat"])[0]) == 2
    known = _plain_words(tiny_xl)
    tiny_xl.tokenizer_2.add_special_tokens({"pad_token": "a"})
    tiny_xl.tokenizer_2.pad_token = "!"
    first, second = (own("hat", add_special_tokens=False).input_ids for own in tiny_xl.tokenizers)
    assert (len(first), len(second)) == (1, 3)
    # It is asked as it is read, and what needs a word's place is refused.
    assert tiny_xl.condition(["a hat"]).shape == (1, LENGTH + 1, 48)
    with pytest.raises(UserError, match="'a hat' has 2 tokens to one of the model's tokenizers and 4 to another"):
        tiny_xl.tokens(["person", "a hat"])
    # Nor is such a word searched.
    assert set(known) - set(_plain_words(tiny_xl)) >= set(first)
    assert set(known) & set(_plain_words(tiny_xl)) >= {tiny_xl.tokens(["of"])[0][0]}


def test_prompts_are_as_long_as_the_shorter_encoder_takes(copied_xl_pipeline: Path) -> None:
    change(copied_xl_pipeline / "tokenizer_2" / "tokenizer_config.json", model_max_length=6)
    prompt = "a hat and a hat"
    assert StableDiffusionXL.load(copied_xl_pipeline).max_tokens == 6
    for asked in (
        lambda: check_lengths([prompt], copied_xl_pipeline, "it"),
        lambda: StableDiffusionXL.load(copied_xl_pipeline).condition([prompt]),
    ):
        with pytest.raises(UserError, match="has 7 tokens with those for its begin and end, .* takes 6"):
            asked()
