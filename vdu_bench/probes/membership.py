"""Membership: does the denoising loss tell which images of the concept the base was trained on?"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor

from vdu_bench.data.splits import DataSplits
from vdu_bench.methods.pools import ImagePool
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.probes.attack import check_enough
from vdu_bench.probes.context import ProbeContext
from vdu_bench.probes.loss_probe import LossProbe, LossSettings, Taken, denoising_losses
from vdu_bench.spec import PositiveInt
from vdu_bench.tasks.task import Task

MOST = 200
"""Images of the concept of either kind, unless a setting says otherwise."""


class Membership(LossProbe):
    """Loss on members and on others: the denoising loss on forget images trained on, and on held-out ones.

    A model that learnt images by heart denoises them better than others of their kind (as an attack on diffusion
    models: Matsumoto, Miura & Yanai 2023; Carlini et al. 2023). A text-to-image model is asked by an image's caption
    under the judged subjects. The images are the first of each in the data's order.
    """

    supports = ("unconditional", "text_to_image")
    needs = ("forget_images", "held_out_images")
    attack = True

    class Settings(LossSettings):
        """How many images, at how many times and noises."""

        noises: PositiveInt = Field(4, description="noises at each of them")
        given: Annotated[int, Field(gt=0)] | None = Field(
            None, description="training images of the concept; unless given all, at most 200"
        )
        held_out: PositiveInt = Field(MOST, description="at most so many held-out images of the concept")

    settings: Settings

    def check(self, task: Task, splits: DataSplits) -> None:
        there = int(splits.train.shows(task.forget).sum())
        check_enough(task, "membership", self.settings.given or 0, there, f"show {task.forget!r}", "given")

    def images(self, context: ProbeContext) -> int:
        return sum(self._counts(context))

    def draw(self, model: DiffusionModel, context: ProbeContext) -> dict[str, Tensor]:
        counts = self._counts(context)
        pools = {"trained": context.forget, "held_out": context.held_out}
        return {
            name: self._losses(model, context, pool, count)
            for (name, pool), count in zip(pools.items(), counts, strict=True)
        }

    def _losses(self, model: DiffusionModel, context: ProbeContext, pool: ImagePool, count: int) -> Tensor:
        def take(rows: Tensor) -> Taken:
            batch = pool.take(rows)
            return batch.x0, batch.condition

        return denoising_losses(model, count, take, self.settings, context.seed, context.on_batch)

    def _counts(self, context: ProbeContext) -> tuple[int, int]:
        given = self.settings.given or MOST
        return min(given, len(context.forget)), min(self.settings.held_out, len(context.held_out))
