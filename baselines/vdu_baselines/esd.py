"""Erased Stable Diffusion, for conditional models and as a port to unconditional ones."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import LossMethod
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.fitting import fit
from vdu_bench.models.specs import FitSpec
from vdu_bench.models.training import denoising_loss


class ESD(LossMethod):
    """Erased Stable Diffusion: be guided away from the concept, for good.

        L(theta) = E || eps_theta(x_t, t) - [ eps_base(x_t, t) - eta (eps_c(x_t, t) - eps_base(x_t, t)) ] ||^2

    after Gandikota, Materzynska, Fiotto-Kaufman & Bau 2023 ("Erasing Concepts from Diffusion Models", eq. 7), who take
    the concept's score eps_c from the prompt.

    On an unconditional model this is a port, not the published method: there is no prompt, so eps_c comes from a copy
    of the base that is fine-tuned on the forget set for a few steps, and x_t are noised forget images.
    """

    supports = ("unconditional",)
    needs = ("forget_images",)

    class Settings(LossMethod.Settings):
        """ESD's settings; all defaults are this project's."""

        eta: float = Field(1.0, gt=0, description="strength of the guidance away from the concept")
        concept_steps: int = Field(60, gt=0, description="fine-tuning steps of the concept's copy (unconditional)")
        concept_learning_rate: float = Field(3e-4, gt=0, description="learning rate of that fine-tuning")
        steps: int = Field(60, gt=0, description="optimiser steps")
        learning_rate: float = Field(1e-4, gt=0, description="peak learning rate")

    settings: Settings
    _base: DiffusionModel
    _concept: DiffusionModel

    def start(self, model: DiffusionModel, context: UnlearningContext) -> None:
        self._base = model.clone().freeze()
        self._concept = model.clone()
        spec = FitSpec(
            steps=self.settings.concept_steps,
            batch_size=self.settings.batch_size,
            learning_rate=self.settings.concept_learning_rate,
        )
        fit(self._concept.denoiser.parameters(), lambda _: self._concept_loss(context), spec)
        self._concept.freeze()

    def loss(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        batch = context.forget_batch(self.settings.batch_size)
        t = context.timesteps(len(batch.x0))
        x_t = model.add_noise(batch.x0, context.noise_like(batch.x0), t)
        with torch.no_grad():
            base = self._base.predict_noise(x_t, t)
            target = base - self.settings.eta * (self._concept.predict_noise(x_t, t) - base)
        return torch.nn.functional.mse_loss(model.predict_noise(x_t, t), target)

    def _concept_loss(self, context: UnlearningContext) -> Tensor:
        batch = context.forget_batch(self.settings.batch_size)
        return denoising_loss(self._concept, batch.x0, None, context.generator)
