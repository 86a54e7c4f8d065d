"""The one optimisation loop: base models, judges and unlearning methods are all fitted by it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from diffusers.training_utils import EMAModel
from torch import Tensor, nn

from vdu_bench.errors import Diverged
from vdu_bench.models.specs import FitSpec


def learning_rate_factor(step: int, spec: FitSpec) -> float:
    """What the peak learning rate is multiplied by at `step` (from 0): linear warm-up, then constant or cosine."""
    if step < spec.warmup_steps:
        return (step + 1) / spec.warmup_steps
    if spec.schedule == "constant":
        return 1.0
    progress = (step - spec.warmup_steps) / max(1, spec.steps - spec.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * progress))


class Fit:
    """An optimisation in progress: parameters, optimiser, average and step, to be advanced by one loss at a time."""

    def __init__(self, parameters: Iterable[nn.Parameter], spec: FitSpec) -> None:
        self.parameters = list(parameters)
        self.spec = spec
        self.step = 0
        if spec.optimizer == "adam":
            self.optimizer: torch.optim.Optimizer = torch.optim.Adam(self.parameters, lr=spec.learning_rate)
        else:
            self.optimizer = torch.optim.AdamW(self.parameters, lr=spec.learning_rate, weight_decay=spec.weight_decay)
        self.ema = EMAModel(self.parameters, decay=spec.ema_decay) if spec.ema_decay else None

    def advance(self, loss: Tensor) -> float:
        """One step down `loss`; its value. Raises Diverged when it, or its gradient's norm, is not finite."""
        value = float(loss.detach())
        if not math.isfinite(value):
            raise Diverged(f"the loss is not finite at step {self.step}")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.spec.clip_norm is not None:
            norm = nn.utils.clip_grad_norm_(self.parameters, self.spec.clip_norm)
            if not bool(torch.isfinite(norm)):
                raise Diverged(f"the gradient is not finite at step {self.step}")
        for group in self.optimizer.param_groups:
            group["lr"] = self.spec.learning_rate * learning_rate_factor(self.step, self.spec)
        self.optimizer.step()
        if self.ema is not None:
            self.ema.step(self.parameters)
        self.step += 1
        return value

    def finish(self) -> None:
        """Put the average in the place of the weights, where there is one. Raises Diverged for weights not finite."""
        if self.ema is not None:
            self.ema.copy_to(self.parameters)
        self.optimizer.zero_grad(set_to_none=True)
        if not all(bool(torch.isfinite(p).all()) for p in self.parameters):
            raise Diverged(f"a weight is not finite after {self.step} steps")

    def state(self) -> dict[str, Tensor]:
        """All that `restore` needs to go on bit for bit, by name."""
        tensors = {f"parameter.{i}": p.detach() for i, p in enumerate(self.parameters)}
        for i, p in enumerate(self.parameters):
            for key, value in self.optimizer.state[p].items():
                tensors[f"optimizer.{i}.{key}"] = value
        if self.ema is not None:
            tensors |= {f"ema.{i}": p for i, p in enumerate(self.ema.shadow_params)}
        return tensors

    def restore(self, step: int, tensors: dict[str, Tensor]) -> None:
        """Go on from a `state` that was taken after `step` steps."""
        self.step = step
        with torch.no_grad():
            for i, p in enumerate(self.parameters):
                p.copy_(tensors[f"parameter.{i}"])
                prefix = f"optimizer.{i}."
                self.optimizer.state[p] = {
                    name.removeprefix(prefix): value.clone()
                    for name, value in tensors.items()
                    if name.startswith(prefix)
                }
        if self.ema is not None:
            self.ema.optimization_step = step
            self.ema.shadow_params = [tensors[f"ema.{i}"].clone() for i in range(len(self.parameters))]


def fit(
    parameters: Iterable[nn.Parameter],
    loss: Callable[[int], Tensor],
    spec: FitSpec,
    on_step: Callable[[int, float], None] | None = None,
) -> list[float]:
    """Minimise ``loss(step)`` for ``spec.steps`` steps; the losses, in order. Raises Diverged."""
    running = Fit(parameters, spec)
    losses = []
    for step in range(spec.steps):
        losses.append(running.advance(loss(step)))
        if on_step is not None:
            on_step(step, losses[-1])
    running.finish()
    return losses
