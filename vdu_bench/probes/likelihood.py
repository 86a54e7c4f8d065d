"""Likelihood: how well a model denoises samples, its own and those of the model that never knew the concept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from vdu_bench.data.splits import DataSplits
from vdu_bench.errors import UserError
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.probes.attack import count_of
from vdu_bench.probes.context import ProbeContext
from vdu_bench.probes.loss_probe import LossContext, LossProbe, LossSettings, Taken, denoising_losses
from vdu_bench.tasks.task import Task

SIDES: tuple[Literal["forget", "retain"], ...] = ("forget", "retain")
"""What samples are called, and the sets of prompts that they were asked for by."""


class Likelihood(LossProbe):
    """Loss on the model's own samples: the denoising loss, a bound on the likelihood, on the first of them.

    Of the method's model and of the retrained one, each on either's samples (after FADE, Cho et al. 2025, arXiv
    2510.12981). A text-to-image model's samples are denoised under the prompts that they were asked for by.
    """

    supports = ("unconditional", "text_to_image")
    needs = ()
    of_samples = True

    class Settings(LossSettings):
        """How many samples, at how many times and noises."""

        samples: Annotated[int, Field(gt=0)] | None = Field(
            None, description="samples; unless given, 300, and 100 a set of prompts of a model that takes them"
        )

    settings: Settings

    def check(self, task: Task, splits: DataSplits) -> None:  # noqa: ARG002
        if (wanted := self.settings.samples) is not None and wanted > task.samples:
            raise UserError(
                f"{task.name}: likelihood is to have {wanted} samples, and a cell has {task.samples}; give it fewer by "
                f"--set task.probe_settings.likelihood.samples={task.samples}"
            )

    def images(self, context: ProbeContext) -> int:
        return self._count(context) * (1 if context.prompts is None else 2)

    def draw(self, model: DiffusionModel, context: ProbeContext) -> dict[str, Tensor]:
        if not isinstance(context, LossContext):
            raise ValueError("likelihood reads samples, and there are none in its context")
        found: dict[str, Tensor] = {}
        for name in SIDES:
            if (images := context.drawn.get(name)) is None:
                continue
            n = self._count(context)
            prompts = None if context.prompts is None else context.prompts.cycled(name, n)

            def take(rows: Tensor, images: Tensor = images, prompts: list[str] | None = prompts) -> Taken:
                asked = None if prompts is None else [prompts[i] for i in rows.tolist()]
                return model.encode(images[rows]), model.condition(asked)

            found[name] = denoising_losses(model, n, take, self.settings, context.seed, context.on_batch)
        return found

    def _count(self, context: ProbeContext) -> int:
        return min(count_of(self.settings.samples, context), context.samples)
