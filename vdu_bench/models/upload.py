"""What was drawn on the CPU, brought to the device of a model."""

from __future__ import annotations

from torch import Tensor


def upload(drawn: Tensor, like: Tensor) -> Tensor:
    """`drawn`, on the device of `like` and in its dtype.

    A GPU takes it from pinned memory when it comes to it. From any other memory the copy would wait for all that is
    under way, and the GPU would then wait for the next kernels.
    """
    if like.is_cuda and not drawn.is_cuda:
        drawn = drawn.pin_memory()
    return drawn.to(like.device, like.dtype, non_blocking=True)
