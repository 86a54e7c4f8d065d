"""Samples: what a model makes when it is asked in the plain way."""

from __future__ import annotations

from torch import Tensor

from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.probes.context import ProbeContext
from vdu_bench.probes.probe import Probe


class Samples(Probe):
    """Samples from the shared noise: the initial noise that all methods of a task share.

    ``forget`` are those of the forget prompts, ``retain`` those of the retain prompts, from the same noise. Of an
    unconditional model ``forget`` are simply all samples.
    """

    supports = ("unconditional", "text_to_image")
    needs = ()

    def images(self, context: ProbeContext) -> int:
        return context.samples * (1 if context.prompts is None else 2)

    def draw(self, model: DiffusionModel, context: ProbeContext) -> dict[str, Tensor]:
        n, noise = context.samples, context.noise(context.samples)
        if context.prompts is None:
            return {"forget": model.sample(n, None, noise, context.sampler, context.on_batch)}
        return {
            name: model.sample(n, context.prompts.cycled(name, n), noise, context.sampler, context.on_batch)
            for name in ("forget", "retain")
        }
