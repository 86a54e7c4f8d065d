"""EraseDiff: forgetting as a constraint on fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import LossMethod
from vdu_bench.methods.search import Choice, Range
from vdu_bench.methods.settings import WithPresets
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.training.base_model import denoising_loss
from vdu_bench.models.training.fitting import Backward
from vdu_bench.models.upload import upload


class EraseDiff(LossMethod):
    """EraseDiff: fine-tune on what is kept, as far as the forget set is answered with uniform noise.

        min over theta  L(retain) + lambda ( L_f(theta) - L_f(theta_K) )
        L_f(theta) = E || u - eps_theta(x_t, t, c) ||^2,    x_t of forget images, u uniform in 0..1

    after Wu, Le, Hayat & Harandi 2024 ("EraseDiff: Erasing Data Influence in Diffusion Models", arXiv 2401.05779), a
    bilevel problem that is solved to first order: theta_K is where K steps down L_f lead, and no gradient goes
    through it. So L_f(theta_K) is a constant to every step, with any K. It moves nothing but the loss that is told,
    and is left out here with the K evaluations that it takes: the model is the formula's, and costs less (in the
    authors' code the K steps leave the optimiser's moments as they end). u is drawn by itself, so that the answer that
    is best on average is the constant 1/2; in the authors' code it is also the noise that x_t has.

    With ``balance: dynamic`` lambda is chosen anew at each step (Liu, Ye, Wright, Stone & Liu 2022, "BOME!"), so that
    the step goes down L_f by eta of what its own gradient would:

        lambda = max(0, eta - <grad L(retain), grad L_f> / | grad L_f |^2)
    """

    supports = ("unconditional", "text_to_image")
    needs = ("forget_images", "retain_images")

    class Settings(WithPresets, LossMethod.Settings):
        """Defaults are this project's, and presets those of the authors' code."""

        search: ClassVar[Mapping[str, Range | Choice]] = {
            "weight": Range(1e-3, 10, log=True),
            "learning_rate": Range(1e-6, 1e-3, log=True),
            "steps": Range(10, 200, log=True, integer=True),
        }
        later: ClassVar[tuple[str, ...]] = ("reduction",)
        presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
            "published": {
                "weight": 0.1,
                "batch_size": 128,
                "learning_rate": 1e-4,
                "clip_norm": 1.0,
                "ema_decay": 0.99,
                "reduction": "sum",
            },
            "published_sd": {
                "weight": 1.0,
                "batch_size": 16,
                "learning_rate": 1e-5,
                "weights": "all_but_cross_attention_time_output",
            },
        }

        preset: Literal["ours", "published", "published_sd"] = Field(
            "ours",
            description="published: CIFAR-10's DDPM; published_sd: Stable Diffusion, nudity "
            "(github.com/JingWu321/EraseDiff, in its first release's loss; its epochs are no number of steps here, and "
            "its average begins at the base, where this one warms up and moves further)",
        )
        balance: Literal["fixed", "dynamic"] = Field("fixed", description="lambda: weight, or chosen at each step")
        weight: float = Field(0.03, ge=0, description="lambda, where it is fixed: published 0.1 (DDPM), 1 (SD)")
        eta: float = Field(
            0.1,
            ge=0,
            description="the least descent of L_f, where lambda is dynamic: published 0.1, in code that takes the "
            "cosine of the two gradients in place of the quotient",
        )
        reduction: Literal["mean", "sum"] = Field(
            "mean",
            description="of squared errors over an image's elements; with their sum gradients are as large beside a "
            "clip_norm and Adam's epsilon as published",
        )
        steps: int = Field(60, gt=0, description="optimiser steps")
        learning_rate: float = Field(1e-4, gt=0, description="peak learning rate")

    settings: Settings

    def gradients(self, model: DiffusionModel, context: UnlearningContext, backward: Backward) -> Tensor:
        parameters = list(self.parameters(model))
        retain = context.retain.batch(self.settings.batch_size)
        elements = retain.x0[0].numel() if self.settings.reduction == "sum" else 1
        kept = elements * denoising_loss(model, retain.x0, retain.condition, context.generator)
        backward(kept)
        held = [parameter.grad for parameter in parameters]
        for parameter in parameters:
            parameter.grad = None
        erased = elements * self._to_uniform_noise(model, context)
        backward(erased)
        weight = self._weight(held, [parameter.grad for parameter in parameters])
        for parameter, slope in zip(parameters, held, strict=True):
            if parameter.grad is None:
                parameter.grad = slope
            elif slope is not None:
                parameter.grad = slope + weight * parameter.grad
            else:
                parameter.grad = weight * parameter.grad
        return kept + weight * erased

    def _to_uniform_noise(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        batch = context.forget.batch(self.settings.batch_size)
        t = context.timesteps(len(batch.x0))
        x_t = model.add_noise(batch.x0, context.noise_like(batch.x0), t)
        uniform = upload(torch.rand(batch.x0.shape, generator=context.generator), batch.x0)
        return nn.functional.mse_loss(model.predict_noise(x_t, t, batch.condition), uniform)

    def _weight(self, held: list[Tensor | None], erasing: list[Tensor | None]) -> Tensor | float:
        if self.settings.balance == "fixed":
            return self.settings.weight
        pairs = [
            (one, other) for one, other in zip(held, erasing, strict=True) if one is not None and other is not None
        ]
        along = torch.stack([(one * other).sum() for one, other in pairs]).sum()
        square = torch.stack([other.square().sum() for _, other in pairs]).sum()
        found = (self.settings.eta - along / square.clamp(min=torch.finfo(square.dtype).tiny)).clamp(min=0)
        # Not a number where gradients overflow under a scale; the step is then tried again under a smaller one.
        return found.nan_to_num(0.0)
