"""Relearning without the concept: does it come back by itself, when the model is trained on anything else?"""

from __future__ import annotations

from torch import Tensor

from vdu_bench.data.splits import DataSplits
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.probes.attack import Attack, check_enough
from vdu_bench.probes.context import ProbeContext
from vdu_bench.probes.relearn import RelearnSettings, relearned, relearning_images
from vdu_bench.tasks.task import Task


class RelearnBlind(Attack):
    """Fine-tuned on anything else: as `relearn`, on images without the concept (after DiMRA, arXiv 2512.03564).

    Whoever fine-tunes a model for another end does the same without knowing. What comes back was not gone.
    """

    supports = ("unconditional", "text_to_image")
    needs = ("retain_images",)
    attack = True

    class Settings(RelearnSettings):
        """What the attacker has, and how it trains."""

    settings: RelearnSettings

    def check(self, task: Task, splits: DataSplits) -> None:
        there = int((~splits.train.shows(task.forget)).sum())
        check_enough(task, "relearn_blind", max(self.settings.images), there, f"do not show {task.forget!r}")

    def images(self, context: ProbeContext) -> int:
        return relearning_images(self.settings, context)

    def draw(self, model: DiffusionModel, context: ProbeContext) -> dict[str, Tensor]:
        return relearned(model, context, self.settings, context.retain)
