"""What a perfect model would make, as a row of every table."""

from __future__ import annotations

from typing import ClassVar

from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import Method
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.records import Role


class Real(Method):
    """Held-out real images in the place of samples: what quality metrics read where nothing is wrong.

    Images without the concept; of a text-to-image task those that would be right answers to the retain prompts, as many
    for each of them. No model is behind them, so forgetting and costs mean nothing here. Distances that grow as images
    get fewer are given at their own count, beside the original's at that count.
    """

    supports = ("unconditional", "text_to_image")
    needs = ("held_out",)
    role: ClassVar[Role] = "reference"

    def unlearn(self, model: DiffusionModel, context: UnlearningContext) -> DiffusionModel:  # noqa: ARG002
        """Raises ValueError: real images are read, and no model makes them."""
        raise ValueError("real images are read, and no model makes them")
