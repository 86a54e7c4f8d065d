"""Models with random weights, and what methods are given to work with: nothing of it is trained or downloaded."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from stable_diffusion import SCHEDULER, TEXT_ENCODER, UNET, VAE, write_tokenizer
from transformers import CLIPTextConfig, CLIPTextModel

from vdu_bench.data.image_set import ImageSet
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.shipped import shipped_artifacts
from vdu_bench.engine.stages.base import base
from vdu_bench.engine.store import Store
from vdu_bench.engine.weights import read_model
from vdu_bench.engine.workshop import Workshop
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import Method
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.specs import SamplerSpec
from vdu_bench.tasks.task import Task

DEVIATION = 0.01
"""Of every weight in the posterior, which no rate depends on."""


def random_model(task: Task, device: str, full_pipeline: bool, store: Path) -> DiffusionModel:
    """The task's network with random weights, in float32; of a task with prompts Stable Diffusion 1.x at 512x512.

    Without `full_pipeline` the latter is the base that ships with the task.
    """
    if task.prompts is None:
        assert task.recipe is not None
        return UnconditionalDDPM.from_recipe(task.recipe).to(device)
    if not full_pipeline:
        shop = Workshop(Store(store, shipped_artifacts()), device, Progress(quiet=True))
        return read_model(task, base(shop, task)).to(device)
    with torch.random.fork_rng(), torch.device(device), tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        return TextToImage(
            UNet2DConditionModel(**UNET, sample_size=64),
            DDPMScheduler(**SCHEDULER),
            AutoencoderKL(**VAE, sample_size=512),
            CLIPTextModel(CLIPTextConfig(**TEXT_ENCODER)),
            write_tokenizer(Path(folder) / "tokenizer"),
        )


def images_of(model: DiffusionModel, task: Task, n: int) -> ImageSet:
    """Noise for images, every second of which shows what is to be forgotten and nothing else."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (n, *model.image_shape), generator=generator).to(torch.uint8)
    others = () if task.prompts is None else tuple(task.prompts.captions.phrases)
    names = (task.forget, *(name for name in (others or ("other",)) if name != task.forget))
    concepts = torch.zeros(n, len(names), dtype=torch.bool)
    concepts[::2, 0] = True
    concepts[1::2, 1] = True
    return ImageSet(images, concepts, names)


def context_of(model: DiffusionModel, task: Task, method: Method, sampler: SamplerSpec, n: int) -> UnlearningContext:
    """What the method works with: `n` images of noise, the task's prompts, a posterior of one deviation."""
    weights = dict(model.denoiser.named_parameters())

    def posterior(names: Sequence[str]) -> WeightPosterior:
        chosen = {name: weights[name].detach() for name in names}
        return WeightPosterior(chosen, {name: torch.full_like(w, DEVIATION) for name, w in chosen.items()})

    def no_retrain() -> Any:
        raise AssertionError("no contestant retrains")

    images = images_of(model, task, n)
    return UnlearningContext(
        model, images, task.forget, "full", method.needs, 0, posterior, no_retrain, task.prompts, sampler=sampler
    )
