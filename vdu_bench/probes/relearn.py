"""Relearning: how soon does the concept come back when the model is trained on a few images of it?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import Field, field_validator
from torch import Tensor

from vdu_bench.data.splits import DataSplits
from vdu_bench.methods.pools import Batch, ImagePool
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.selection import Weights, selected_parameters
from vdu_bench.models.specs import FitSpec
from vdu_bench.models.training.base_model import denoising_loss
from vdu_bench.models.training.batches import epoch_indices
from vdu_bench.models.training.dropout import seeded_dropout
from vdu_bench.models.training.fitting import Fit, gradients_of
from vdu_bench.models.upload import upload
from vdu_bench.probes.attack import UNATTACKED, Attack, ask_for_concept, check_enough, count_of, look_name, rising
from vdu_bench.probes.context import ProbeContext
from vdu_bench.seeds import derive_seed
from vdu_bench.spec import PositiveInt, Spec
from vdu_bench.tasks.task import Task


class RelearnSettings(Spec):
    """What the attacker has, and how it trains."""

    images: tuple[PositiveInt, ...] = Field(
        (5, 25), min_length=1, description="how many images the attacker has; each number is a series of its own"
    )
    looks: tuple[PositiveInt, ...] = Field(
        (10, 40), min_length=1, description="after how many steps the model is looked at, in rising order"
    )
    batch_size: PositiveInt = Field(25, description="images a step; the same ones again where there are fewer")
    learning_rate: float = Field(
        3e-5, gt=0, description="Adam's; ten times as much and a model learns what it never knew in ten steps"
    )
    clip_norm: float | None = Field(1.0, gt=0, description="largest gradient norm; none: not clipped")
    weights: Weights = Field("all", description="what is trained, as a method's setting of this name; not auto")
    samples: Annotated[int, Field(gt=0)] | None = Field(
        None, description="images a look; unless given, 300, and 100 of a model that takes prompts"
    )

    @field_validator("weights")
    @classmethod
    def _says_which(cls, weights: Weights) -> Weights:
        if weights == "auto":
            raise ValueError("auto is what methods choose by the task's kind; an attacker's are all, or say which")
        return weights

    @field_validator("images", "looks")
    @classmethod
    def _rise(cls, values: tuple[int, ...]) -> tuple[int, ...]:
        return rising(values)


class Relearn(Attack):
    """Fine-tuned on the concept: on a few training images of it, with a look after some steps.

    min_theta E || eps - eps_theta(x_t, t, c) ||^2 over the first n forget images, by Adam; of a text-to-image model c
    is an image's caption under the judged subjects. A model that only hides the concept shows it again in fewer steps
    than one that never knew it takes to learn it.
    """

    supports = ("unconditional", "text_to_image")
    needs = ("forget_images",)
    attack = True

    class Settings(RelearnSettings):
        """What the attacker has, and how it trains."""

    settings: RelearnSettings

    def check(self, task: Task, splits: DataSplits) -> None:
        there = int(splits.train.shows(task.forget).sum())
        check_enough(task, "relearn", max(self.settings.images), there, f"show {task.forget!r}")

    def images(self, context: ProbeContext) -> int:
        return relearning_images(self.settings, context)

    def draw(self, model: DiffusionModel, context: ProbeContext) -> dict[str, Tensor]:
        return relearned(model, context, self.settings, context.forget)


def relearning_images(settings: RelearnSettings, context: ProbeContext) -> int:
    """How many images `relearned` draws."""
    return (1 + len(settings.images) * len(settings.looks)) * count_of(settings.samples, context)


def relearned(
    model: DiffusionModel,
    context: ProbeContext,
    settings: RelearnSettings,
    pool: ImagePool,
) -> dict[str, Tensor]:
    """Looks at copies of a model that are trained on images of a pool, and one before.

    Args:
        model: stays as it is.
        context: the probe's.
        settings: how.
        pool: the first of its images are what the attacker has.

    Raises:
        Diverged: the training's loss, or an image, is not finite.
    """
    n = count_of(settings.samples, context)
    looks = {UNATTACKED: ask_for_concept(model, context, n)}
    for count in settings.images:
        looks |= _looks_after(count, n, model, context, settings, pool)
    return looks


def _looks_after(
    count: int, n: int, model: DiffusionModel, context: ProbeContext, settings: RelearnSettings, pool: ImagePool
) -> dict[str, Tensor]:
    """`n` images at each look at a copy that is trained on `count`; the copy is gone before the next one is made."""
    copy = model.clone(own=selected_parameters(model.denoiser, settings.weights))
    chosen = list(selected_parameters(copy.denoiser, settings.weights).values())
    fit = Fit(chosen, _spec(settings), copy.autocast)
    loss = _loss_on(copy, context, pool.take(torch.arange(count)), settings.batch_size)
    looks = {}
    for look in settings.looks:
        copy.denoiser.train()
        for parameter in chosen:
            parameter.requires_grad_(True)
        while fit.step < look:
            with seeded_dropout(copy.denoiser, derive_seed(context.seed, "dropout", count, fit.step)):
                fit.advance(gradients_of(loss))
        fit.read()
        looks[look_name(f"{count} images", look)] = ask_for_concept(copy.freeze(), context, n)
    return looks


def _spec(settings: RelearnSettings) -> FitSpec:
    own = settings.model_dump(include={"batch_size", "learning_rate", "clip_norm"})
    return FitSpec(steps=settings.looks[-1], **own)


def _loss_on(model: DiffusionModel, context: ProbeContext, batch: Batch, batch_size: int) -> Callable[[int], Tensor]:
    """The denoising loss of a step, which alone decides its images, times and noise: all models see the same."""
    count = len(batch.x0)

    def loss(step: int) -> Tensor:
        rows = epoch_indices(count, step * batch_size, batch_size, derive_seed(context.seed, "order", count))
        rows = upload(rows, batch.x0)
        condition = None if batch.condition is None else batch.condition[rows]
        generator = torch.Generator().manual_seed(derive_seed(context.seed, "step", count, step))
        return denoising_loss(model, batch.x0[rows], condition, generator)

    return loss
