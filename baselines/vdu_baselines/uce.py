"""Unified Concept Editing: keys and values of the concept become the anchor's, in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import Method
from vdu_bench.methods.search import Choice, Range
from vdu_bench.methods.settings import WithPresets
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.selection import selected_parameters


class UCE(Method):
    """Unified Concept Editing: cross-attention's keys and values of the concept become the anchor's, in closed form.

        W = (h W0 + e sum_i v_i c_i^T + p sum_j W0 c_j c_j^T) (h I + e sum_i c_i c_i^T + p sum_j c_j c_j^T)^-1

    after Gandikota, Orgad, Belinkov, Materzynska & Bau 2024 ("Unified Concept Editing in Diffusion Models", eq. 7), for
    every key and value projection W0. It is where e sum_i |W c_i - v_i|^2 + p sum_j |W c_j - W0 c_j|^2 + h |W - W0|^2
    is least. The c_i are embedded tokens of the task's prompts for the concept, v_i = W0 a_i what the anchor's tokens
    a_i give, and c_j those of what is to be preserved: all tokens of the task's prompts, the anchor and the empty
    prompt, or in the newest release (2025) the last token of each of the task's prompts alone (``kept: last``).

    Prompts are as long as they are, so c_i and a_i are paired from their last tokens on: in the paper's code these and
    all that follows (``tokens: from_last``), in the newest release these alone (``last``). No image is seen, and the
    denoiser is not evaluated.
    """

    supports = ("text_to_image",)
    needs = ("prompts",)
    strength = "erase"

    class Settings(WithPresets):
        """UCE's settings; all defaults are this project's."""

        search: ClassVar[Mapping[str, Range | Choice]] = {
            "erase": Range(0.1, 100, log=True),
            "preserve": Range(0.01, 10, log=True),
            "hold": Range(0.01, 10, log=True),
            "tokens": Choice(("from_last", "last")),
        }
        presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
            "published": {"erase": 1.0, "preserve": 0.1, "hold": 0.5, "tokens": "from_last"},
            "published_2025": {"erase": 1.0, "preserve": 1.0, "hold": 0.5, "tokens": "last", "kept": "last"},
        }

        preset: Literal["ours", "published", "published_2025"] = Field(
            "ours",
            description="published: the paper's code; published_2025: the newest release "
            "(github.com/rohitgandikota/unified-concept-editing)",
        )
        erase: float = Field(1.0, ge=0, description="e, the weight of the concept's tokens; published: 1")
        preserve: float = Field(
            0.1, ge=0, description="p, the weight of the preserved tokens; published: 0.1 (the newest release: 1)"
        )
        hold: float = Field(0.5, gt=0, description="h, how hard the weights are held where they were; published: 0.5")
        tokens: Literal["from_last", "last"] = Field(
            "from_last",
            description="of the concept: its last token with all that follows, up to the padding (published), or that "
            "token alone (the newest release)",
        )
        kept: Literal["all", "last"] = Field(
            "all",
            description="of what is preserved: all tokens of the prompts and the empty prompt (published), and of the "
            "anchor; or the prompts' last tokens alone (the newest release)",
        )

    settings: Settings

    def unlearn(self, model: DiffusionModel, context: UnlearningContext) -> DiffusionModel:
        chosen = keys_and_values(model)
        edited, asked = model.clone(chosen), Tokens.of(model, context, self.settings)
        with torch.no_grad():
            for name, weight in chosen.items():
                edited.denoiser.get_parameter(name).copy_(self.edited(weight.double(), weight.double(), asked))
        return edited.freeze()

    def edited(self, weight: Tensor, original: Tensor, asked: Tokens) -> Tensor:
        """W ``[M, D]`` in float64: what is held where `weight` is, and gives the answers of `original`."""
        e, p, h = self.settings.erase, self.settings.preserve, self.settings.hold
        kept = p * asked.kept.T @ asked.kept
        held = h * torch.eye(len(kept), dtype=kept.dtype, device=kept.device)
        wanted = h * weight + original @ (e * asked.meant.T @ asked.concept + kept)
        # X A^-1 with a symmetric A.
        return torch.linalg.solve(held + e * asked.concept.T @ asked.concept + kept, wanted.T).T


def keys_and_values(model: DiffusionModel) -> dict[str, nn.Parameter]:
    """All projections of the condition, by name. Raises UserError for a model without cross-attention."""
    return selected_parameters(model.denoiser, "*attn2.to_[kv].weight")


@dataclass(frozen=True)
class Tokens:
    """Embedded tokens, float64 ``[N, D]`` each, on the model's device.

    Attributes:
        concept: c_i, of the concept's prompts.
        meant: a_i, the anchor's in their place.
        kept: c_j, of what is to be preserved.
    """

    concept: Tensor
    meant: Tensor
    kept: Tensor

    @classmethod
    def of(cls, model: DiffusionModel, context: UnlearningContext, settings: UCE.Settings) -> Self:
        """What the context tells of the concept."""
        prompts, anchor, preserve = context.concept.prompts, context.concept.anchor, context.concept.preserve
        embedded = torch.stack([embeddings(model, prompt) for prompt in prompts])
        instead = embeddings(model, anchor)
        if settings.kept == "all":
            kept = [embeddings(model, prompt) for prompt in ("", anchor, *preserve)]
        else:
            ids = model.tokens(list(preserve)) if preserve else []
            kept = [embeddings(model, one)[len(own)][None] for one, own in zip(preserve, ids, strict=True)]
        concept, meant = [], []
        for prompt, c in zip(prompts, embedded, strict=True):
            # A begin stands before the tokens, so the last of n is at n.
            ends = [len(own) for own in model.tokens([prompt, anchor])]
            length = 1 if settings.tokens == "last" else len(c) - max(ends)
            concept.append(c[ends[0] :][:length])
            meant.append(instead[ends[1] :][:length])
        return cls(torch.cat(concept), torch.cat(meant), torch.cat([instead[:0], *kept]))


def embeddings(model: DiffusionModel, prompt: str) -> Tensor:
    """All of a prompt's embedded tokens, float64 ``[L, D]``. Raises ValueError for an unconditional model."""
    condition = model.condition([prompt])
    if condition is None:
        raise ValueError("an unconditional model has no prompts")
    # What stands behind the tokens, cross-attention is not given.
    return condition[0, : cast(TextToImage, model).max_tokens].double()
