"""Samples under the prompts that methods are given: what a method may have learnt by heart."""

from __future__ import annotations

from torch import Tensor

from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.probes.context import ProbeContext
from vdu_bench.probes.probe import Probe


class Given(Probe):
    """Samples of the given prompts: the concept's, which methods know, from the first of the samples' noise.

    Half as many as the task's samples: they are a second look at what ``samples`` asks by prompts that no method saw.
    """

    supports = ("text_to_image",)
    needs = ()

    def images(self, context: ProbeContext) -> int:
        return context.samples // 2

    def draw(self, model: DiffusionModel, context: ProbeContext) -> dict[str, Tensor]:
        if context.prompts is None:
            raise ValueError("an unconditional model is given no prompts")
        n = context.samples // 2
        # Of all of it, for a generator may fill a shorter tensor with other numbers.
        noise = context.noise(context.samples)[:n]
        return {
            "given": model.sample(n, context.prompts.cycled("concept", n), noise, context.sampler, context.on_batch)
        }
