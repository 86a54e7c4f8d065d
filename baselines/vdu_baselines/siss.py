"""Subtracted importance sampled scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import LossMethod
from vdu_bench.methods.search import Choice, Range
from vdu_bench.methods.settings import WithPresets
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.noise_process import NoiseProcess
from vdu_bench.models.training.fitting import Backward
from vdu_bench.models.upload import upload

SMALLEST = 1e-12
"""Of the first gradient's norm. A second one that is smaller is rounding, and is not scaled up to its set share."""


class SISS(LossMethod):
    """SISS: the loss on everything less the loss on the forget set, both from one mixture of noised images.

        g = grad n/(n-k) E w_x || (m_t - sqrt(abar) x) / sqrt(1 - abar) - eps_theta(m_t, t, c) ||^2
            - s grad k/(n-k) E w_a || (m_t - sqrt(abar) a) / sqrt(1 - abar) - eps_theta(m_t, t, c) ||^2
        m_t ~ (1 - lambda) q(. | x) + lambda q(. | a),    w_x = q(m_t | x) / mixture,    w_a = q(m_t | a) / mixture

    after Alberti, Hasanaliyev, Shah & Ermon 2025 ("Data Unlearning in Diffusion Models"): a is one of the
    k forget images, n is all images, and s, chosen at each step, makes the second gradient's norm a set share of the
    first one's. The authors' code sets that norm to a number instead, which suits one network.

    Here x is a retained image, where the paper draws it from all images; of few forget images that is the same. c is
    a's caption for both, as in the paper's Stable Diffusion, where one prompt is all that a model is told. t is
    uniform; the authors' runs on CelebA and Stable Diffusion take the last one alone, and AdamW's first beta is 0.95 on
    CelebA, where it is torch's here.
    """

    supports = ("unconditional", "text_to_image")
    needs = ("forget_images", "retain_images")

    class Settings(WithPresets, LossMethod.Settings):
        """Defaults are this project's, and presets those of the paper and the authors' code."""

        later: ClassVar[tuple[str, ...]] = ("reduction",)

        search: ClassVar[Mapping[str, Range | Choice]] = {
            "share": Range(0.01, 2, log=True),
            "learning_rate": Range(1e-6, 1e-3, log=True),
            "steps": Range(10, 300, log=True, integer=True),
        }
        presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
            "published": {
                "mixture": 0.5,
                "share": 0.1,
                "steps": 60,
                "batch_size": 64,
                "learning_rate": 5e-6,
                "optimizer": "adamw",
                "weight_decay": 1e-6,
                "clip_norm": 1.0,
                "reduction": "sum",
            },
            "published_sd": {
                "mixture": 0.5,
                "share": 0.1,
                "steps": 35,
                "batch_size": 16,
                "learning_rate": 1e-5,
                "optimizer": "adamw",
                "weight_decay": 1e-2,
                "clip_norm": 1.0,
                "reduction": "sum",
                "weights": "all",
            },
        }

        preset: Literal["ours", "published", "published_sd"] = Field(
            "ours",
            description="published: CelebA-HQ's DDPM; published_sd: Stable Diffusion (the paper, and "
            "config/delete_celeb.yaml and delete_sd.yaml of github.com/claserken/SISS)",
        )
        mixture: float = Field(0.5, gt=0, lt=1, description="lambda, the forget images' part: published 0.5")
        share: float = Field(0.5, ge=0, description="norm of the forget gradient over the first one's: published 0.1")
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
        kept, forgotten = self._losses(model, context)
        backward(kept, retain_graph=True)
        first = [parameter.grad for parameter in parameters]
        for parameter in parameters:
            parameter.grad = None
        backward(forgotten)
        second = [parameter.grad for parameter in parameters]
        one, other = _norm(first), _norm(second)
        # Where all images of a batch are retained ones no weight is left for the others: there is nothing to subtract.
        there = other > SMALLEST * one
        scale = torch.where(there, self.settings.share * one / torch.where(there, other, 1.0), 0.0)
        for parameter, keep, forget in zip(parameters, first, second, strict=True):
            if keep is not None and forget is not None:
                parameter.grad = keep - scale * forget
        return kept - scale * forgotten

    def _losses(self, model: DiffusionModel, context: UnlearningContext) -> tuple[Tensor, Tensor]:
        retain = context.retain.batch(self.settings.batch_size)
        forget = context.forget.batch(self.settings.batch_size)
        x, a = retain.x0, forget.x0
        t, noise = context.timesteps(len(x)), context.noise_like(x)
        drawn = torch.rand(len(x), *[1] * (x.dim() - 1), generator=context.generator)
        of_forget = upload(drawn, x) < self.settings.mixture
        process = model.process
        m_t = process.add_noise(torch.where(of_forget, a, x), noise, t)
        predicted = model.predict_noise(m_t, t, forget.condition)
        weights = importance(process, m_t, t, x, a, self.settings.mixture)
        k, n = len(context.forget), len(context.forget) + len(context.retain)
        losses = []
        for x0, weight, factor in zip((x, a), weights, (n / (n - k), k / (n - k)), strict=True):
            squared = (process.noise_from(x0, m_t, t, "sample") - predicted).square().flatten(1)
            error = squared.sum(1) if self.settings.reduction == "sum" else squared.mean(1)
            losses.append(factor * (weight * error).mean())
        return losses[0], losses[1]


def importance(
    process: NoiseProcess, m_t: Tensor, t: Tensor, x: Tensor, a: Tensor, mixture: float
) -> tuple[Tensor, Tensor]:
    """q(m_t | x) and q(m_t | a) over (1 - lambda) q(m_t | x) + lambda q(m_t | a), ``[N]`` each."""
    nearness = [-process.noise_from(x0, m_t, t, "sample").square().flatten(1).sum(1) / 2 for x0 in (x, a)]
    odds = nearness[1] - nearness[0] + math.log(mixture / (1 - mixture))
    return torch.sigmoid(-odds) / (1 - mixture), torch.sigmoid(odds) / mixture


def _norm(slopes: list[Tensor | None]) -> Tensor:
    return torch.stack([slope.norm() for slope in slopes if slope is not None]).norm()
