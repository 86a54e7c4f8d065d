"""Fine-tuning on what is to be kept."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import LossMethod
from vdu_bench.methods.search import Range, Space
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.training.base_model import denoising_loss


class Finetune(LossMethod):
    """Fine-tuning on retained images alone: the plain denoising loss, in the hope that the rest is forgotten.

        L(theta) = E_{x0 in D_r, t, eps} || eps - eps_theta(x_t, t) ||^2

    The denoising objective of Ho et al. 2020 (eq. 14) on the retained set; a standard weak baseline that relies on
    catastrophic forgetting.
    """

    supports = ("unconditional", "text_to_image")
    needs = ("retain_images",)

    class Settings(LossMethod.Settings):
        """Settings of the shared loop; all defaults are this project's."""

        steps: int = Field(150, gt=0, description="optimiser steps")
        learning_rate: float = Field(1e-4, gt=0, description="peak learning rate")

        search: ClassVar[Space] = {
            "learning_rate": Range(1e-06, 0.003, log=True),
            "steps": Range(20, 400, log=True, integer=True),
        }

    def loss(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        batch = context.retain.batch(self.settings.batch_size)
        return denoising_loss(model, batch.x0, batch.condition, context.generator)
