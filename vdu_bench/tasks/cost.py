"""What a task takes, in evaluations of its denoiser: what a card's hours follow from once its rate is known."""

from __future__ import annotations

from typing import Any

from vdu_bench.models.specs import ModelRecipe
from vdu_bench.tasks.task import Task

RATE = "no rate of a card was measured yet, so hours are not known"
"""What is said of the time. Who measures one (docs/gpu.md) has hours to say in its place."""


def drawn(task: Task) -> int:
    """Forward evaluations, one for each image, for the samples of a cell: of both sets of prompts, where there are."""
    sets, guided = (1, 1) if task.prompts is None else (2, 2 if task.sampler.guidance_scale != 1 else 1)
    return sets * task.samples * task.sampler.steps * guided


def trained(recipe: ModelRecipe) -> int:
    """Forward evaluations of one training; as many backward ones come with them."""
    return recipe.training.steps * recipe.training.batch_size


def cost(task: Task) -> dict[str, Any]:
    """What `show` says: evaluations of the denoiser, one for each image, and why there are no hours.

    A method's own evaluations depend on its settings: ``run --dry-run`` counts them.
    """
    if task.recipe is None:
        training = f"none: the base is {task.base}; it cannot be retrained here, so there is no row retrain"
    else:
        models = 1 + task.retrain_seeds
        training = f"{models} models of {trained(task.recipe):,} forward and as many backward evaluations each"
    return {
        "training": training,
        "samples of a cell": f"{drawn(task):,} forward evaluations",
        "on a card": RATE,
    }
