"""A third party's probe that trains (it shows a copy of the model a few forgotten images), and a metric of it."""

from __future__ import annotations

import torch
from torch import Tensor

from vdu_bench.metrics.evidence import Evidence
from vdu_bench.metrics.metric import Measurement, Metric
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.specs import FitSpec
from vdu_bench.models.training.fitting import fit
from vdu_bench.probes.context import ProbeContext
from vdu_bench.probes.probe import Probe
from vdu_bench.stats.proportion import proportion


class Retry(Probe):
    """Samples of a copy that was trained on a few forget images."""

    supports = ("unconditional",)
    needs = ("forget_images",)

    class Settings(FitSpec):
        """The loop's, and how many images there are to learn from."""

        steps: int = 3
        batch_size: int = 4
        learning_rate: float = 1e-3
        given: int = 6

    settings: Settings

    def draw(self, model: DiffusionModel, context: ProbeContext) -> dict[str, Tensor]:
        copy = model.clone()
        copy.denoiser.requires_grad_(True).train()
        learned = context.forget.take(torch.arange(self.settings.given))

        def loss(_step: int) -> Tensor:
            x0 = learned.x0[torch.randperm(len(learned.x0), generator=context.generator)[: self.settings.batch_size]]
            t, noise = context.timesteps(len(x0)), context.noise_like(x0)
            return (noise - copy.predict_noise(copy.add_noise(x0, noise, t), t)).square().mean()

        fit(copy.denoiser.parameters(), loss, self.settings)
        n = context.samples
        return {"retried": copy.freeze().sample(n, None, context.noise(n), context.sampler, context.on_batch)}


class Retried(Metric):
    """Share of these samples that show the concept."""

    unit = "%"
    better = "lower"
    probe = "retry"
    group = "robustness"
    gate = "sampled"

    def compute(self, evidence: Evidence) -> Measurement:
        hits = evidence.after.of("retry")["retried"].shown[:, evidence.forget_index].numpy()
        return Measurement(proportion(int(hits.sum()), len(hits)), outcomes=hits)
