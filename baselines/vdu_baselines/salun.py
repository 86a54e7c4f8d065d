"""Saliency unlearning: another answer to the forget set, by the weights that matter to it alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from vdu_baselines.steps_in_common import missed_by
from vdu_bench.errors import UserError
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import LossMethod
from vdu_bench.methods.pools import Batch
from vdu_bench.methods.search import Choice, Range
from vdu_bench.methods.settings import WithPresets
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.training.base_model import denoising_loss
from vdu_bench.models.training.dropout import without_dropout
from vdu_bench.models.training.fitting import Backward

MASK_SCALE = 1024.0
"""Changes no order of gradients, and lets none vanish in float16."""


class SalUn(LossMethod):
    """SalUn: random labels for the forget set, learned by the weights that are salient for it.

        L(theta) = E || eps_theta(x_t, t, c_f) - sg eps_theta(x_t, t, c') ||^2 + alpha L(retain),    x_t of D_f
        theta_i moves if | sum over D_f of dL(forget)/dtheta_i | at the base is among the largest share

    after Fan, Liu, Zhang, Wong, Wei & Liu 2024 ("SalUn: Empowering Machine Unlearning via Gradient-based Weight
    Saliency"), sg for no gradient. c_f is a forget image's caption and c' that of a random retained one.

    On an unconditional model this is a port, not the published method: there is no label to exchange, so x_t is to be
    denoised to a random retained image x_r. The error is in units of x_t, since small t would otherwise decide it all:

        E || sigma_t eps_theta(x_t, t) - (x_t - sqrt(abar_t) x_r) ||^2
    """

    supports = ("unconditional", "text_to_image")
    needs = ("forget_images", "retain_images")

    class Settings(WithPresets, LossMethod.Settings):
        """Defaults are this project's, and presets those of the paper's appendix and the authors' commands."""

        search: ClassVar[Mapping[str, Range | Choice]] = {
            "share": Range(0.1, 1.0),
            "alpha": Range(1e-3, 10, log=True),
            "learning_rate": Range(1e-5, 2e-3, log=True),
            "steps": Range(10, 200, log=True, integer=True),
        }
        presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
            "published": {
                "share": 0.5,
                "alpha": 1e-3 * 3 * 32 * 32,
                "steps": 1000,
                "batch_size": 128,
                "learning_rate": 1e-4,
                "clip_norm": 1.0,
            },
            "published_sd": {"share": 0.5, "alpha": 0.5, "batch_size": 8, "learning_rate": 1e-5, "weights": "all"},
        }

        preset: Literal["ours", "published", "published_sd"] = Field(
            "ours",
            description="published: CIFAR-10's DDPM, whose alpha of 0.001 is of a loss that is summed over elements; "
            "published_sd: Stable Diffusion, whose 5 epochs are no number of steps here (the paper's appendix, "
            "github.com/OPTML-Group/Unlearn-Saliency)",
        )
        share: float = Field(0.5, gt=0, le=1, description="share of the weights that move: published 0.5")
        alpha: float = Field(1.0, ge=0, description="weight of the retained images' loss")
        mask_batches: int = Field(8, gt=0, description="batches of forget images that the saliency is summed over")
        steps: int = Field(60, gt=0, description="optimiser steps")
        learning_rate: float = Field(2e-4, gt=0, description="peak learning rate")

    settings: Settings
    _masks: Sequence[Tensor]

    def start(self, model: DiffusionModel, context: UnlearningContext) -> None:
        if self.settings.weight_decay > 0:
            raise UserError("salun: weight_decay moves the masked weights too: leave it at 0")
        parameters = list(self.parameters(model))
        total = [torch.zeros_like(parameter) for parameter in parameters]
        with context.phase("mask of the salient weights", self.settings.mask_batches) as advance:
            for _ in range(self.settings.mask_batches):
                batch = context.forget.batch(self.settings.batch_size)
                with without_dropout(model.denoiser):
                    loss = MASK_SCALE * denoising_loss(model, batch.x0, batch.condition, context.generator)
                    slopes = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
                total = [summed + slope for summed, slope in zip(total, slopes, strict=True)]
                advance(1)
        self._masks = salient(total, self.settings.share)

    def loss(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        forget = context.forget.batch(self.settings.batch_size)
        retain = context.retain.batch(self.settings.batch_size)
        held = denoising_loss(model, retain.x0, retain.condition, context.generator)
        return self._relabelled(model, context, forget, retain) + self.settings.alpha * held

    def gradients(self, model: DiffusionModel, context: UnlearningContext, backward: Backward) -> Tensor:
        loss = super().gradients(model, context, backward)
        for parameter, mask in zip(self.parameters(model), self._masks, strict=True):
            if parameter.grad is not None:
                parameter.grad.mul_(mask)
        return loss

    def _relabelled(self, model: DiffusionModel, context: UnlearningContext, forget: Batch, other: Batch) -> Tensor:
        t = context.timesteps(len(forget.x0))
        x_t = model.add_noise(forget.x0, context.noise_like(forget.x0), t)
        if not model.prompted:
            return missed_by(model, x_t, t, other.x0).square().mean()
        predicted = model.predict_noise(x_t, t, forget.condition)
        with torch.no_grad():
            target = model.predict_noise(x_t, t, other.condition)
        return nn.functional.mse_loss(predicted, target)


def salient(slopes: Sequence[Tensor], share: float) -> list[Tensor]:
    """Masks, bool and shaped as `slopes`: the `share` of all numbers that are largest in size; exactly so many."""
    sizes = torch.cat([slope.abs().flatten() for slope in slopes])
    # In no order: to sort half of all weights takes longer than to find them.
    chosen = sizes.topk(max(1, round(share * len(sizes))), sorted=False).indices
    mask = torch.zeros_like(sizes, dtype=torch.bool).scatter(0, chosen, True)
    parts = mask.split([slope.numel() for slope in slopes])
    return [part.view_as(slope) for part, slope in zip(parts, slopes, strict=True)]
