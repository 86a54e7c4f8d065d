"""Erased Stable Diffusion, for conditional models and as a port to unconditional ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from vdu_baselines.steps_in_common import denoised_on_the_way
from vdu_bench.errors import UserError
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import LossMethod
from vdu_bench.methods.search import Range, Space
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.specs import FitSpec, ModelKind, takes_prompts
from vdu_bench.models.training.base_model import denoising_loss
from vdu_bench.models.training.dropout import seeded_dropout
from vdu_bench.models.training.fitting import fit
from vdu_bench.seeds import derive_seed


class ESD(LossMethod):
    """Erased Stable Diffusion: be guided away from the concept, for good.

        L(theta) = E || eps_theta(x_t, t, c) - [ eps_base(x_t, t) - eta (eps_base(x_t, t, c) - eps_base(x_t, t)) ] ||^2

    after Gandikota, Materzynska, Fiotto-Kaufman & Bau 2023 ("Erasing Concepts from Diffusion Models", eq. 7); c are the
    task's prompts for the concept. What is trained makes the variant: ``weights: cross_attention`` is ESD-x;
    ``all_but_cross_attention_time_output`` is ESD-u as the paper's code has it, ``layers_but_cross_attention`` as the
    newest release (2025) has it; ``all`` is full fine-tuning. The paper draws x_t from the model that is being edited,
    asked for c and denoised to a random step (``x_t: student``); the newest release draws it from the frozen model
    (``x_t: frozen``).

    The newest release can erase c from another prompt f (``from_concept``), a feature from a subject. Then x_t is drawn
    under f, the model is trained under f, and f's noise takes the place of the first eps_base(x_t, t):

        E || eps_theta(x_t, t, f) - [ eps_base(x_t, t, f) - eta (eps_base(x_t, t, c) - eps_base(x_t, t)) ] ||^2

    Its ``negative_guidance`` is this eta where there is an f. Where there is none it starts from eps_base(x_t, t, c),
    so that its 2, the default, is eta 1 here.

    On an unconditional model this is a port, not the published method: there is no prompt, so the concept's noise comes
    from a copy of the base that is fine-tuned on the forget set for a few steps, and x_t are noised forget images.
    """

    supports = ("unconditional", "text_to_image")
    needs = ("forget_images", "prompts")

    class Settings(LossMethod.Settings):
        """ESD's settings; all defaults are this project's."""

        eta: float = Field(
            1.0,
            gt=0,
            description="strength of the guidance away from the concept: published 1 (the paper); the newest release's "
            "negative_guidance of 2 is 1 without from_concept, and 2 with it",
        )
        x_t: Literal["auto", "student", "frozen", "images"] = Field(
            "auto",
            description="where x_t is from: the edited model (the paper's), the frozen one (the newest release's), or "
            "noised forget images; auto: student where there are prompts, else images",
        )
        x_t_steps: int = Field(
            20, gt=0, description="DDIM steps of the whole way that x_t is denoised on a part of; published: 50"
        )
        x_t_guidance: float = Field(3.0, ge=0, description="guidance on that way; published: 3")
        from_concept: str | None = Field(
            None,
            description="a prompt f that the concept is erased from: x_t is drawn and the model trained under it; "
            "anchor: the task's own; null: under the concept's prompts",
        )
        concept_steps: int = Field(60, gt=0, description="fine-tuning steps of the concept's copy (unconditional)")
        concept_learning_rate: float = Field(3e-4, gt=0, description="learning rate of that fine-tuning")
        steps: int = Field(60, gt=0, description="optimiser steps")
        learning_rate: float = Field(1e-4, gt=0, description="peak learning rate")

        search: ClassVar[Space] = {
            "eta": Range(0.1, 4, log=True),
            "learning_rate": Range(1e-6, 3e-3, log=True),
            "steps": Range(10, 80, log=True, integer=True),
        }

    settings: Settings
    _concept: DiffusionModel
    _x_t: Literal["student", "frozen", "images"]

    def evaluations_vary(self, kind: ModelKind) -> bool:
        return takes_prompts(kind) and self.settings.x_t != "images"  # x_t is denoised to a random step

    def start(self, model: DiffusionModel, context: UnlearningContext) -> None:
        prompted = model.prompted
        x_t = self.settings.x_t
        self._x_t = x_t if x_t != "auto" else "student" if prompted else "images"
        if not prompted and (self._x_t != "images" or self.settings.from_concept is not None):
            raise UserError("esd: x_t and from_concept need prompts, which an unconditional model does not take")
        self._concept = context.base if prompted else self._finetuned(context)

    def loss(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        concept = context.concept.draws(self.settings.batch_size) if model.prompted else None
        source = self._from(context, concept)
        x_t, t = self._noised(model, context, source)
        erased, trained = model.condition(concept), model.condition(source)
        with torch.no_grad():
            null = context.base.predict_noise(x_t, t)
            start = null if source is concept else context.base.predict_noise(x_t, t, trained)
            target = start - self.settings.eta * (self._concept.predict_noise(x_t, t, erased) - null)
        return torch.nn.functional.mse_loss(model.predict_noise(x_t, t, trained), target)

    def _noised(
        self, model: DiffusionModel, context: UnlearningContext, prompts: Sequence[str] | None
    ) -> tuple[Tensor, Tensor]:
        if self._x_t == "images":
            x0 = context.forget.batch(self.settings.batch_size).x0
            t = context.timesteps(len(x0))
            return model.add_noise(x0, context.noise_like(x0), t), t
        source, own = model if self._x_t == "student" else context.base, self.settings
        return denoised_on_the_way(source, context, prompts, own.batch_size, own.x_t_steps, own.x_t_guidance)

    def _from(self, context: UnlearningContext, concept: list[str] | None) -> list[str] | None:
        """What x_t is drawn and the model trained under: the concept's own prompts, or `from_concept`."""
        prompt = self.settings.from_concept
        if prompt is None:
            return concept
        return [context.concept.anchor if prompt == "anchor" else prompt] * self.settings.batch_size

    def _finetuned(self, context: UnlearningContext) -> DiffusionModel:
        copy = context.base.clone()
        copy.denoiser.requires_grad_(True).train()
        spec = FitSpec(
            steps=self.settings.concept_steps,
            batch_size=self.settings.batch_size,
            learning_rate=self.settings.concept_learning_rate,
        )

        def loss(step: int) -> Tensor:
            batch = context.forget.batch(self.settings.batch_size)
            with seeded_dropout(copy.denoiser, derive_seed(context.seed, "concept dropout", step)):
                return denoising_loss(copy, batch.x0, batch.condition, context.generator)

        with context.phase("training of the concept's copy", spec.steps) as advance:
            fit(copy.denoiser.parameters(), loss, spec, lambda _step, _loss: advance(1), autocast=copy.autocast)
        return copy.freeze()
