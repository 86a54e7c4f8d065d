"""No method: noise on the weights, in the shape of the posterior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field

from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import Method
from vdu_bench.methods.search import Choice, Range
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.selection import Weights, automatic, selected_parameters
from vdu_bench.spec import Spec


class Perturb(Method):
    """Plain noise: of the posterior's deviations, the control for everything that is said of forgetting.

        theta = mu + strength sigma xi,    xi ~ N(0, 1)

    with sigma the deviations of the base's posterior and mu its mean, or the base's own weights. It sees no image and
    no prompt. So what it forgets, at some distance from real images, is what a loss of quality of that size makes a
    model forget by itself. A draw from the posterior is mu its mean and strength 1. An idea of this project; no paper
    has it.
    """

    supports = ("unconditional", "text_to_image")
    needs = ("posterior",)
    strength = "strength"

    class Settings(Spec):
        """All are this project's."""

        search: ClassVar[Mapping[str, Range | Choice]] = {
            "strength": Range(1, 30, log=True),
            "center": Choice(("base", "mean")),
        }

        strength: float = Field(8.0, ge=0, description="deviations of the noise, in those of the posterior")
        center: Literal["base", "mean"] = Field("base", description="mu: the base's weights, or the posterior's mean")
        weights: Weights = Field(
            "auto",
            description="what is perturbed, as other methods' weights; auto: all of an unconditional model, "
            "cross_attention of another",
        )

    settings: Settings

    def prepare(self, model: DiffusionModel, context: UnlearningContext) -> None:
        """Makes or reads the posterior."""
        context.posterior(self._names(model))

    def unlearn(self, model: DiffusionModel, context: UnlearningContext) -> DiffusionModel:
        names = self._names(model)
        posterior, perturbed = context.posterior(names), model.clone(names)
        with torch.no_grad():
            for name in names:
                weight = perturbed.denoiser.get_parameter(name)
                noise = context.noise_like(weight)
                mean = weight if self.settings.center == "base" else posterior.mean[name]
                weight.copy_(mean + self.settings.strength * posterior.std[name] * noise)
        return perturbed.freeze()

    def _names(self, model: DiffusionModel) -> list[str]:
        return list(selected_parameters(model.denoiser, automatic(self.settings.weights, model.prompted)))
