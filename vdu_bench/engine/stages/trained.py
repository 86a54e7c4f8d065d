"""What base and retrained models have in common: a recipe, trained on images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL

from vdu_bench.data.captions import Captions, words_of
from vdu_bench.data.image_set import ImageSet
from vdu_bench.engine.code import code_digest
from vdu_bench.engine.environment import describe_environment
from vdu_bench.engine.stage import Stage
from vdu_bench.engine.store import Artifact
from vdu_bench.engine.weights import MODEL
from vdu_bench.engine.workshop import Workshop
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.specs import ComputeSpec, LatentRecipe, ModelRecipe
from vdu_bench.models.training.base_model import TrainingLog, train
from vdu_bench.models.training.shown import CaptionedLatents, Pixels, TrainingData
from vdu_bench.tasks.task import Task

AUTOENCODER = "autoencoder"

CODE = (
    "vdu_bench.models.training.autoencoder",
    "vdu_bench.models.training.base_model",
    "vdu_bench.models.training.shown",
    "vdu_bench.models.pipelines.text_to_image",
    "vdu_bench.models.pipelines.unconditional",
)
"""What trains a model."""

Autoencoder = Callable[[LatentRecipe, ImageSet, Path], AutoencoderKL]
"""Gives a latent model's autoencoder, from the recipe, the images and a folder for its running state."""


def recipe_spec(shop: Workshop, task: Task) -> dict[str, Any]:
    """What decides a model that is trained by the task's recipe."""
    recipe = task.model.model_dump(mode="json")
    spec = {"family": task.family, "recipe": recipe, "data": shop.data_digest(task)}
    return spec if task.prompts is None else {**spec, "captions": task.prompts.captions.model_dump(mode="json")}


def trained(
    shop: Workshop,
    kind: str,
    task: Task,
    recipe: ModelRecipe,
    spec: Mapping[str, Any],
    images: Callable[[], ImageSet],
    autoencoder: Autoencoder,
    label: str,
    keep: Callable[[WeightPosterior, Path], None] = lambda _posterior, _folder: None,
) -> Artifact:
    """A model trained by a recipe; a killed training is gone on with.

    Args:
        shop: where it is made.
        kind: of the stage.
        task: whose captions it learns.
        recipe: the model's.
        spec: the stage's.
        images: what it is shown.
        autoencoder: gives that of a latent model.
        label: what the progress calls it.
        keep: puts the posterior of the training into the stage's folder.
    """
    workspace = shop.store.workspace(kind, spec)

    def make(folder: Path) -> Mapping[str, Any]:
        model, data = _untrained(
            shop, task, recipe, images(), lambda latent, shown: autoencoder(latent, shown, workspace / AUTOENCODER)
        )
        model.computing(ComputeSpec(autocast=recipe.training.autocast))
        with shop.progress.steps(label, recipe.training.steps) as on_step:
            posterior, log = train(model, data, recipe.training, workspace, on_step, shop.team)
        model.rounded_to(getattr(torch, recipe.stored_dtype)).save(folder / MODEL)
        keep(posterior, folder)
        weights = sum(p.numel() for p in model.denoiser.parameters())
        return {"training": asdict(log), "weights": weights, "environment": describe_environment(shop.device)}

    artifact = shop.get(Stage(kind, spec, make, code=code_digest(CODE, alone=[__name__]), label=label))
    shop.store.forget_workspace(kind, spec)
    return artifact


def training_log(artifact: Artifact) -> TrainingLog:
    """What the training of an artifact took."""
    return TrainingLog(**artifact.facts["training"])


def _untrained(
    shop: Workshop,
    task: Task,
    recipe: ModelRecipe,
    images: ImageSet,
    autoencoder: Callable[[LatentRecipe, ImageSet], AutoencoderKL],
) -> tuple[DiffusionModel, TrainingData]:
    if isinstance(recipe, LatentRecipe):
        assert task.prompts is not None  # a Task without them is not valid
        words = task.prompts.captions
        latent = TextToImage.from_recipe(recipe, autoencoder(recipe, images), words_of(words)).to(shop.device)
        return latent, CaptionedLatents(latent, images, Captions(words, images.names), recipe.caption_dropout)
    model = UnconditionalDDPM.from_recipe(recipe).to(shop.device)
    return model, Pixels(model, images)
