"""Gradient ascent on what is to be forgotten, with descent on what is to be kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field
from torch import Tensor

from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import LossMethod
from vdu_bench.methods.search import Choice, Range
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.training.base_model import denoising_loss


class NegGradPlus(LossMethod):
    """NegGrad+: gradient ascent on the forget set, held by the denoising loss on the retained one.

        L(theta) = - L(forget) + alpha L(retain),    L = E || eps - eps_theta(x_t, t, c) ||^2

    as Kurmanji, Triantafillou, Hayes & Triantafillou 2023 ("Towards Unbounded Machine Unlearning") call it; they weight
    the two by 1 - beta and beta, which is alpha = beta / (1 - beta). No setting is published for diffusion models.
    """

    supports = ("unconditional", "text_to_image")
    needs = ("forget_images", "retain_images")

    class Settings(LossMethod.Settings):
        """All defaults are this project's."""

        search: ClassVar[Mapping[str, Range | Choice]] = {
            "alpha": Range(0.5, 50, log=True),
            "learning_rate": Range(1e-6, 1e-3, log=True),
            "steps": Range(10, 200, log=True, integer=True),
        }

        alpha: float = Field(3.0, ge=0, description="weight of the retained images' loss; 0 is gradient ascent")
        steps: int = Field(60, gt=0, description="optimiser steps")
        learning_rate: float = Field(3e-5, gt=0, description="peak learning rate")

    settings: Settings

    def loss(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        forget = context.forget.batch(self.settings.batch_size)
        retain = context.retain.batch(self.settings.batch_size)
        held = denoising_loss(model, retain.x0, retain.condition, context.generator)
        return self.settings.alpha * held - denoising_loss(model, forget.x0, forget.condition, context.generator)
