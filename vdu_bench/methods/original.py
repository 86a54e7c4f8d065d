"""The model before unlearning, as a row of every table."""

from __future__ import annotations

from typing import ClassVar

from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import Method
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.records import Role


class Original(Method):
    """The base model, untouched: what every other row is measured against."""

    supports = ("unconditional", "text_to_image")
    needs = ()
    role: ClassVar[Role] = "reference"

    def unlearn(self, model: DiffusionModel, context: UnlearningContext) -> DiffusionModel:  # noqa: ARG002
        return model
