"""Real images of the concept, redrawn from nearer and from further than the judge does."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator
from torch import Tensor

from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.probes.attack import Attack, rising
from vdu_bench.probes.context import ProbeContext
from vdu_bench.probes.redraw import redrawn
from vdu_bench.spec import PositiveInt, Spec


class RedrawFurther(Attack):
    """Redrawn from nearer and further: held-out images of the concept, noised less or more than by `redraw`.

    A model that lost the concept in its first steps alone gives it back from a picture that is little noised. Rows are
    `redraw`'s: image * noises + noise. Data without a held-out image of the concept give no images.
    """

    supports = ("unconditional", "text_to_image")
    needs = ("held_out_images",)
    attack = True

    class Settings(Spec):
        """How many images, how many noises each, and how far."""

        strengths: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
            (0.3, 0.7), min_length=1, description="which parts of the sampler's way they are noised back; they rise"
        )
        noises: PositiveInt = Field(6, description="noises that each image is redrawn from")
        images: PositiveInt = Field(50, description="at most so many held-out images of the concept")

        @field_validator("strengths")
        @classmethod
        def _rise(cls, strengths: tuple[float, ...]) -> tuple[float, ...]:
            return rising(strengths)

    settings: Settings

    def images(self, context: ProbeContext) -> int:
        rows = min(self.settings.images, len(context.held_out)) * self.settings.noises
        return rows * len(self.settings.strengths)

    def rows_per_unit(self) -> int:
        return self.settings.noises

    def draw(self, model: DiffusionModel, context: ProbeContext) -> dict[str, Tensor]:
        count = min(self.settings.images, len(context.held_out))
        return {
            f"{100 * strength:.12g}% of the way": redrawn(model, context, count, self.settings.noises, strength)
            for strength in self.settings.strengths
            if count
        }
