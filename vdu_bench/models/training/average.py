"""The exponential average of a training's weights."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from diffusers.training_utils import EMAModel
from torch import nn


class Average(EMAModel):
    """diffusers' own, all weights at once: s -= (1 - decay) (s - p).

    Its ``foreach`` rounds otherwise on a CPU, where product and difference become one operation. In two operations the
    bits are those of one weight after the other, on every device.
    """

    @torch.no_grad()
    def step(self, parameters: Iterable[nn.Parameter]) -> None:
        """Take the weights after a step into account, all of them trained."""
        self.optimization_step += 1
        self.cur_decay_value = self.get_decay(self.optimization_step)
        moved = torch._foreach_sub(self.shadow_params, list(parameters))
        torch._foreach_mul_(moved, 1 - self.cur_decay_value)
        torch._foreach_sub_(self.shadow_params, moved)
