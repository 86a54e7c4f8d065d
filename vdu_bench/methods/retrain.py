"""The gold standard, as a row of every table."""

from __future__ import annotations

from typing import ClassVar

from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import Method
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.records import Role


class Retrain(Method):
    """Trained anew: by the base's own recipe, from nothing, on all images that do not show the forgotten concept.

    What exact unlearning would give, at the cost that unlearning is meant to save. Its time and evaluations are
    those of the training, from the training log.
    """

    supports = ("unconditional", "text_to_image")
    needs = ("retrained",)
    role: ClassVar[Role] = "reference"

    def unlearn(self, model: DiffusionModel, context: UnlearningContext) -> DiffusionModel:  # noqa: ARG002
        return context.retrained()
