"""What a task takes, in evaluations of its denoiser, and in time on a card whose rates were measured."""

from __future__ import annotations

from typing import Any, NamedTuple

from vdu_bench.models.specs import ModelRecipe
from vdu_bench.tasks.task import Task

RATE = "no rate of a card was measured for this network, so hours are not known"
"""Said in the place of hours. Whoever measures a rate (docs/gpu.md) can have them said."""
CARD = "an H200"


class Rate(NamedTuple):
    """What `CARD` does in a second with a network (results/gpu).

    Attributes:
        trained: images forward and backward, with everything that is in a step, in the precision that the recipe names.
        drawn: forward evaluations in a whole sampling, in the precision that the tasks sample in.
    """

    trained: float
    drawn: float


RATES: dict[tuple[int, ...], Rate] = {
    # MNIST's: bfloat16 in training (recipe_cost.py, 300 steps); float32 in sampling, 474.5 images of 50 steps.
    (32, 64, 64, 64): Rate(1820.4, 23724.0),
    # Ho et al.'s of CIFAR-10: TF32, and 334.6 images of 20 steps.
    (128, 256, 256, 256): Rate(1792.6, 6691.1),
}
"""By the channels of the blocks, which tell the networks of the catalog apart."""
BASES = {"google/ddpm-cifar10-32": (128, 256, 256, 256)}
"""The networks of bases that are trained elsewhere, by what `RATES` knows them by."""


def drawn(task: Task) -> int:
    """Forward evaluations, one for each image, for the samples of a cell: of both sets of prompts, where there are."""
    sets, guided = (1, 1) if task.prompts is None else (2, 2 if task.sampler.guidance_scale != 1 else 1)
    return sets * task.samples * task.sampler.steps * guided


def trained(recipe: ModelRecipe) -> int:
    """Forward evaluations of one training; as many backward ones come with them."""
    return recipe.training.steps * recipe.training.batch_size


def cost(task: Task) -> dict[str, Any]:
    """What `show` says: evaluations of the denoiser, one for each image, and the time they take, where that is known.

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
        "on a card": _on_a_card(task),
    }


def _on_a_card(task: Task) -> str:
    rate = RATES.get(_network(task))
    if rate is None:
        return RATE
    parts = [f"{_words(drawn(task) / rate.drawn)} for the samples of a cell"]
    if task.recipe is not None:
        parts.insert(0, f"{_words(trained(task.recipe) / rate.trained)} for a model")
    return f"{CARD}: {' and '.join(parts)}, at measured rates (docs/gpu.md)"


def _network(task: Task) -> tuple[int, ...]:
    if task.recipe is None:
        return BASES.get(task.base or "", ())
    return tuple(task.recipe.denoiser.get("block_out_channels", ())) if task.prompts is None else ()


def _words(seconds: float) -> str:
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= 1.5 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"
