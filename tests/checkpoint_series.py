"""A small pipeline in the place of Stable Diffusion 1.4, for tasks that are of its size, and what makes them small."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.specs import LatentRecipe, TextEncoderRecipe

UNET = Path("unet") / "diffusion_pytorch_model.safetensors"


def write_series(root: Path, recipe: LatentRecipe, prompts: Iterable[str]) -> list[Path]:
    """Four checkpoints of one pipeline, as CompVis' v1-1 to v1-4 are of one; the last is whole, the others U-Nets.

    It knows the words of the prompts, and takes as many tokens as Stable Diffusion.
    """
    words = sorted({word for prompt in prompts for word in prompt.lower().split()})
    encoder = recipe.text_encoder
    recipe = recipe.model_copy(update={"text_encoder": TextEncoderRecipe(network=encoder.network, max_tokens=77)})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vae = AutoencoderKL(**recipe.autoencoder.network)
    folders = [root / f"v1-{number}" for number in range(1, 5)]
    TextToImage.from_recipe(recipe, vae, words).save(folders[-1])
    weights = load_file(folders[-1] / UNET)
    for number, folder in enumerate(folders[:-1]):
        generator = torch.Generator().manual_seed(number)
        (folder / "unet").mkdir(parents=True)
        moved = {name: w + 0.01 * torch.randn(w.shape, generator=generator) for name, w in weights.items()}
        save_file(moved, folder / UNET)
        shutil.copy(folders[-1] / "unet" / "config.json", folder / "unet")
    return folders


def small(series: Sequence[Path]) -> list[str]:
    """What has to be smaller than in the task file; all else is left as it is there."""
    settings = [
        f"task.base={series[-1]}",
        f"task.posterior.checkpoints=[{', '.join(map(str, series))}]",
        "task.clip=null",
        "task.inception=null",
        *("task.judge.architecture=test_resnet", "task.judge.pretrained=false", "task.judge.input_size=24"),
        "task.judge.training={steps: 4, batch_size: 8}",
        *("task.second_judge.architecture=test_convnext", "task.second_judge.pretrained=false"),
        *("task.second_judge.input_size=64", "task.second_judge.training={steps: 4, batch_size: 8}"),
        *("task.judge.max_shift=1", "task.sampler.steps=2", "task.samples=8"),
        *("vdu.steps=2", "vdu.batch_size=2", "esd.steps=2", "esd.x_t_steps=2"),
    ]
    return [word for setting in settings for word in ("--set", setting)]
