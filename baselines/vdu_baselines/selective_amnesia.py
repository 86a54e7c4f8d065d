"""Selective Amnesia: forgetting as continual learning of something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from vdu_baselines.steps_in_common import missed_by
from vdu_bench.errors import UserError
from vdu_bench.methods.context import Replay, UnlearningContext
from vdu_bench.methods.distances import farthest
from vdu_bench.methods.method import LossMethod
from vdu_bench.methods.search import Choice, Range
from vdu_bench.methods.settings import WithPresets
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.training.dropout import without_dropout
from vdu_bench.models.upload import upload

_RATE: Mapping[str, Any] = {"learning_rate": 1e-4}
# 4 images on each of 4 GPUs, and a rate that is multiplied by these 16.
_RATE_SD: Mapping[str, Any] = {"learning_rate": 16 * 1e-5, "optimizer": "adamw", "weight_decay": 0.01}


class SelectiveAmnesia(LossMethod):
    """Selective Amnesia: learn a surrogate for the concept, replay the rest, and hold the weights that matter.

        L(theta) = L(surrogate | c_f) + gamma L(replay | c_r) + lambda sum_i F_i (theta_i - theta*_i)^2
        F_i = mean over the base's own samples of ( sum over t of d || eps - eps_theta(x_t, t, c) ||^2 / d theta_i )^2

    after Heng & Soh 2023 ("Selective Amnesia: A Continual Learning Approach to Forgetting in Deep Generative Models",
    arXiv 2305.10120). theta* are the base's weights, and F the Fisher information's diagonal at them; the sum over all
    T times is estimated from a few, each with a noise of its own, which makes F larger, by up to T over so many. L sums
    squared errors over elements, as the authors' DDPM code does; theirs for Stable Diffusion takes means, so that its
    lambda is one over the number of elements here. The surrogate is uniform noise in place of images, or what the base
    makes of the anchor; c_f are the concept's prompts, and c_r those to preserve, or the anchor.

    On an unconditional model this is a port, not the published method: no condition tells the concept from the rest,
    so x_t are noised forget images, to be denoised to a surrogate u, with an error in units of x_t:

        E || sigma_t eps_theta(x_t, t) - (x_t - sqrt(abar_t) u) ||^2

    and of the samples that are replayed the tenth is left out that lies nearest to forget images.
    """

    supports = ("unconditional", "text_to_image")
    needs = ("forget_images", "prompts")

    class Settings(WithPresets, LossMethod.Settings):
        """Defaults are this project's, and presets those of the authors' configurations."""

        search: ClassVar[Mapping[str, Range | Choice]] = {
            "gamma": Range(0.1, 10, log=True),
            "fisher_weight": Range(1e-4, 100, log=True),
            "learning_rate": Range(1e-5, 2e-3, log=True),
            "steps": Range(10, 120, log=True, integer=True),
        }
        presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
            "published": {
                "surrogate": "noise",
                "fisher_weight": 10,
                "replayed": 5000,
                "fisher_samples": 5000,
                "fisher_times": 1000,
                "steps": 20_000,
                "batch_size": 128,
                "clip_norm": 1,
                "ema_decay": 0.9999,
                **_RATE,
            },
            "published_sd": {"fisher_weight": 50 / (4 * 64 * 64), "batch_size": 16, "weights": "all", **_RATE_SD},
        }

        preset: Literal["ours", "published", "published_sd"] = Field(
            "ours",
            description="published: CIFAR-10's DDPM, 5,000,000 backward evaluations for F and then 20,000 steps; "
            "published_sd: Stable Diffusion, celebrities, for the steps and samples of ours "
            "(github.com/clear-nus/selective-amnesia, whose epochs there are no number of steps, and "
            "whose average begins at the base, where this one warms up and moves further)",
        )
        surrogate: Literal["auto", "noise", "anchor"] = Field(
            "auto",
            description="in its place: uniform noise, or the anchor's images; auto: these with prompts",
        )
        gamma: float = Field(1.0, ge=0, description="weight of the replayed samples: published 1")
        fisher_weight: float = Field(0.01, ge=0, description="lambda, how hard weights are held: published 10 (DDPM)")
        replayed: int = Field(256, gt=1, description="samples of the base that are replayed, and as many of the anchor")
        fisher_samples: int = Field(64, gt=0, description="those of them that F is the mean over")
        fisher_times: int = Field(16, gt=0, description="times that each is noised to, at once; published: all T")
        left_out: float = Field(
            0.1, ge=0, lt=1, description="share of samples not replayed, nearest to forget images (unconditional)"
        )
        steps: int = Field(60, gt=0, description="optimiser steps")
        learning_rate: float = Field(2e-4, gt=0, description="peak learning rate")

    settings: Settings
    _replayed: tuple[Tensor, Tensor | None]
    _anchored: Tensor | None
    _held: Sequence[tuple[Tensor, Tensor]]

    def start(self, model: DiffusionModel, context: UnlearningContext) -> None:
        n, prompted = self.settings.replayed, model.prompted
        if self.settings.surrogate == "anchor" and not prompted:
            raise UserError("selective_amnesia: surrogate: anchor needs prompts, which an unconditional model has not")
        prompts = list(islice(cycle(context.concept.preserve or (context.concept.anchor,)), n)) if prompted else None
        replay = context.replay(n, prompts)
        anchored = prompted and self.settings.surrogate != "noise"
        self._anchored = context.replay(n, [context.concept.anchor] * n).x0 if anchored else None
        parameters = list(self.parameters(model))
        fisher = self.fisher(model, context, parameters, replay)
        self._held = [(p.detach().clone(), information) for p, information in zip(parameters, fisher, strict=True)]
        if prompted:
            self._replayed = replay.x0, replay.condition
        else:
            far = farthest(replay.x0, context.forget.batch(min(n, len(context.forget))).x0, 1 - self.settings.left_out)
            self._replayed = replay.x0[far], None

    def fisher(
        self, model: DiffusionModel, context: UnlearningContext, parameters: Sequence[nn.Parameter], replay: Replay
    ) -> list[Tensor]:
        """F, shaped as the parameters, over the first of the samples."""
        times, found = self.settings.fisher_times, [torch.zeros_like(p) for p in parameters]
        n = min(self.settings.fisher_samples, len(replay.x0))
        with context.phase("Fisher information", n) as advance:
            for i in range(n):
                condition = None if replay.condition is None else replay.condition[i : i + 1].expand(times, -1, -1)
                with without_dropout(model.denoiser):
                    error = times * squared_error(model, context, replay.x0[i].expand(times, -1, -1, -1), condition)
                    slopes = torch.autograd.grad(error, parameters, allow_unused=True, materialize_grads=True)
                scale = model.train_timesteps / times
                found = [total + (scale * slope).square() / n for total, slope in zip(found, slopes, strict=True)]
                advance(1)
        return found

    def loss(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        x0, condition = self._replayed
        some = upload(torch.randint(len(x0), (self.settings.batch_size,), generator=context.generator), x0)
        replayed = squared_error(model, context, x0[some], None if condition is None else condition[some])
        pairs = zip(self.parameters(model), self._held, strict=True)
        moved = torch.stack([(information * (p - start).square()).sum() for p, (start, information) in pairs]).sum()
        return self._surrogate(model, context) + self.settings.gamma * replayed + self.settings.fisher_weight * moved

    def _surrogate(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        n = self.settings.batch_size
        if self._anchored is None:
            images = torch.randint(256, (n, *model.image_shape), generator=context.generator).to(torch.uint8)
            u = model.encode(images)
        else:
            some = torch.randint(len(self._anchored), (n,), generator=context.generator)
            u = self._anchored[upload(some, self._anchored)]
        if model.prompted:
            return squared_error(model, context, u, model.condition(context.concept.draws(n)))
        x0, t = context.forget.batch(n).x0, context.timesteps(n)
        x_t = model.add_noise(x0, context.noise_like(x0), t)
        return missed_by(model, x_t, t, u).square().sum() / n


def squared_error(model: DiffusionModel, context: UnlearningContext, x0: Tensor, condition: Tensor | None) -> Tensor:
    """|| eps - eps_theta(x_t, t, c) ||^2, the mean over images."""
    t, noise = context.timesteps(len(x0)), context.noise_like(x0)
    return (noise - model.predict_noise(model.add_noise(x0, noise, t), t, condition)).square().sum() / len(x0)
