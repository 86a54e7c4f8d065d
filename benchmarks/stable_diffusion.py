"""Writes Stable Diffusion 1.x at its full size with random weights, in diffusers' layout.

    python benchmarks/stable_diffusion.py --out DIR [--seed 0] [--dtype float16] [--image-size 512]

The configurations are those of CompVis/stable-diffusion-v1-4, the vocabulary is CLIP's own, from the file that
open_clip ships. Nothing is downloaded. `DIR/base` is the pipeline, `DIR/other` a second U-Net near the first, so that a
posterior can be estimated from the two. In float16 they take 4 GB on disk and less than 5 GB of memory to write.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from open_clip.tokenizer import bytes_to_unicode, default_bpe
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from vdu_bench.seeds import derive_seed

UNET: dict[str, Any] = {
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
    "norm_num_groups": 32,
    "act_fn": "silu",
}
VAE: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "norm_num_groups": 32,
    "act_fn": "silu",
}
TEXT_ENCODER: dict[str, Any] = {
    "vocab_size": 49408,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "bos_token_id": 49406,
    "eos_token_id": 49407,
    "pad_token_id": 49407,
}
UNET_XL = UNET | {
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D",) + ("CrossAttnDownBlock2D",) * 2,
    "up_block_types": ("CrossAttnUpBlock2D",) * 2 + ("UpBlock2D",),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
"""The U-Net of stabilityai/stable-diffusion-xl-base-1.0; its autoencoder and first text encoder are of the same make as
Stable Diffusion 1.x's."""
TEXT_ENCODER_2 = TEXT_ENCODER | {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "projection_dim": 1280,
    "hidden_act": "gelu",
}
SCHEDULER: dict[str, Any] = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "clip_sample": False,
    "steps_offset": 1,
}
MERGES = 49408 - 2 * 256 - 2
"""Two tokens for each byte, alone and at a word's end, and two for a text's begin and end."""
DEVIATION = 0.01
"""How far the second U-Net is from the first: a share of each tensor's own deviation."""


def write_pipeline(folder: Path, seed: int, dtype: torch.dtype, image_size: int) -> None:
    """Write the whole pipeline, a component at a time; all weights depend on `seed` alone."""
    write_tokenizer(folder / "tokenizer")
    DDPMScheduler(**SCHEDULER).save_pretrained(folder / "scheduler")
    with drawn_in(dtype, seed, "unet"):
        UNet2DConditionModel(**UNET, sample_size=image_size // 8).save_pretrained(folder / "unet")
    with drawn_in(dtype, seed, "vae"):
        AutoencoderKL(**VAE, sample_size=image_size).save_pretrained(folder / "vae")
    with drawn_in(dtype, seed, "text_encoder"):
        CLIPTextModel(CLIPTextConfig(**TEXT_ENCODER)).save_pretrained(folder / "text_encoder")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "DDPMScheduler"],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
        "requires_safety_checker": False,
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def write_neighbour(base: Path, folder: Path, seed: int) -> None:
    """Write a U-Net whose weights are a little apart from those of the pipeline in `base`."""
    (folder / "unet").mkdir(parents=True)
    name = "diffusion_pytorch_model.safetensors"
    generator = torch.Generator().manual_seed(derive_seed(seed, "neighbour"))
    moved: dict[str, Tensor] = {}
    with safe_open(base / "unet" / name, framework="pt") as weights:
        for key in weights.keys():  # noqa: SIM118
            weight = weights.get_tensor(key)
            noise = torch.randn(weight.shape, generator=generator)
            # A bias of zeros has no deviation of its own.
            scale = DEVIATION * max(float(weight.float().std(correction=0)), DEVIATION)
            moved[key] = (weight.float() + scale * noise).to(weight.dtype)
    save_file(moved, folder / "unet" / name, metadata={"format": "pt"})
    (folder / "unet" / "config.json").write_bytes((base / "unet" / "config.json").read_bytes())


def write_tokenizer(folder: Path) -> CLIPTokenizer:
    """CLIP's tokenizer in the files that it is published in: ``vocab.json`` and ``merges.txt``."""
    folder.mkdir(parents=True)
    lines = gzip.decompress(Path(default_bpe()).read_bytes()).decode("utf-8").split("\n")
    merges = lines[1 : 1 + MERGES]
    letters = list(bytes_to_unicode().values())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(merge.split()) for merge in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: place for place, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
    configuration = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(configuration), encoding="utf-8")
    return CLIPTokenizer.from_pretrained(folder)


@contextmanager
def drawn_in(dtype: torch.dtype, seed: int, component: str) -> Iterator[None]:
    """Initialise in `dtype` from the start: a float32 copy of the U-Net would take twice the memory."""
    default = torch.get_default_dtype()
    # torch's initialisers take no generator, so the global one is set aside and given back.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, component))
        torch.set_default_dtype(dtype)
        try:
            yield
        finally:
            torch.set_default_dtype(default)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", choices=["float16", "float32"], default="float16")
    parser.add_argument("--image-size", type=int, default=512, help="a multiple of 64")
    arguments = parser.parse_args()
    write_pipeline(arguments.out / "base", arguments.seed, getattr(torch, arguments.dtype), arguments.image_size)
    write_neighbour(arguments.out / "base", arguments.out / "other", arguments.seed)


if __name__ == "__main__":
    main()
