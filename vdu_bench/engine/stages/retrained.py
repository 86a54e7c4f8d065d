"""The gold standard: the base's recipe on all images that do not show the forgotten concept."""

from __future__ import annotations

from pathlib import Path

from diffusers import AutoencoderKL

from vdu_bench.data.image_set import ImageSet
from vdu_bench.engine.stages.base import base
from vdu_bench.engine.stages.trained import Autoencoder, recipe_spec, trained
from vdu_bench.engine.store import Artifact
from vdu_bench.engine.weights import MODEL
from vdu_bench.engine.workshop import Workshop
from vdu_bench.errors import UserError
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.specs import LatentRecipe
from vdu_bench.tasks.task import Task


def retrained(shop: Workshop, task: Task, seed: int) -> Artifact:
    """The retrained model of a cell with that seed; of a latent one, in the base's latents.

    Cells whose seeds give one train seed (`Task.retrain_recipe`) share it. Raises UserError for a base from elsewhere.
    """
    recipe = task.retrain_recipe(seed)
    if recipe is None:
        raise UserError(f"{task.name}: {task.base} has no recipe here, so it cannot be retrained")

    def kept() -> ImageSet:
        train_set = shop.splits(task).train
        return train_set.subset(~train_set.shows(task.forget))

    spec = {**recipe_spec(shop, task, recipe), "without": task.forget}
    label = f"{task.family}: retrain model without {task.forget}"
    if task.retrain_seeds > 1:
        label += f", train seed {recipe.training.seed}"
    return trained(shop, "retrain", task, recipe, spec, kept, autoencoder_of_base(shop, task), label)


def autoencoder_of_base(shop: Workshop, task: Task) -> Autoencoder:
    """The base's own: it makes nothing of its own accord, and all models of a family speak of the same latents."""

    def autoencoder(_recipe: LatentRecipe, _images: ImageSet, _workspace: Path) -> AutoencoderKL:
        return TextToImage.load(base(shop, task).folder / MODEL).vae.to(shop.device)

    return autoencoder
