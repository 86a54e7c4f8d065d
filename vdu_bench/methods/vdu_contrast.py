"""VDU with an addition of this project: an error that has a slope on a trained model."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from vdu_bench.errors import UserError
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.pools import Batch
from vdu_bench.methods.search import Range, Space
from vdu_bench.methods.vdu import VDU
from vdu_bench.models.diffusion import DiffusionModel


class VDUContrast(VDU):
    """VDU with contrast: away from the noise and from what the concept adds to it, and not the paper's formula.

        || eps + k (eps - eps_base(x_t, t)) - eps_theta(x_t, t, c) ||^2  in place of  || eps - eps_theta(x_t, t, c) ||^2

    with eps_base the frozen base, without a prompt. A trained model has learned the mean of the noise, so its error has
    hardly a slope to follow: what grows is whatever moves the output most, such as the brightness of everything. With a
    contrast of k the slope leads, on the forget set, away from what the class, or the caption, adds to the rest. And a
    model that takes prompts can be told one that asks for the concept alone, in place of the caption (``condition:
    concept``).
    """

    supports = ("unconditional", "text_to_image")
    needs = ("forget_images", "posterior", "prompts")

    class Settings(VDU.Settings):
        """VDU's settings and two more; all defaults are this project's."""

        contrast: float = Field(4.0, ge=0, description="k; 0 is VDU's own error")
        condition: Literal["captions", "concept"] = Field(
            "captions", description="what a text-to-image model is told of an image: its caption, or a concept prompt"
        )

        search: ClassVar[Space] = {**VDU.Settings.search, "contrast": Range(1, 16, log=True)}

    settings: Settings

    def start(self, model: DiffusionModel, context: UnlearningContext) -> None:
        if self.settings.condition == "concept" and not model.prompted:
            raise UserError(
                "vdu_contrast: condition: concept needs prompts, which an unconditional model does not take"
            )
        super().start(model, context)

    def told(self, model: DiffusionModel, context: UnlearningContext, batch: Batch) -> Tensor | None:
        if self.settings.condition == "captions":
            return super().told(model, context, batch)
        return model.condition(context.concept.draws(len(batch.x0)))

    def left(self, context: UnlearningContext, x_t: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        if self.settings.contrast == 0:
            return noise
        with torch.no_grad():
            return noise + self.settings.contrast * (noise - context.base.predict_noise(x_t, t))
