"""AdvUnlearn: erase a concept from whatever an attacker finds to ask for it with, and keep the rest as it was."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from vdu_baselines.soft_prefix import random_words, with_prefix
from vdu_baselines.steps_in_common import denoised_on_the_way
from vdu_bench.errors import UserError
from vdu_bench.methods.context import Replay, UnlearningContext
from vdu_bench.methods.method import LossMethod
from vdu_bench.methods.search import Range
from vdu_bench.methods.settings import WithPresets
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.word_vectors import word_deviation
from vdu_bench.models.specs import ModelKind
from vdu_bench.models.upload import upload

ATTACK_RATE = 0.1
"""The attacker's default rate, in deviations of the text encoder's own embeddings: these differ in scale."""

SCALE = 2.0**14
"""A factor of the attacker's loss: its gradients would vanish under float16, and Adam's steps know no factor."""


class AdvUnlearn(LossMethod):
    """AdvUnlearn, adversarial training: before each step an attacker learns what would bring the concept back.

        c* = argmin_v E || eps_theta(x_t, t, c(v)) - eps_base(x_t, t, c) ||^2
        L(theta) = E || eps_theta(x_t, t, c*) - [ eps_base(x_t, t) - eta (eps_base(x_t, t, c) - eps_base(x_t, t)) ] ||^2
                 + gamma E || eps_theta(x_t, t, r) - eps_base(x_t, t, r) ||^2

    after Zhang, Chen, Jia, Zhang, Fan, Liu, Hong, Ding & Liu 2024 ("Defensive Unlearning with Adversarial Training for
    Robust Concept Erasure in Diffusion Models"): c are the task's prompts for the concept; c(v) is c with embeddings v
    before its first word; r are its prompts to preserve and its anchor. The first steps have no attacker, and c* is c.
    The text encoder is trained, which the paper found to suit better than the denoiser (``trains: denoiser``).

    v begins as random tokens each time, and one v is learned for all of the task's prompts; the authors' release has
    one prompt. They draw x_t by denoising noise to a random step for every evaluation (``x_t: denoised``), by the base
    where the text encoder is trained, else by the model itself. By default x_t are noised images that the base made
    beforehand (``x_t: replayed``), at a small part of the cost.
    """

    supports = ("text_to_image",)
    needs = ("prompts",)

    class Settings(WithPresets, LossMethod.Settings):
        """AdvUnlearn's settings; all defaults are this project's."""

        search: ClassVar[Mapping[str, Range]] = {
            "learning_rate": Range(1e-5, 3e-3, log=True),
            "steps": Range(20, 100, log=True, integer=True),
            "eta": Range(0.1, 4, log=True),
            "preserve": Range(0.1, 10, log=True),
        }
        presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
            "published": {
                "trains": "text_encoder",
                "eta": 1.0,
                "preserve": 0.3,
                "preserve_batch": 5,
                "words": 1,
                "attack_steps": 30,
                "attack_learning_rate": 1e-3,
                "plain": 0.2,
                "x_t": "denoised",
                "x_t_steps": 50,
                "x_t_guidance": 3.0,
                "steps": 1000,
                "batch_size": 1,
                "learning_rate": 1e-5,
                "optimizer": "adam",
            }
        }

        preset: Literal["ours", "published"] = Field(
            "ours", description="published: the command for nudity in the authors' release, and its defaults"
        )
        trains: Literal["text_encoder", "denoiser"] = Field(
            "text_encoder",
            description="what is trained: the text encoder (of several, all) but for its embeddings of tokens, as "
            "published; or those of the denoiser's weights that `weights` names",
        )
        eta: float = Field(1.0, gt=0, description="strength of the guidance away from the concept; published: 1")
        preserve: float = Field(
            1.0, ge=0, description="gamma, the weight of what is to be kept; published: 0.3, the release's default 1"
        )
        preserve_batch: int = Field(16, gt=0, description="images a step that are asked for what is kept; published: 5")
        words: int = Field(1, gt=0, description="embeddings that the attacker puts before a prompt; published: 1")
        attack_steps: int = Field(10, ge=0, description="the attacker's before each step; published: 30; 0: none")
        attack_learning_rate: float | None = Field(
            None,
            gt=0,
            description="the attacker's, by Adam, in the embeddings' units: published 0.001; null: a tenth of the "
            "deviation of the text encoder's own",
        )
        plain: float = Field(
            0.2, ge=0, le=1, description="share of the steps before the first attack; published: 0.2 (200 of 1000)"
        )
        x_t: Literal["replayed", "denoised"] = Field(
            "replayed",
            description="noised images that the base made beforehand, or noise that is denoised to a random step for "
            "each evaluation (published)",
        )
        images: int = Field(64, gt=0, description="images of each kind that are made beforehand")
        x_t_steps: int = Field(20, gt=0, description="DDIM steps of the way that x_t is denoised on; published: 50")
        x_t_guidance: float = Field(3.0, ge=0, description="guidance on that way; published: 3")
        steps: int = Field(60, gt=0, description="optimiser steps; published: 1000, at a batch of 1")
        batch_size: int = Field(16, gt=0, description="images a step that are asked for the concept; published: 1")
        learning_rate: float = Field(3e-4, gt=0, description="peak learning rate; published: 1e-5")

        @model_validator(mode="after")
        def _one_is_trained(self) -> AdvUnlearn.Settings:
            if self.trains == "text_encoder" and self.weights != "auto":
                raise ValueError("weights are the denoiser's: give trains: denoiser as well")
            return self

    settings: Settings
    _step: int
    _made: dict[str, Replay]

    def evaluations_vary(self, kind: ModelKind) -> bool:  # noqa: ARG002
        return self.settings.x_t == "denoised"  # to a random step

    def selection(self, model: DiffusionModel) -> dict[str, nn.Parameter]:
        if self.settings.trains == "denoiser":
            return super().selection(model)
        if not model.prompted:
            raise UserError("adv_unlearn: an unconditional model has no text encoder to train")
        return {}

    def start(self, model: DiffusionModel, context: UnlearningContext) -> None:
        own, asked = self.settings, cast(TextToImage, model)
        self._step, self._made = 0, {}
        concept, kept = context.concept.prompts, self._kept(context)
        if own.trains == "text_encoder":
            for name, encoder in asked.text_encoders.items():
                # Embeddings of tokens are not trained, and stay the base's own.
                words = encoder.get_input_embeddings().weight
                setattr(asked, name, copy.deepcopy(encoder, {id(words): words}))
            for parameter in self.parameters(model):
                parameter.requires_grad_(True)
        if own.x_t == "replayed":
            for name, prompts in (("concept", concept), ("kept", kept)):
                self._made[name] = context.replay(own.images, [prompts[i % len(prompts)] for i in range(own.images)])

    def parameters(self, model: DiffusionModel) -> Iterable[nn.Parameter]:
        if self.settings.trains == "denoiser":
            return super().parameters(model)
        asked = cast(TextToImage, model)
        words = {id(table.weight) for table in asked.word_embeddings}
        encoders = asked.text_encoders.values()
        return [p for encoder in encoders for p in encoder.parameters() if id(p) not in words]

    def loss(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        own, base = self.settings, context.base
        attacked = own.attack_steps > 0 and self._step >= own.plain * own.steps
        self._step += 1
        prefix = self._attacked(model, context) if attacked else None
        x_t, t, prompts = self._asked(model, context, "concept", own.batch_size)
        with torch.no_grad():
            null = base.predict_noise(x_t, t)
            target = null - own.eta * (base.predict_noise(x_t, t, base.condition(prompts)) - null)
        erased = model.condition(prompts) if prefix is None else with_prefix(cast(TextToImage, model), prompts, prefix)
        loss = mse_loss(model.predict_noise(x_t, t, erased), target)
        if own.preserve > 0:
            x_t, t, prompts = self._asked(model, context, "kept", own.preserve_batch)
            with torch.no_grad():
                target = base.predict_noise(x_t, t, base.condition(prompts))
            loss = loss + own.preserve * mse_loss(model.predict_noise(x_t, t, model.condition(prompts)), target)
        return loss

    def finish(self, model: DiffusionModel) -> None:
        for parameter in self.parameters(model):
            parameter.requires_grad_(False)

    def _attacked(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        """The embeddings ``[W, D]`` that bring the concept back best from the model as it is."""
        own, base, asked = self.settings, context.base, cast(TextToImage, model)
        first = random_words(asked, own.words, context.generator)
        unit, rate = torch.ones_like(first[0]), own.attack_learning_rate
        if rate is None:
            unit, rate = word_deviation(asked), ATTACK_RATE
        shift = nn.Parameter(torch.zeros_like(first))
        optimizer = torch.optim.Adam([shift], lr=rate)
        for _ in range(own.attack_steps):
            x_t, t, prompts = self._asked(model, context, "concept", own.batch_size)
            with torch.no_grad():
                target = base.predict_noise(x_t, t, base.condition(prompts))
            answer = model.predict_noise(x_t, t, with_prefix(asked, prompts, first + unit * shift))
            # Of the prefix alone: the weights' gradients are the step's own.
            (shift.grad,) = torch.autograd.grad(SCALE * mse_loss(answer, target), shift)
            optimizer.step()
        return (first + unit * shift).detach()

    def _asked(
        self, model: DiffusionModel, context: UnlearningContext, name: Literal["concept", "kept"], n: int
    ) -> tuple[Tensor, Tensor, list[str]]:
        """x_t, t and the prompts that they are of, for what is to be forgotten or kept."""
        own = self.settings
        if own.x_t == "replayed":
            made = self._made[name]
            assert made.captions is not None
            rows = torch.randint(len(made.x0), (n,), generator=context.generator)
            x0, t = made.x0[upload(rows, made.x0)], context.timesteps(n)
            return model.add_noise(x0, context.noise_like(x0), t), t, [made.captions[row] for row in rows.tolist()]
        known = context.concept.prompts if name == "concept" else self._kept(context)
        prompts = [known[i] for i in torch.randint(len(known), (n,), generator=context.generator).tolist()]
        source = context.base if own.trains == "text_encoder" else model
        x_t, t = denoised_on_the_way(source, context, prompts, n, own.x_t_steps, own.x_t_guidance)
        return x_t, t, prompts

    @staticmethod
    def _kept(context: UnlearningContext) -> tuple[str, ...]:
        return (context.concept.anchor, *context.concept.preserve)
