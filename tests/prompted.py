"""What tests show to the tiny pipeline and ask it for: a few images with two features, and prompts in its words."""

from __future__ import annotations

import pytest
import torch

from vdu_bench.data.image_set import ImageSet
from vdu_bench.data.specs import CaptionSpec
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import Method
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.tasks.prompts import PromptSpec

NAMES = ("hat", "bangs")
PROMPTS = PromptSpec(
    captions=CaptionSpec(
        subjects=("portrait", "a person", "a portrait"), phrases={"hat": ("a hat",), "bangs": ("bangs",)}
    ),
    judged_subjects=("a person", "a portrait"),
    forget=("a person with a hat", "a portrait with a hat"),
    retain={"a person": (), "a person with bangs": ("bangs",)},
    concept=("with a hat", "wearing a hat"),
    anchor="portrait",
)
PRESERVING = PROMPTS.model_copy(update={"preserve": ("with bangs", "person")})
"""The same, and what is to be preserved."""
IMAGES = ImageSet(
    torch.randint(256, (8, 3, 16, 16), generator=torch.Generator().manual_seed(7)).to(torch.uint8),
    torch.tensor([[True, False], [False, True], [False, False], [True, True]] * 2),
    NAMES,
)
"""Four with a hat, four without."""


def context_of(
    model: DiffusionModel, method: Method, posterior: WeightPosterior | None = None, prompts: PromptSpec = PROMPTS
) -> UnlearningContext:
    """To forget hats, with everything allowed that the method declares."""
    if posterior is None:
        weights = {name: p.detach().clone() for name, p in model.denoiser.named_parameters()}
        posterior = WeightPosterior(weights, {name: torch.full_like(p, 0.01) for name, p in weights.items()})
    return UnlearningContext(
        model,
        IMAGES,
        "hat",
        "full",
        method.needs,
        0,
        posterior.only,
        lambda: pytest.fail("nobody asked for it"),
        prompts,
    )
