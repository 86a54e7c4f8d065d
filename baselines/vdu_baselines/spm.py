"""SPM: a rank-1 adapter on each layer, trained away from the concept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.nn.utils import parametrize

from vdu_baselines.steps_in_common import denoised_on_the_way
from vdu_bench.errors import UserError
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import LossMethod
from vdu_bench.methods.search import Choice, Range
from vdu_bench.methods.settings import WithPresets
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.selection import Weights
from vdu_bench.models.specs import ModelKind


class OneDimensional(nn.Module):
    """W + strength up down^T, as a torch parametrization; of a convolution, `down` goes over its whole kernel.

    Args:
        weight: W, ``[out, in, ...]``.
        generator: draws `down` uniformly, as torch draws a linear layer's weights; `up` begins at zero.
    """

    def __init__(self, weight: Tensor, generator: torch.Generator) -> None:
        super().__init__()
        down = (2 * torch.rand(weight[0].shape, generator=generator) - 1) / weight[0].numel() ** 0.5
        self.down = nn.Parameter(down.to(weight))
        self.up = nn.Parameter(weight.new_zeros(len(weight)))
        self.strength = 1.0

    def forward(self, weight: Tensor) -> Tensor:
        """W with the adapter in it; W itself, to the bit, at strength 0."""
        if self.strength == 0:
            return weight
        return weight + self.strength * (self.up[:, None] * self.down.flatten()).view_as(weight)


class SPM(LossMethod):
    """SPM, a concept "semi-permeable membrane": one-dimensional adapters learn to be guided away; the base is frozen.

        L = E || eps_theta(x_t, t, c) - [ eps_base(x_t, t, s) - eta (eps_base(x_t, t, c) - eps_base(x_t, t, s)) ] ||^2
            + lambda E || eps_theta(x_t, t, a) - eps_base(x_t, t, a) ||^2,    theta: W + up down^T in every layer

    after Lyu, Yang, Hong, Chen, Jin, He, Xue, Han & Ding 2024 ("One-Dimensional Adapter to Rule Them All"): c are the
    task's prompts for the concept, s is what is left in their place, and a are what must not drift, its "latent
    anchoring". x_t is drawn from the model with its adapters, asked for c and denoised to a random step.

    The paper's a are random points in the space of conditions, drawn with the greater chance the less they resemble c;
    in so many dimensions none does (``anchors: random``). The task's anchor and prompts to preserve are used by
    default. And the paper keeps the adapters apart, and scales them at sampling time by how near a prompt is to the
    concept. Here they are folded into the weights, whatever the prompt.
    """

    supports = ("text_to_image",)
    needs = ("prompts",)
    strength = "strength"

    class Settings(WithPresets, LossMethod.Settings):
        """SPM's settings; all defaults are this project's."""

        search: ClassVar[Mapping[str, Range | Choice]] = {
            "learning_rate": Range(1e-3, 1e-1, log=True),
            "steps": Range(10, 100, log=True, integer=True),
            "eta": Range(0.5, 4),
            "drift": Range(0.1, 1000, log=True),
        }
        presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
            "published": {
                "eta": 1.0,
                "surrogate": "empty",
                "drift": 1000.0,
                "anchors": "random",
                "x_t_steps": 30,
                "x_t_guidance": 3.0,
                "strength": 1.0,
                "weights": "*.attentions.*.weight",
                "steps": 3000,
                "batch_size": 1,
                "learning_rate": 1e-4,
                "optimizer": "adamw",
                "weight_decay": 0.01,
                "schedule": "cosine",
                "warmup_steps": 500,
            }
        }

        preset: Literal["ours", "published"] = Field(
            "ours",
            description="published: configs/snoopy of the authors' release, whose cosine starts anew three times",
        )
        eta: float = Field(1.0, ge=0, description="strength of the guidance away from the concept; published: 1")
        surrogate: Literal["anchor", "empty"] = Field(
            "anchor", description="s: the task's anchor, or the empty prompt; published: the empty prompt"
        )
        drift: float = Field(10.0, ge=0, description="lambda, the weight of the drift; published: 1000")
        anchors: Literal["prompts", "random"] = Field(
            "prompts", description="a: the task's anchor and prompts to preserve, or random points; published: random"
        )
        strength: float = Field(1.0, ge=0, description="how much of the adapters is folded in; published: 1")
        x_t_steps: int = Field(10, gt=0, description="DDIM steps of x_t's whole way; published: 30")
        x_t_guidance: float = Field(3.0, ge=0, description="guidance on that way; published: 3")
        weights: Weights = Field(
            ("cross_attention", "layers_but_cross_attention"),
            description="which layers have an adapter, of what is named here; published: the attention blocks'",
        )
        steps: int = Field(20, gt=0, description="optimiser steps; published: 3000, at a batch of 1")
        batch_size: int = Field(16, gt=0, description="images a step; published: 1, with 4 anchors")
        learning_rate: float = Field(1e-2, gt=0, description="peak learning rate; published: 1e-4")

    settings: Settings
    _adapters: list[OneDimensional]

    def evaluations_vary(self, kind: ModelKind) -> bool:  # noqa: ARG002
        return True  # x_t is denoised to a random step

    def selection(self, model: DiffusionModel) -> dict[str, nn.Parameter]:
        found = {name: p for name, p in super().selection(model).items() if p.ndim > 1}
        if not found:
            raise UserError(f"spm: weights {self.settings.weights!r} names no layer, and an adapter is of one")
        return found

    def start(self, model: DiffusionModel, context: UnlearningContext) -> None:
        self._adapters = []
        for name, weight in self.selection(model).items():
            weight.requires_grad_(False)
            owner, _, leaf = name.rpartition(".")
            self._adapters.append(OneDimensional(weight, context.generator))
            parametrize.register_parametrization(model.denoiser.get_submodule(owner), leaf, self._adapters[-1])

    def parameters(self, model: DiffusionModel) -> Iterable[nn.Parameter]:  # noqa: ARG002
        return [parameter for adapter in self._adapters for parameter in adapter.parameters()]

    def loss(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        own, base, n = self.settings, context.base, self.settings.batch_size
        prompts = context.concept.draws(n)
        x_t, t = denoised_on_the_way(model, context, prompts, n, own.x_t_steps, own.x_t_guidance)
        erased, kept = model.condition(prompts), self._kept(model, context)
        left = context.concept.anchor if self.settings.surrogate == "anchor" else ""
        with torch.no_grad():
            surrogate = base.predict_noise(x_t, t, model.condition([left] * n))
            target = surrogate - self.settings.eta * (base.predict_noise(x_t, t, erased) - surrogate)
            before = base.predict_noise(x_t, t, kept)
        drift = mse_loss(model.predict_noise(x_t, t, kept), before)
        return mse_loss(model.predict_noise(x_t, t, erased), target) + self.settings.drift * drift

    def _kept(self, model: DiffusionModel, context: UnlearningContext) -> Tensor | None:
        """a, ``[n, L, D]``: prompts drawn at random, or points about as far out as the concept's conditions."""
        n, prompts = self.settings.batch_size, (context.concept.anchor, *context.concept.preserve)
        if self.settings.anchors == "prompts":
            places = torch.randint(len(prompts), (n,), generator=context.generator)
            return model.condition([prompts[place] for place in places.tolist()])
        concept = model.condition(context.concept.draws(n))
        if concept is None:
            raise ValueError("an unconditional model has no prompts")
        points = context.noise_like(concept)
        lengths = 0.8 + 0.4 * torch.rand(n, generator=context.generator).to(points)
        size = lengths * concept.flatten(1).norm(dim=1) / points.flatten(1).norm(dim=1)
        return points * size[:, None, None]

    def finish(self, model: DiffusionModel) -> None:
        for adapter in self._adapters:
            adapter.strength = self.settings.strength
        for owner in list(model.denoiser.modules()):
            if parametrize.is_parametrized(owner):
                for leaf in list(owner.parametrizations):  # type: ignore[arg-type]
                    parametrize.remove_parametrizations(owner, leaf, leave_parametrized=True)
