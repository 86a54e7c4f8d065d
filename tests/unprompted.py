"""What tests show to an unconditional model: the real digits, of which the ones are to be forgotten."""

from __future__ import annotations

import pytest
import torch

from vdu_bench.data.sources.digits import load_digits
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import Method
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.specs import SamplerSpec


def forgetting_ones(model: UnconditionalDDPM, method: Method) -> UnlearningContext:
    """With everything allowed that the method declares; the base is sampled in three steps."""
    weights = {name: p.detach().clone() for name, p in model.denoiser.named_parameters()}
    posterior = WeightPosterior(weights, {name: torch.full_like(p, 0.01) for name, p in weights.items()})
    return UnlearningContext(
        model,
        load_digits().train,
        "1",
        "full",
        method.needs,
        0,
        posterior.only,
        lambda: pytest.fail("nobody asked for it"),
        sampler=SamplerSpec(steps=3),
    )
