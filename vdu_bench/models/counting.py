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
        self.record_backward(output, len(output))

    def record_backward(self, value: Tensor, passes: int) -> None:
        """Count `passes` backward passes when a gradient arrives at `value`.

        For losses of what is inside a network: their gradients come to no output, so `record` does not see them.
        """

        def count(gradient: Tensor) -> None:  # noqa: ARG001
            self.backward += passes

        if value.requires_grad:
            value.register_hook(count)
