"""Stable Diffusion pipelines with random weights, small enough for tests: 16x16 images, 4x8x8 latents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import (
    AutoencoderKL,
    DDPMScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from vdu_bench.models.pipelines.text_to_image import TextToImage

WORDS = ("a", "portrait", "of", "person", "with", "hat", "eyeglasses", "and", "bangs")
LENGTH = 12


def write_tokenizer(folder: Path, marks: str = "", pad: str = "<|endoftext|>") -> CLIPTokenizer:
    """A BPE vocabulary of the letters and of `WORDS`, in the files that CLIP's tokenizer has; prompts of 12 tokens.

    It has `marks` as letters, too, and pads with the token `pad`.
    """
    letters = sorted({*"".join(WORDS), *marks})
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters)]
    merges = []
    for word in WORDS:
        parts = [*word[:-1], f"{word[-1]}</w>"]
        while len(parts) > 1:
            if parts[0] + parts[1] not in vocabulary:
                vocabulary.append(parts[0] + parts[1])
                merges.append(f"{parts[0]} {parts[1]}")
            parts = [parts[0] + parts[1], *parts[2:]]
    vocabulary += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": LENGTH, "pad_token": pad})
    )
    return CLIPTokenizer.from_pretrained(folder)


def write_pipeline(folder: Path, seed: int = 0, version: Literal[1, 2] = 1) -> None:
    """Write the whole pipeline by diffusers' own means; all weights depend on `seed` alone.

    Of version 2 it has linear projections, heads by the level, a vocabulary that pads with "!", and predicts v.
    """
    second = version == 2
    marks = {"marks": "!", "pad": "!"} if second else {}
    tokenizer = write_tokenizer(folder.with_name(f"{folder.name}_tokenizer"), **marks)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        text_encoder = CLIPTextModel(text_config(tokenizer, **({"hidden_act": "gelu"} if second else {})))
        vae = tiny_vae()
        heads = {"attention_head_dim": (4, 8), "use_linear_projection": True} if second else {}
        unet = tiny_unet(cross_attention_dim=32, **heads)
    noise = {"prediction_type": "v_prediction"} if second else {}
    StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DDPMScheduler(beta_schedule="scaled_linear", clip_sample=False, steps_offset=1, **noise),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def write_xl_pipeline(folder: Path, seed: int = 0, words: CLIPTokenizer | None = None) -> None:
    """Write a whole pipeline of Stable Diffusion XL by diffusers' own means; all weights depend on `seed` alone.

    As the published one it has text encoders of two widths, a second tokenizer that pads with another token (unless
    both are `words`), a projection narrower than a condition, and Euler's scheduler.
    """
    tokenizer = words or write_tokenizer(folder.with_name(f"{folder.name}_tokenizer"), marks="!")
    tokenizer_2 = words or write_tokenizer(folder.with_name(f"{folder.name}_tokenizer_2"), marks="!", pad="!")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        text_encoder = CLIPTextModel(text_config(tokenizer))
        text_encoder_2 = CLIPTextModelWithProjection(
            text_config(tokenizer, hidden_size=16, num_hidden_layers=3, projection_dim=16, hidden_act="gelu")
        )
        vae = tiny_vae(scaling_factor=0.13025)
        unet = tiny_unet(
            cross_attention_dim=48,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + 16,
        )
    StableDiffusionXLPipeline(
        vae=vae,
        text_encoder=text_encoder,
        text_encoder_2=text_encoder_2,
        tokenizer=tokenizer,
        tokenizer_2=tokenizer_2,
        unet=unet,
        scheduler=EulerDiscreteScheduler(
            beta_schedule="scaled_linear",
            beta_start=0.00085,
            beta_end=0.012,
            steps_offset=1,
            timestep_spacing="leading",
        ),
        add_watermarker=False,
    ).save_pretrained(folder)


def text_config(tokenizer: CLIPTokenizer, **changed: Any) -> CLIPTextConfig:
    """A text encoder's configuration, 32 wide unless `changed` says otherwise."""
    own: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": tokenizer.model_max_length,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    return CLIPTextConfig(**own | changed)


def tiny_vae(**changed: Any) -> AutoencoderKL:
    """An autoencoder with random weights."""
    return AutoencoderKL(
        sample_size=16,
        latent_channels=4,
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        **changed,
    )


def tiny_unet(**changed: Any) -> UNet2DConditionModel:
    """A U-Net with random weights."""
    own: dict[str, Any] = {
        "sample_size": 8,
        "block_out_channels": (32, 64),
        "layers_per_block": 1,
        "down_block_types": ("CrossAttnDownBlock2D",) * 2,
        "up_block_types": ("CrossAttnUpBlock2D",) * 2,
        "attention_head_dim": 4,
        "norm_num_groups": 8,
    }
    return UNet2DConditionModel(**own | changed)


def parts(model: TextToImage) -> list[torch.nn.Module]:
    return [model.denoiser, model.vae, model.text_encoder]


def parts_of(model: TextToImage, noise_scheduler: Any) -> tuple[Any, ...]:
    return model.denoiser, noise_scheduler, model.vae, model.text_encoder, model.tokenizer
