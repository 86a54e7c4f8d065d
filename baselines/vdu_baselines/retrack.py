"""ReTrack: the denoising of forget images, led to their nearest neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.distances import distances_between
from vdu_bench.methods.method import LossMethod
from vdu_bench.methods.search import Choice, Range
from vdu_bench.methods.settings import WithPresets
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.noise_process import NoiseProcess
from vdu_bench.models.training.base_model import denoising_loss


class ReTrack(LossMethod):
    """ReTrack: what is noised from a forget image is denoised to the retained images next to it.

        L(theta) = lambda E || eps_theta(x_t, t, c) - sum_i w_i (x_t - sqrt(abar) x_i) / sqrt(1 - abar) ||^2
                   + (1 - lambda) L(retain)
        w_i = q(x_t | x_i) / sum_j q(x_t | x_j),    x_t of a forget image, x_i its k nearest retained images

    after Shi, Jin, Zhang & Gu 2025 ("ReTrack: Data Unlearning in Diffusion Models through Redirecting the Denoising
    Trajectory", arXiv 2509.13007): the retrained model's loss, importance sampled from noised forget images, of which
    the sum over all retained images is cut to the terms that matter. The authors average the squared errors to all x_i
    by the weights, which is this plus a constant. Their code adds the loss on retained images; lambda 1 is without.

    Near is by the distance of clean latents, among a set number of retained images; c is the forget image's caption.
    """

    supports = ("unconditional", "text_to_image")
    needs = ("forget_images", "retain_images")

    class Settings(WithPresets, LossMethod.Settings):
        """Defaults are this project's, and presets those of the authors' code."""

        later: ClassVar[tuple[str, ...]] = ("reduction",)

        search: ClassVar[Mapping[str, Range | Choice]] = {
            "redirect": Range(1e-3, 1.0, log=True),
            "neighbours": Range(1, 50, log=True, integer=True),
            "learning_rate": Range(1e-6, 1e-3, log=True),
            "steps": Range(10, 200, log=True, integer=True),
        }
        presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
            "published": {
                "redirect": 0.005,
                "neighbours": 10,
                "steps": 50,
                "batch_size": 128,
                "learning_rate": 5e-5,
                "optimizer": "adamw",
                "weight_decay": 1e-6,
                "clip_norm": 1.0,
                "reduction": "sum",
                "candidates": 60_000,
            },
            "published_sd": {
                "redirect": 0.5,
                "neighbours": 10,
                "steps": 30,
                "batch_size": 16,
                "learning_rate": 1e-5,
                "optimizer": "adamw",
                "weight_decay": 1e-2,
                "clip_norm": 1.0,
                "reduction": "sum",
                "candidates": 60_000,
                "weights": "all",
            },
        }

        preset: Literal["ours", "published", "published_sd"] = Field(
            "ours",
            description="published: MNIST's DDPM; published_sd: Stable Diffusion "
            "(configs/experiment of github.com/sqt24/ReTrack; on MNIST its AdamW's first beta is 0.95, here torch's)",
        )
        redirect: float = Field(0.05, ge=0, le=1, description="lambda, the part of the redirected loss")
        neighbours: int = Field(10, gt=0, description="k, how many retained images a forget image is led to")
        candidates: int = Field(
            2000,
            gt=0,
            description="retained images, at random, that the nearest are among; published: all, up to 60,000",
        )
        reduction: Literal["mean", "sum"] = Field(
            "mean",
            description="of squared errors over an image's elements; with their sum gradients are as large beside a "
            "clip_norm and Adam's epsilon as published",
        )
        steps: int = Field(60, gt=0, description="optimiser steps")
        learning_rate: float = Field(1e-4, gt=0, description="peak learning rate")

    settings: Settings
    _candidates: Tensor

    def start(self, model: DiffusionModel, context: UnlearningContext) -> None:  # noqa: ARG002
        left, found = max(1, min(self.settings.candidates, len(context.retain))), []
        while left > 0:
            found.append(context.retain.batch(min(left, self.settings.batch_size)).x0)
            left -= len(found[-1])
        self._candidates = torch.cat(found)

    def loss(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        redirect = self.settings.redirect
        forget = context.forget.batch(self.settings.batch_size)
        retain = context.retain.batch(self.settings.batch_size)
        held = denoising_loss(model, retain.x0, retain.condition, context.generator)
        t = context.timesteps(len(forget.x0))
        x_t = model.add_noise(forget.x0, context.noise_like(forget.x0), t)
        target = redirected(model.process, x_t, t, self._nearest(forget.x0))
        led = nn.functional.mse_loss(model.predict_noise(x_t, t, forget.condition), target)
        elements = x_t[0].numel() if self.settings.reduction == "sum" else 1
        return elements * (redirect * led + (1 - redirect) * held)

    def _nearest(self, x0: Tensor) -> Tensor:
        """The retained images next to each, ``[N, k, *latent_shape]``."""
        distances = distances_between(x0.flatten(1), self._candidates.flatten(1))
        k = min(self.settings.neighbours, len(self._candidates))
        return self._candidates[distances.topk(k, largest=False).indices]


def redirected(process: NoiseProcess, x_t: Tensor, t: Tensor, neighbours: Tensor) -> Tensor:
    """The noise that leads `x_t` to its `neighbours` ``[N, k, ...]``, each as likely as it is to be behind `x_t`."""
    k = neighbours.shape[1]
    noises = [process.noise_from(neighbours[:, i], x_t, t, "sample") for i in range(k)]
    stacked = torch.stack(noises, 1)
    weights = torch.softmax(-stacked.square().flatten(2).sum(2) / 2, 1)
    return (weights.reshape(*weights.shape, *[1] * (x_t.dim() - 1)) * stacked).sum(1)
