"""What was drawn on the CPU, brought to the device of a model."""

from __future__ import annotations

import torch
from torch import Tensor


def upload(drawn: Tensor, like: Tensor | torch.device) -> Tensor:
    """`drawn`, on the device of `like`; numbers with a fraction in its dtype, others (times, positions) in their own.

    A GPU takes it from pinned memory when it comes to it. From any other memory the copy would wait for all that is
    under way, and the GPU would then wait for the next kernels.
    """
    device = like if isinstance(like, torch.device) else like.device
    dtype = drawn.dtype if isinstance(like, torch.device) or not drawn.is_floating_point() else like.dtype
    if device.type == "cuda" and not drawn.is_cuda:
        drawn = drawn.pin_memory()
    return drawn.to(device, dtype, non_blocking=True)
