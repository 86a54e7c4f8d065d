"""A Stable Diffusion XL pipeline of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from own_pipelines import same, state_of, unlearned

from vdu_bench.api.own_pipeline import model_of
from vdu_bench.errors import UserError

SHORT = {"steps": 2, "batch_size": 3}


@pytest.mark.parametrize(("method", "settings"), [("uce", {}), ("adv_unlearn", {"preserve_batch": 2, "images": 2})])
def test_stable_diffusion_xl_comes_back_as_itself(
    method: str, settings: dict[str, Any], copied_xl_pipeline: Path
) -> None:
    pipeline = StableDiffusionXLPipeline.from_pretrained(
        copied_xl_pipeline, add_watermarker=False, force_zeros_for_empty_prompt=False
    )
    pipeline.set_progress_bar_config(disable=True)
    before = state_of(pipeline)
    own = {} if method == "uce" else SHORT | settings | {"attack_steps": 1}
    made = unlearned(pipeline, method, prompts="a hat", anchor="a person", **own)
    assert same(state_of(pipeline), before)
    assert isinstance(made, StableDiffusionXLPipeline)
    assert made.config["force_zeros_for_empty_prompt"] is False
    changed = {name.partition(".")[0] for name, value in state_of(made).items() if not torch.equal(value, before[name])}
    assert changed == ({"unet"} if method == "uce" else {"text_encoder", "text_encoder_2"})
    settings = {"num_inference_steps": 2, "output_type": "np", "height": 16, "width": 16}
    images = [one("a hat", generator=torch.Generator().manual_seed(0), **settings).images for one in (pipeline, made)]
    assert not (images[0] == images[1]).all()


@pytest.mark.parametrize("lacking", ["text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "vae", "scheduler"])
def test_a_part_that_was_not_loaded_is_named(tiny_xl_pipeline: Path, lacking: str) -> None:
    pipeline = StableDiffusionXLPipeline.from_pretrained(tiny_xl_pipeline, **{lacking: None})
    with pytest.raises(UserError, match=f"^the StableDiffusionXLPipeline has no {lacking}: load it whole"):
        model_of(pipeline)


def test_parts_that_do_not_fit_are_named_with_their_pipeline(copied_xl_pipeline: Path) -> None:
    pipeline = StableDiffusionXLPipeline.from_pretrained(copied_xl_pipeline, add_watermarker=False)
    pipeline.vae.register_to_config(latents_mean=[0.0] * 4, latents_std=[1.0] * 4)
    with pytest.raises(UserError, match="the StableDiffusionXLPipeline: the autoencoder moves its latents"):
        unlearned(pipeline, "uce", prompts="a hat", anchor="a person")
