"""Forget-Me-Not: no attention to the concept's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, cast

import torch
from diffusers.models.attention_processor import Attention
from pydantic import Field
from torch import Tensor

from vdu_bench.errors import UserError
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import LossMethod
from vdu_bench.methods.search import Choice, Range
from vdu_bench.methods.settings import WithPresets
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.text_to_image import TextToImage


class ForgetMeNot(LossMethod):
    """Forget-Me-Not: pixels of forget images learn to give the concept's words no attention.

        L(theta) = mean_l E_{x0 in D_f, t, eps} mean_{heads, pixels} sum_{i in c} A_l(x_t, t, c)_i^2

    after Zhang, Wang, Xu, Wang & Shi 2023 ("Forget-Me-Not: Learning to Forget in Text-to-Image Diffusion Models",
    attention resteering): A_l is the softmax over the prompt's tokens of cross-attention layer l, c one of the task's
    prompts for the concept, and i goes over the tokens that are its own: those that the anchor does not have, and as
    far as any is left, none of the prompts to preserve. The authors' release takes one norm over all layers in place of
    the means, and the prompt's end with its words (``end``), where what the prompt means as a whole comes together.
    Before that it can learn a token for the concept by textual inversion; here the task's words are what they are.
    """

    supports = ("text_to_image",)
    needs = ("forget_images", "prompts")

    class Settings(WithPresets, LossMethod.Settings):
        """Forget-Me-Not's settings; all defaults are this project's."""

        search: ClassVar[Mapping[str, Range | Choice]] = {
            "learning_rate": Range(1e-5, 1e-2, log=True),
            "steps": Range(5, 100, log=True, integer=True),
            "end": Choice((False, True)),
            "weights": Choice(("cross_attention", "all")),
        }
        presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
            "published": {
                "end": True,
                "weights": "all",
                "steps": 35,
                "batch_size": 1,
                "learning_rate": 2e-6,
                "optimizer": "adamw",
                "weight_decay": 0.01,
                "clip_norm": 1.0,
            }
        }

        preset: Literal["ours", "published"] = Field(
            "ours",
            description="published: configs/attn.yaml of the authors' release, whose loss is one norm over all layers, "
            "and no mean over them, with larger gradients beside clip_norm",
        )
        end: bool = Field(
            False,
            description="the prompt's end gets no attention either, nor padding by the same token; published: yes",
        )
        steps: int = Field(35, gt=0, description="optimiser steps; published: 35")
        batch_size: int = Field(32, gt=0, description="images a step; published: 1")
        learning_rate: float = Field(3e-4, gt=0, description="peak learning rate; published: 2e-6")

    settings: Settings
    _watched: list[Watched]

    def start(self, model: DiffusionModel, context: UnlearningContext) -> None:
        if model.microbatch is not None:
            raise UserError(
                "forget_me_not: its loss is of what is inside the network, which compute.microbatch computes in parts: "
                "leave that out, and take a smaller batch_size"
            )
        self._watched = []
        for layer in model.denoiser.modules():
            if isinstance(layer, Attention) and layer.is_cross_attention:
                self._watched.append(Watched(layer.processor))
                layer.set_processor(self._watched[-1])
        if not self._watched:
            raise UserError("forget_me_not: the network has no cross-attention, and no word gets any attention")
        # Each of them, before one is drawn after an hour.
        prompts = list(context.concept.prompts)
        self.words(model, context, prompts, 2 + max(map(len, model.tokens(prompts))))

    def loss(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        x0 = context.forget.batch(self.settings.batch_size).x0
        prompts = context.concept.draws(len(x0))
        t = context.timesteps(len(x0))
        x_t = model.add_noise(x0, context.noise_like(x0), t)
        condition = model.condition(prompts)
        if condition is None:
            raise ValueError("an unconditional model has no prompts")
        model.predict_noise(x_t, t, condition)
        words = self.words(model, context, prompts, cast(TextToImage, model).max_tokens).to(condition.device)
        given = [(watched.attention.square() * words[:, None, None]).sum(-1).mean() for watched in self._watched]
        loss = torch.stack(given).mean()
        model.counter.record_backward(loss, len(x0))
        return loss

    def finish(self, model: DiffusionModel) -> None:
        inner = iter([watched.processor for watched in self._watched])
        for layer in model.denoiser.modules():
            if isinstance(layer, Attention) and layer.is_cross_attention:
                layer.set_processor(next(inner))

    def words(self, model: DiffusionModel, context: UnlearningContext, prompts: list[str], length: int) -> Tensor:
        """Which of a condition's first `length` rows are of the concept's words, bool ``[N, length]`` on the CPU.

        Raises UserError for a prompt all of whose words are the anchor's.
        """
        anchor, *preserve = (set(ids) for ids in model.tokens([context.concept.anchor, *context.concept.preserve]))
        tokenizer = cast(TextToImage, model).tokenizer
        padded_by_the_end = tokenizer.pad_token_id == tokenizer.eos_token_id
        places = torch.zeros(len(prompts), length, dtype=torch.bool)
        for row, prompt, ids in zip(places, prompts, model.tokens(prompts), strict=True):
            new = set(ids) - anchor
            own = new.difference(*preserve) or new
            if not own:
                raise UserError(f"forget_me_not: all words of {prompt!r} are the anchor's, {context.concept.anchor!r}")
            row[1 : 1 + len(ids)] = torch.tensor([token in own for token in ids])
            if self.settings.end:
                row[1 + len(ids) : None if padded_by_the_end else 2 + len(ids)] = True
        return places


class Watched:
    """A layer's own processor, with a note of the attention that the layer gives, ``[N, heads, pixels, tokens]``."""

    attention: Tensor

    def __init__(self, processor: Any) -> None:
        self.processor = processor

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        *args: Any,
        **more: Any,
    ) -> Tensor:
        query, key = attn.to_q(hidden_states), attn.to_k(encoder_hidden_states)
        scores = attn.get_attention_scores(attn.head_to_batch_dim(query), attn.head_to_batch_dim(key))
        self.attention = scores.unflatten(0, (-1, attn.heads))
        return self.processor(attn, hidden_states, encoder_hidden_states, *args, **more)
