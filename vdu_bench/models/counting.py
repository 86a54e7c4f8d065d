"""Counting denoiser evaluations: the cost of a method in a unit that no hardware changes."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass
class EvaluationCounter:
    """Denoiser passes since the counter was made, one for each image.

    Attributes:
        forward: forward evaluations.
        backward: backward evaluations (counted when a gradient really arrives at the denoiser's output).
    """

    forward: int = 0
    backward: int = 0

    def record(self, output: Tensor) -> None:
        """Count one pass that gave `output` (``[N, ...]``), and its backward pass if there will be one."""
        self.forward += len(output)
        if output.requires_grad:
            output.register_hook(self._count_backward)

    def _count_backward(self, gradient: Tensor) -> None:
        self.backward += len(gradient)
