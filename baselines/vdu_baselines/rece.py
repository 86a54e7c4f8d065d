"""Reliable and Efficient Concept Erasure: UCE, and again for whatever would bring the concept back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from vdu_baselines.uce import UCE, Tokens, keys_and_values
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.search import Choice, Range
from vdu_bench.models.diffusion import DiffusionModel


class RECE(UCE):
    """Reliable and Efficient Concept Erasure: UCE, then erase in turn what best brings the concept back; repeat.

        c' = argmin sum_l |W_l c' - W0_l c|^2 + r |c'|^2 = (r I + sum_l W_l^T W_l)^-1 (sum_l W_l^T W0_l) c

    after Gong, Chen, Wei, Chen & Jiang 2024 ("Reliable and Efficient Concept Erasure of Text-to-Image Diffusion
    Models"): c is an embedded token of the concept, W0_l are the base's key and value projections and W_l the edited
    ones, which c' makes answer as the base's did to c. Each round finds c' for every c and erases it by UCE's closed
    form, held where the last round left the weights:

        W <- (h W + e sum v c'^T + p sum_j W0 c_j c_j^T) (h I + e sum c' c'^T + p sum_j c_j c_j^T)^-1,  v = W0 a

    r keeps c' small. Nothing but h holds what was erased before: where embeddings have few dimensions, a c' is never
    far from a c, and a round with a small h brings back what UCE had erased. Which tokens c and a are is UCE's
    ``tokens``; the authors' release takes a whole prompt's in the rounds, and their targets from the weights that the
    last round left. It also begins from a UCE of its own weights, where all steps here have the same. No image is seen,
    and the denoiser is not evaluated.
    """

    supports = ("text_to_image",)
    needs = ("prompts",)
    strength = "erase"

    class Settings(UCE.Settings):
        """UCE's settings and two more; all defaults are this project's."""

        search: ClassVar[Mapping[str, Range | Choice]] = {
            **UCE.Settings.search,
            "hold": Range(0.1, 100, log=True),
            "rounds": Range(1, 10, integer=True),
            "ridge": Range(1e-4, 10, log=True),
        }
        presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
            "published": {
                "erase": 1.0,
                "preserve": 0.1,
                "hold": 0.1,
                "tokens": "from_last",
                "rounds": 5,
                "ridge": 1e-3,
            }
        }

        preset: Literal["ours", "published"] = Field(
            "ours", description="published: train_object.py of the authors' release; that for nudity has a ridge of 0.1"
        )
        preserve: float = Field(1.0, ge=0, description="p, the weight of the preserved tokens; published: 0.1")
        hold: float = Field(10.0, gt=0, description="h, how hard the weights are held where they were; published: 0.1")
        rounds: int = Field(3, ge=0, description="how often; published: 5 for objects; 0 is UCE")
        ridge: float = Field(0.1, gt=0, description="r, which keeps c' small; published: 0.001 for objects")

    settings: Settings

    def unlearn(self, model: DiffusionModel, context: UnlearningContext) -> DiffusionModel:
        chosen = keys_and_values(model)
        base = {name: weight.detach().double() for name, weight in chosen.items()}
        asked = Tokens.of(model, context, self.settings)
        weights = {name: self.edited(weight, weight, asked) for name, weight in base.items()}
        for _ in range(self.settings.rounds):
            again = replace(asked, concept=self.revived(weights, base, asked.concept))
            weights = {name: self.edited(weight, base[name], again) for name, weight in weights.items()}
        edited = model.clone(chosen)
        with torch.no_grad():
            for name, weight in weights.items():
                edited.denoiser.get_parameter(name).copy_(weight)
        return edited.freeze()

    def revived(self, weights: Mapping[str, Tensor], base: Mapping[str, Tensor], concept: Tensor) -> Tensor:
        """c' for each c, ``[N, D]``: what the edited `weights` answer most nearly as the `base`'s did to `concept`."""
        ridge = self.settings.ridge * torch.eye(concept.shape[1], dtype=concept.dtype, device=concept.device)
        own = sum((weight.T @ weight for weight in weights.values()), ridge)
        across = sum((weight.T @ base[name] for name, weight in weights.items()), torch.zeros_like(ridge))
        return torch.linalg.solve(own, across @ concept.T).T
