"""Counterfactual pairs, redrawn: does the feature go from a real picture, and does the rest of it stay?"""

from __future__ import annotations

from torch import Tensor

from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.probes.context import ProbeContext
from vdu_bench.probes.probe import Probe


class Pairs(Probe):
    """Redrawn pictures of the pairs: those that show the feature, noised part of the way and denoised (SDEdit).

    Meng et al. 2022. How far they are noised is the task's ``pair_strength``.
    """

    supports = ("text_to_image",)
    needs = ("pairs",)

    def images(self, context: ProbeContext) -> int:
        return len(context.pairs)

    def draw(self, model: DiffusionModel, context: ProbeContext) -> dict[str, Tensor]:
        pairs = context.pairs
        prompts = context.plainly(pairs.concepts_with)
        noise = context.noise(len(pairs), "pairs")
        strength = context.pair_strength
        return {"pairs": model.redraw(pairs.with_, prompts, noise, context.sampler, strength, context.on_batch)}
