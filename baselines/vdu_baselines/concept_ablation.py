"""Concept Ablation: the concept's prompts are answered as its anchor's are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import mse_loss

from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import LossMethod
from vdu_bench.methods.search import Choice, Range
from vdu_bench.methods.settings import WithPresets
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.selection import Weights
from vdu_bench.models.upload import upload


class ConceptAblation(LossMethod):
    """Concept Ablation: what the model makes of the concept's prompts becomes what it makes of the anchor's.

        L(theta) = E || eps_theta(x_t, t, c*) - sg eps_theta(x_t, t, c) ||^2  +  h E || eps - eps_theta(x_t, t, c) ||^2

    after Kumari, Zhang, Wang, Shechtman, Zhang & Zhu 2023 ("Ablating Concepts in Text-to-Image Diffusion Models"): c*
    are the task's prompts for the concept, c is its anchor, sg stops gradients, and x_t is noised images of the anchor
    that the base itself made. The first term is the paper's model-based variant; its noise-based one (``target:
    noise``) has the noise eps in place of sg eps_theta(x_t, t, c), as if the anchor's images were captioned c*. The
    second term, with the weight h, is the paper's regularization.
    """

    supports = ("text_to_image",)
    needs = ("prompts",)

    class Settings(WithPresets, LossMethod.Settings):
        """Concept Ablation's settings; all defaults are this project's."""

        search: ClassVar[Mapping[str, Range | Choice]] = {
            "learning_rate": Range(1e-4, 1e-2, log=True),
            "steps": Range(20, 200, log=True, integer=True),
            "hold": Choice((0.0, 1.0)),
        }
        # 4 images on each of 2 GPUs, and a rate that is multiplied by these 8.
        presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
            "published": {
                "target": "model",
                "images": 1000,
                "hold": 0.0,
                "weights": "*attn2.to_[kv].weight",
                "steps": 100,
                "batch_size": 8,
                "learning_rate": 1.6e-5,
                "optimizer": "adamw",
                "weight_decay": 0.01,
                "clip_norm": 1.0,
            }
        }

        preset: Literal["ours", "published"] = Field(
            "ours",
            description="published: r2d2 in the authors' release for diffusers; the number of images is the paper's",
        )
        target: Literal["model", "noise"] = Field(
            "model",
            description="what the concept's prompts are to give: the model's own noise under the anchor (published as "
            "the better one), or the noise that was added",
        )
        images: int = Field(
            64, gt=0, description="images of the anchor that the base makes; published: 1000, the release's default 200"
        )
        hold: float = Field(
            1.0,
            ge=0,
            description="h, the weight of the usual loss on the anchor's images; published: 0, and 1 for a subject "
            "that is close to its anchor",
        )
        weights: Weights = Field(
            "*attn2.to_[kv].weight",
            description="what is trained; published: keys and values of the cross-attention, or all",
        )
        steps: int = Field(60, gt=0, description="optimiser steps; published: 100, at a batch of 8")
        batch_size: int = Field(32, gt=0, description="images a step; published: 8")
        learning_rate: float = Field(5e-4, gt=0, description="peak learning rate; published: 2e-6 times the batch")

    settings: Settings
    _x0: Tensor

    def start(self, model: DiffusionModel, context: UnlearningContext) -> None:  # noqa: ARG002
        anchor = context.concept.anchor
        self._x0 = context.replay(self.settings.images, [anchor] * self.settings.images).x0

    def loss(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        n = self.settings.batch_size
        chosen = torch.randint(len(self._x0), (n,), generator=context.generator)
        x0 = self._x0[upload(chosen, self._x0)]
        t, noise = context.timesteps(n), context.noise_like(x0)
        x_t = model.add_noise(x0, noise, t)
        anchor = model.condition([context.concept.anchor] * n)
        target = noise
        if self.settings.target == "model":
            with torch.no_grad():
                target = model.predict_noise(x_t, t, anchor)
        loss = mse_loss(model.predict_noise(x_t, t, model.condition(context.concept.draws(n))), target)
        if self.settings.hold > 0:
            loss = loss + self.settings.hold * mse_loss(model.predict_noise(x_t, t, anchor), noise)
        return loss
