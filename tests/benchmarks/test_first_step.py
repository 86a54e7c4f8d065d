"""How far Adam's first step goes, watched from outside, against its closed form."""

from __future__ import annotations

import torch
from first_step import FirstStep
from torch import nn


def test_the_first_step_is_the_gradient_over_itself_and_epsilon() -> None:
    """g / (|g| + eps) by Adam's bias correction. Later steps, and weights without a gradient, are left out."""
    gradients = torch.tensor([1.0, 1e-8, -1e-9])
    reached, left = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.Adam([reached, left], lr=0.01)
    watched = FirstStep()
    for scale in (1, 100):
        reached.grad = scale * gradients
        optimizer.step()
    torch.testing.assert_close(watched.moved, torch.tensor([1.0, 0.5, 1 / 11]), rtol=1e-4, atol=1e-6)
    assert torch.equal(watched.gradients, gradients)
