"""A method in the middle of its fit, a step at a time."""

from __future__ import annotations

import torch

from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import LossMethod
from vdu_bench.models.training.fitting import Fit

from .timing import seconds_of


class Stepper:
    """The method, as its `unlearn` begins, and then step by step.

    Args:
        method: with its settings.
        context: what it works with, the base among it.
    """

    def __init__(self, method: LossMethod, context: UnlearningContext) -> None:
        self.method, self.context = method, context
        self.model = context.base.clone(method.selection(context.base))
        self.model.denoiser.train()
        for parameter in method.selection(self.model).values():
            parameter.requires_grad_(True)
        method.start(self.model, context)
        self.fit = Fit(method.parameters(self.model), method.settings, self.model.autocast)

    def step(self) -> float:
        """Seconds for one step."""
        return seconds_of(self._advance, torch.device(self.model.device))

    def _advance(self) -> None:
        self.fit.advance(lambda _, backward: self.method.gradients(self.model, self.context, backward))
