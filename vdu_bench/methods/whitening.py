"""Training in the posterior's own coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vdu_bench.models.posterior.gaussian import WeightPosterior


class Whitening:
    """theta = mu + sigma z: the optimiser moves z, the network has theta.

    All weights at once: one after the other, a network of a few million takes longer to ask for their sums and products
    than for its own.

    Args:
        module: has the weights; those that the posterior names are set from z, which begins where they are.
        posterior: of some of its weights, by name.

    Attributes:
        names: of the weights, in the module's order.
        theta: the weights.
        z: their coordinates, parameters of their own.
    """

    def __init__(self, module: nn.Module, posterior: WeightPosterior) -> None:
        named = {name: p for name, p in module.named_parameters() if name in posterior.std}
        self.names, self.theta = list(named), list(named.values())
        self._mean = tuple(posterior.mean[name] for name in named)
        self._std = tuple(posterior.std[name] for name in named)
        pairs = zip(self.theta, self._mean, self._std, strict=True)
        self.z = [nn.Parameter((theta.detach() - mean) / std) for theta, mean, std in pairs]

    @torch.no_grad()
    def place(self) -> None:
        """Set theta to what z stands for."""
        # In two operations, and not in one that rounds once: the bits are those of mu + sigma z on every device.
        theta = tuple(self.theta)
        torch._foreach_copy_(theta, tuple(self.z))
        torch._foreach_mul_(theta, self._std)
        torch._foreach_add_(theta, self._mean)

    def pull(self) -> None:
        """Move the gradients of theta to z, sigma times as large. Theta has none after that."""
        used = [i for i, theta in enumerate(self.theta) if theta.grad is not None]
        slopes = [_taken(self.theta[i]) for i in used]
        with torch.no_grad():
            if slopes:
                torch._foreach_mul_(slopes, tuple(self._std[i] for i in used))
            self._add([self.z[i] for i in used], slopes)

    def twins(self) -> list[Tensor]:
        """Leaves of their own with the values of z, to take the gradient of something that z alone decides."""
        return [z.detach().requires_grad_() for z in self.z]

    def take(self, twins: Sequence[Tensor]) -> None:
        """Move the gradients of `twins` to z."""
        with torch.no_grad():
            self._add(self.z, [_taken(twin) for twin in twins])

    def _add(self, z: Sequence[nn.Parameter], slopes: Sequence[Tensor]) -> None:
        # Not by autograd, which adds them one after the other.
        have = [(one.grad, slope) for one, slope in zip(z, slopes, strict=True) if one.grad is not None]
        if have:
            torch._foreach_add_([grad for grad, _ in have], [slope for _, slope in have])
        for one, slope in zip(z, slopes, strict=True):
            if one.grad is None:
                one.grad = slope


def _taken(leaf: Tensor) -> Tensor:
    """Its gradient, which it has no more."""
    slope, leaf.grad = leaf.grad, None
    assert slope is not None
    return slope


class SquaredNorm(torch.autograd.Function):
    """sum_i |z_i|^2 of several tensors, and 2 g z_i for each: some kernels in all, where autograd has some for each."""

    @staticmethod
    def forward(ctx: Any, *z: Tensor) -> Tensor:
        ctx.save_for_backward(*z)
        return torch.stack(torch._foreach_norm(z)).square().sum()

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, ...]:
        (slope,) = slopes
        return tuple(torch._foreach_mul(ctx.saved_tensors, 2 * slope))


def squared_norm(z: Sequence[Tensor]) -> Tensor:
    """sum_i |z_i|^2, a scalar, of tensors of any shapes."""
    norm: Tensor = SquaredNorm.apply(*z)
    return norm
