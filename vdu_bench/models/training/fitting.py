"""The one optimisation loop: base models, judges and unlearning methods are all fitted by it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Protocol

import torch
from torch import Tensor, nn

from vdu_bench.errors import Diverged
from vdu_bench.models.specs import FitSpec
from vdu_bench.models.training.average import Average
from vdu_bench.models.training.processes import ALONE, Team


class Backward(Protocol):
    """Adds a scalar loss's gradients to what the parameters have in ``.grad``, times the scale where the loop scales.

    `retain_graph` keeps what is needed for another pass, of another loss, through the same evaluation.
    """

    def __call__(self, loss: Tensor, *, retain_graph: bool = False) -> None: ...


FUSED = ("cuda",)
"""Where the optimiser moves all weights by one kernel. Elsewhere a step's many kernels take it longer to begin than to
compute: of 330 small tensors, 11 of the 26 ms that a step took on an H200."""
WINDOW = 25
"""How many steps of a GPU pass before their losses are read: to read one is to wait for all that is under way."""

Gradients = Callable[[int, Backward], Tensor]
"""Leaves a step's gradients in the parameters' ``.grad``; the loss, a scalar, to be told. Takes the step, from 0."""


def gradients_of(loss: Callable[[int], Tensor]) -> Gradients:
    """The plain gradients of ``loss(step)``."""

    def gradients(step: int, backward: Backward) -> Tensor:
        value = loss(step)
        backward(value)
        return value

    return gradients


def learning_rate_factor(step: int, spec: FitSpec) -> float:
    """What the peak learning rate is multiplied by at `step` (from 0): linear warm-up, then constant or cosine."""
    if step < spec.warmup_steps:
        return (step + 1) / spec.warmup_steps
    if spec.schedule == "constant":
        return 1.0
    progress = (step - spec.warmup_steps) / max(1, spec.steps - spec.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * progress))


class Fit:
    """An optimisation in progress: parameters, optimiser, average and step, to be advanced by one step at a time.

    Args:
        parameters: what is trained, in float32.
        spec: how.
        autocast: the precision that losses are computed in, where that is not the parameters'. The gradients of a
            float16 loss would vanish, so it is scaled (Micikevicius et al. 2018), by torch's GradScaler.
        team: the processes that each have a part of the batch, and begin with the same parameters; losses and gradients
            are averaged over them, so the parameters stay the same.
        window: how many steps pass before their losses are read, and a divergence is seen. None: one on the CPU, where
            nobody waits, and for a loss that is scaled, which is read in any case; `WINDOW` elsewhere.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        spec: FitSpec,
        autocast: torch.dtype | None = None,
        team: Team = ALONE,
        window: int | None = None,
    ) -> None:
        self.team = team
        self.parameters = list(parameters)
        self.spec = spec
        self.step = 0
        device = self.parameters[0].device.type
        self._fused = device in FUSED
        rate, fused = spec.learning_rate, self._fused or None
        if spec.optimizer == "adam":
            self.optimizer: torch.optim.Optimizer = torch.optim.Adam(self.parameters, lr=rate, fused=fused)
        else:
            decay = spec.weight_decay
            self.optimizer = torch.optim.AdamW(self.parameters, lr=rate, weight_decay=decay, fused=fused)
        self.ema = Average(self.parameters, decay=spec.ema_decay) if spec.ema_decay else None
        scaled = autocast == torch.float16
        self.scaler = torch.amp.GradScaler(device) if scaled else None
        self.window = window or (1 if scaled or device == "cpu" else WINDOW)
        self._unread: list[tuple[int, Tensor, Tensor | None]] = []

    def advance(self, gradients: Gradients) -> list[tuple[int, float]]:
        """One step down `gradients`; at a window's end its steps that were taken, each with the loss that it tells.

        When it is the scale that makes a gradient overflow, no step is taken: the scale is halved, `step` stays, and
        that step is to be tried again. What draws by the step draws the same once more; what draws from a generator
        that goes on, as methods do, draws and counts anew.

        Raises as `read`, and ValueError where `gradients` leaves none.
        """
        self.optimizer.zero_grad(set_to_none=True)
        loss = gradients(self.step, self.backward)
        _check_loss(loss, "gradients gives")
        loss = loss.detach().reshape(()).clone()
        self.team.average([loss])
        if self.scaler is not None and not math.isfinite(float(loss)):
            raise Diverged(f"the loss is not finite at step {self.step}")
        found = [p.grad for p in self.parameters if p.grad is not None]
        if not found:
            raise ValueError("no parameter has a gradient: is backward(loss) called, and with a loss of these weights?")
        self.team.average(found)
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)
        norm = None
        if self.spec.clip_norm is not None:
            norm = nn.utils.clip_grad_norm_(self.parameters, self.spec.clip_norm)
        self._unread.append((self.step, loss, norm if self.scaler is None else None))
        if self.window == 1 and self.scaler is None:
            # Before the weights move.
            self._check()
        for group in self.optimizer.param_groups:
            group["lr"] = self.spec.learning_rate * learning_rate_factor(self.step, self.spec)
        if self._descend():
            if self.ema is not None:
                self.ema.step(self.parameters)
            self.step += 1
        else:
            self._unread.pop()
        # Not to be held while the next loss is computed.
        self.optimizer.zero_grad(set_to_none=True)
        return self.read() if len(self._unread) >= self.window or self.step == self.spec.steps else []

    def read(self) -> list[tuple[int, float]]:
        """The steps that were taken since the last reading, each with its loss: what waits for the device.

        Raises Diverged for the first step whose loss, or clipped gradient, is not finite.
        """
        losses = self._check()
        told = [(step, loss) for (step, *_), loss in zip(self._unread, losses, strict=True)]
        self._unread.clear()
        return told

    def _check(self) -> list[float]:
        """The losses that are not read yet. Raises Diverged."""
        if not self._unread:
            return []
        losses: list[float] = torch.stack([loss for _, loss, _ in self._unread]).tolist()
        clipped = [norm for *_, norm in self._unread if norm is not None]
        norms: list[float] = torch.stack(clipped).tolist() if clipped else [0.0] * len(losses)
        last = self._unread[-1][0]
        for (step, *_), loss, norm in zip(self._unread, losses, norms, strict=True):
            # In their order: one bad gradient spoils every loss that comes after it.
            for what, value in (("loss", loss), ("gradient", norm)):
                if not math.isfinite(value):
                    raise Diverged(
                        f"the {what} is not finite at step {step}" + f", seen after step {last}" * (last > step)
                    )
        return losses

    def backward(self, loss: Tensor, *, retain_graph: bool = False) -> None:
        """Add the gradients of `loss`, a scalar, to what the parameters have, times the scale where there is one."""
        _check_loss(loss, "backward is given")
        (loss if self.scaler is None else self.scaler.scale(loss)).backward(retain_graph=retain_graph)

    def run(self, gradients: Gradients, on_step: Callable[[int, float], None] | None = None) -> list[float]:
        """Advance to the end; the losses, in order. Raises as `advance` and `finish`.

        `on_step` is called with each step that was taken, and its loss, when that is read.
        """
        losses: list[float] = []
        while self.step < self.spec.steps:
            for step, value in self.advance(gradients):
                losses.append(value)
                if on_step is not None:
                    on_step(step, value)
        self.finish()
        return losses

    def _descend(self) -> bool:
        """Move the parameters; whether they were, since gradients that overflowed under their scale move nothing."""
        if self.scaler is None:
            self.optimizer.step()
            return True
        scale = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.scaler.get_scale() < 1:
            raise Diverged(f"the gradient is not finite at step {self.step}, however the loss is scaled")
        return self.scaler.get_scale() >= scale

    def finish(self) -> None:
        """Put the average in the place of the weights, where there is one. Raises Diverged for weights not finite."""
        self.read()
        if self.ema is not None:
            self.ema.copy_to(self.parameters)
        self.optimizer.zero_grad(set_to_none=True)
        if not bool(torch.stack([torch.isfinite(p).all() for p in self.parameters]).all()):
            raise Diverged(f"a weight is not finite after {self.step} steps")

    def state(self) -> dict[str, Tensor]:
        """All that `restore` needs to go on bit for bit, by name."""
        tensors = {f"parameter.{i}": p.detach() for i, p in enumerate(self.parameters)}
        for i, p in enumerate(self.parameters):
            for key, value in self.optimizer.state[p].items():
                tensors[f"optimizer.{i}.{key}"] = value
        if self.ema is not None:
            tensors |= {f"ema.{i}": p for i, p in enumerate(self.ema.shadow_params)}
        if self.scaler is not None:
            # Whatever it holds is a number.
            tensors |= {f"scaler.{key}": torch.tensor(value) for key, value in self.scaler.state_dict().items()}
        return tensors

    def restore(self, step: int, tensors: dict[str, Tensor]) -> None:
        """Go on from a `state` that was taken after `step` steps, on whatever device its tensors are."""
        self.step = step
        with torch.no_grad():
            for i, p in enumerate(self.parameters):
                p.copy_(tensors[f"parameter.{i}"])
                prefix = f"optimizer.{i}."
                keys = [name.removeprefix(prefix) for name in tensors if name.startswith(prefix)]
                self.optimizer.state[p] = {key: self._placed(key, tensors[f"{prefix}{key}"], p) for key in keys}
        if self.ema is not None:
            self.ema.optimization_step = step
            pairs = enumerate(self.parameters)
            self.ema.shadow_params = [tensors[f"ema.{i}"].to(p.device, copy=True) for i, p in pairs]
        if self.scaler is not None:
            self.scaler.load_state_dict({key: tensors[f"scaler.{key}"].item() for key in self.scaler.state_dict()})

    def _placed(self, key: str, value: Tensor, parameter: Tensor) -> Tensor:
        """A copy of what the optimiser holds of a parameter, where it looks for it."""
        if key == "step":
            return value.to(parameter.device if self._fused else "cpu", copy=True)
        # In the parameter's layout too, which may be channels last, and a file's is not: fused kernels ask for one.
        return torch.empty_like(parameter).copy_(value)


def fit(
    parameters: Iterable[nn.Parameter],
    loss: Callable[[int], Tensor],
    spec: FitSpec,
    on_step: Callable[[int, float], None] | None = None,
    autocast: torch.dtype | None = None,
) -> list[float]:
    """Minimise ``loss(step)`` for ``spec.steps`` steps, in `Fit`'s terms; the losses, in order. Raises Diverged."""
    return Fit(parameters, spec, autocast).run(gradients_of(loss), on_step)


def _check_loss(loss: object, who: str) -> None:
    """Raise TypeError, in words for whoever wrote a loss, for what is none."""
    if not isinstance(loss, Tensor):
        raise TypeError(f"{who} {type(loss).__name__}, and not the loss: a tensor of one number (does it return it?)")
    if loss.numel() != 1:
        raise TypeError(f"{who} a tensor of {list(loss.shape)}, and not the loss: one number (its mean?)")
