"""The base model: trained on everything, or from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL

from vdu_bench.data.image_set import ImageSet
from vdu_bench.engine.stage import Stage
from vdu_bench.engine.stages.trained import recipe_spec, trained
from vdu_bench.engine.store import Artifact, checksums
from vdu_bench.engine.weights import MODEL
from vdu_bench.engine.workshop import Workshop
from vdu_bench.files import stamp
from vdu_bench.models.pipelines.finding import find_pipeline
from vdu_bench.models.pipelines.loading import check_images, load_model
from vdu_bench.models.specs import LatentRecipe, SnapshotPosterior
from vdu_bench.models.training.autoencoder import train_autoencoder
from vdu_bench.tasks.task import Task

CONTENT = "content.json"

KEPT = (2, 3, 5, 10)
"""A training also leaves the posteriors of so many snapshots, beside the task's own number. So the question how few are
enough takes no further training."""


def base(shop: Workshop, task: Task) -> Artifact:
    """The base model, trained on everything, which leaves its posteriors; or what is known of one from elsewhere."""
    recipe = task.recipe
    if recipe is None:
        return _elsewhere(shop, task)

    def autoencoder(latent: LatentRecipe, images: ImageSet, workspace: Path) -> AutoencoderKL:
        with shop.progress.steps(f"{task.family}: autoencoder", latent.autoencoder.training.steps) as on_step:
            dtype = getattr(torch, latent.stored_dtype)
            seed = latent.training.seed
            return train_autoencoder(
                latent.autoencoder, images.images, seed, dtype, shop.device, workspace, on_step, shop.team
            )

    return trained(
        shop,
        "base",
        task,
        recipe,
        recipe_spec(shop, task, recipe),
        lambda: shop.splits(task).train,
        autoencoder,
        f"{task.family}: base model",
        _kept(task),
    )


def _kept(task: Task) -> list[SnapshotPosterior]:
    own = task.posterior_source
    if not isinstance(own, SnapshotPosterior):
        own = SnapshotPosterior(source="snapshots")
    return [own.model_copy(update={"snapshots": n}) for n in sorted({*KEPT, own.snapshots})]


def pipeline_of(artifact: Artifact) -> Path:
    """Where the pipeline of a base or retrained artifact lies."""
    return Path(artifact.facts.get("source") or artifact.folder / MODEL)


def _elsewhere(shop: Workshop, task: Task) -> Artifact:
    """A base that is not ours to make: where it lies, and the digest of what lies there."""
    assert task.base is not None  # a Task without a recipe is not valid otherwise
    folder = find_pipeline(task.base, task.model.kind)

    def make(target: Path) -> Mapping[str, Any]:
        # Read once here, so that a wrong one is refused before anything is trained for it.
        images = shop.splits(task).train.images
        check_images(load_model(folder, task.model.kind), images.shape[1:], f"{task.name}: {task.base}")
        (target / CONTENT).write_text(json.dumps(checksums(folder), indent=1, sort_keys=True) + "\n", encoding="utf-8")
        return {"source": str(folder)}

    spec = {"family": task.family, "source": task.base, "stamp": stamp([folder])}
    return shop.get(Stage("base", spec, make, label=f"{task.family}: base model {task.base}"))
