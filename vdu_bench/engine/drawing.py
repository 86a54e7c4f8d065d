"""What is drawn from a model to be judged: samples of each set of prompts, and counterfactual pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from vdu_bench.data.captions import Captions
from vdu_bench.data.counterfactuals import CounterfactualPairs
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.sampling import initial_noise
from vdu_bench.models.specs import ComputeSpec
from vdu_bench.tasks.task import Task


def usage(task: Task) -> dict[str, Any]:
    """How a task asks its model and computes it, which decides a stage beside all else.

    Empty for a task without prompts that computes plainly.
    """
    compute = {"compute": task.compute.model_dump(mode="json")}
    if task.prompts is None:
        return {} if task.compute == ComputeSpec() else compute
    return {"prompts": task.prompts.model_dump(mode="json"), **compute}


def draw_samples(
    model: DiffusionModel, task: Task, seed: int, on_batch: Callable[[int], None] | None = None
) -> dict[str, Tensor]:
    """uint8 ``[N, C, H, W]`` by name: ``images``, of the forget prompts where there are prompts, and then ``retain``.

    Both are from the same initial noise.
    """
    noise = initial_noise(task.samples, model.latent_shape, seed)
    if task.prompts is None:
        return {"images": model.sample(task.samples, None, noise, task.sampler, on_batch)}
    return {
        name: model.sample(task.samples, task.prompts.cycled(which, task.samples), noise, task.sampler, on_batch)
        for name, which in (("images", "forget"), ("retain", "retain"))
    }


def redraw_pairs(
    model: DiffusionModel,
    task: Task,
    pairs: CounterfactualPairs,
    seed: int,
    on_batch: Callable[[int], None] | None = None,
) -> Tensor:
    """The pairs' images that show the feature, noised part of the way and denoised under their captions.

    uint8 ``[N, C, H, W]``. Raises ValueError for a task without prompts.
    """
    if task.prompts is None:
        raise ValueError("pairs are redrawn under their captions, and there are no prompts")
    prompts = Captions(task.prompts.captions, pairs.names).plain(pairs.concepts_with)
    noise = initial_noise(len(pairs), model.latent_shape, seed, "pairs")
    return model.redraw(pairs.with_, prompts, noise, task.sampler, task.pair_strength, on_batch)
