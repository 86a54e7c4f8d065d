"""Gradient ascent on what is to be forgotten."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import LossMethod
from vdu_bench.methods.search import Range, Space
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.training.base_model import denoising_loss


class GradientAscent(LossMethod):
    """Gradient ascent: the denoising loss on the forget set, with its sign turned.

        L(theta) = - E_{x0 in D_f, t, eps} || eps - eps_theta(x_t, t) ||^2

    Nothing holds the model back, so it forgets everything when run for long: a floor for quality, not a rival.
    VDU with gamma = 0 in parameter space and without a cap is this method.
    """

    supports = ("unconditional", "text_to_image")
    needs = ("forget_images",)

    class Settings(LossMethod.Settings):
        """Settings of the shared loop; all defaults are this project's."""

        steps: int = Field(20, gt=0, description="optimiser steps")
        learning_rate: float = Field(2e-5, gt=0, description="peak learning rate")

        search: ClassVar[Space] = {
            "learning_rate": Range(1e-07, 0.001, log=True),
            "steps": Range(2, 100, log=True, integer=True),
        }

    def loss(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        batch = context.forget.batch(self.settings.batch_size)
        return -denoising_loss(model, batch.x0, batch.condition, context.generator)
