"""What base and retrained models have in common: a recipe, trained on images."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
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
from vdu_bench.files import replacing
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.precision import arithmetic
from vdu_bench.models.specs import LatentRecipe, ModelRecipe, SnapshotPosterior
from vdu_bench.models.training.base_model import TrainingLog, posterior_name, train
from vdu_bench.models.training.shown import CaptionedLatents, Pixels, TrainingData
from vdu_bench.tasks.task import Task

AUTOENCODER = "autoencoder"
POSTERIOR = "posterior.safetensors"
WAITING = "posteriors"
"""Where the posteriors of a training wait, in the folder of its running state, until they have a stage of their own."""

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


def recipe_spec(shop: Workshop, task: Task, recipe: ModelRecipe) -> dict[str, Any]:
    """What decides a model that is trained by a recipe: the task's, or the same with another train seed."""
    spec = {"family": task.family, "recipe": recipe.model_dump(mode="json"), "data": shop.data_digest(task)}
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
    posteriors: Sequence[SnapshotPosterior] = (),
) -> Artifact:
    """A model trained by a recipe; a killed training is gone on with.

    Its posteriors become stages of their own.

    Args:
        shop: where it is made.
        kind: of the stage.
        task: whose captions it learns.
        recipe: the model's.
        spec: the stage's.
        images: what it is shown.
        autoencoder: gives that of a latent model.
        label: what the progress calls it.
        posteriors: which of the training's posteriors are kept.
    """
    # A running state holds the moments of just these.
    running = {**spec, "posteriors": [posterior_name(posterior) for posterior in posteriors]} if posteriors else spec
    workspace = shop.store.workspace(kind, running)

    def make(folder: Path) -> Mapping[str, Any]:
        model, found, log = run_training(shop, task, recipe, images(), autoencoder, workspace, label, posteriors)
        if shop.team.is_first:
            for posterior, estimate in found.items():
                _save_waiting(estimate, workspace, posterior)
        model.rounded_to(getattr(torch, recipe.stored_dtype)).save(folder / MODEL)
        weights = sum(p.numel() for p in model.denoiser.parameters())
        return {"training": asdict(log), "weights": weights, "environment": describe_environment(shop.device)}

    artifact = shop.get(Stage(kind, spec, make, code=code_digest(CODE, alone=[__name__]), label=label))
    for posterior in posteriors:
        file = _waiting(workspace, posterior)
        if shop.team.told(file.exists):
            # One that is there already may be of the training before this one, which its address does not tell. Who
            # waited for this training may have taken this one's meanwhile.
            with suppress(_TakenMeanwhileError):
                shop.get(posterior_stage(task, spec, posterior, _copying(shop, file)), again=True)
    shop.store.forget_workspace(kind, running)
    return artifact


def run_training(
    shop: Workshop,
    task: Task,
    recipe: ModelRecipe,
    images: ImageSet,
    autoencoder: Autoencoder,
    workspace: Path,
    label: str,
    posteriors: Sequence[SnapshotPosterior],
) -> tuple[DiffusionModel, dict[SnapshotPosterior, WeightPosterior], TrainingLog]:
    """The trained model, the posteriors that it gave snapshots enough for, and the log; arguments as `trained`'s."""
    model, data = _untrained(
        shop, task, recipe, images, lambda latent, shown: autoencoder(latent, shown, workspace / AUTOENCODER)
    )
    model.computing(task.compute.model_copy(update={"autocast": recipe.training.autocast}), training=True)
    with arithmetic(recipe.training.autocast), shop.progress.steps(label, recipe.training.steps) as on_step:
        found, log = train(model, data, recipe.training, workspace, on_step, shop.team, posteriors)
    return model, found, log


def posterior_stage(
    task: Task,
    spec: Mapping[str, Any],
    posterior: SnapshotPosterior,
    make: Callable[[Path], Mapping[str, Any]],
) -> Stage:
    """The stage of a posterior from the snapshots of a training, which `spec` decides."""
    return Stage(
        "posterior",
        {**spec, "snapshots": posterior.snapshots, "snapshots_from": posterior.snapshots_from},
        make,
        code=code_digest(CODE, alone=[__name__]),
        label=f"{task.family}: posterior of {posterior.snapshots} snapshots",
    )


def _waiting(workspace: Path, posterior: SnapshotPosterior) -> Path:
    return workspace / WAITING / f"{posterior_name(posterior)}.safetensors"


def _save_waiting(estimate: WeightPosterior, workspace: Path, posterior: SnapshotPosterior) -> None:
    file = _waiting(workspace, posterior)
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as partial:
        estimate.save(partial)


class _TakenMeanwhileError(Exception):
    """A posterior waits no more: another process has made a stage of it, and cleared the place."""


def _copying(shop: Workshop, file: Path) -> Callable[[Path], Mapping[str, Any]]:
    def make(folder: Path) -> Mapping[str, Any]:
        try:
            shutil.copyfile(file, folder / POSTERIOR)
        except FileNotFoundError as error:
            raise _TakenMeanwhileError from error
        return {"environment": describe_environment(shop.device)}

    return make


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
