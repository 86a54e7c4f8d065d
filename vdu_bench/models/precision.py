"""What a GPU computes float32 in: flags of torch's that hold for the whole process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from vdu_bench.models.specs import Precision


def set_arithmetic(precision: Precision) -> None:
    """TF32 in matrix products and convolutions unless float32 proper is asked for, ``off``: torch has both.

    Autocast leaves some of a model in float32: the autoencoder, the text encoder, and layers that torch keeps there.
    Where the rest has eight or eleven bits, these need no more than TF32 has.
    """
    tf32 = precision != "off"
    _set(tf32, tf32)


@contextmanager
def arithmetic(precision: Precision) -> Iterator[None]:
    """As `set_arithmetic`, forward and backward, until the end of the block; then as it was."""
    before = _flags()
    set_arithmetic(precision)
    try:
        yield
    finally:
        _set(*before)


def _flags() -> tuple[bool, bool]:
    """Whether matrix products and convolutions are in TF32."""
    cuda, cudnn = torch.backends.cuda, torch.backends.cudnn
    if hasattr(cudnn, "conv"):
        # Since torch 2.9; the older flags cannot be read where somebody has set these.
        return cuda.matmul.fp32_precision == "tf32", cudnn.conv.fp32_precision == "tf32"
    return cuda.matmul.allow_tf32, cudnn.allow_tf32


def _set(products: bool, convolutions: bool) -> None:
    # By the older flags, which every torch has, and which set the newer ones as well.
    torch.backends.cuda.matmul.allow_tf32 = products
    torch.backends.cudnn.allow_tf32 = convolutions


def set_algorithms() -> None:
    """cuDNN's convolutions by the same algorithm in every run, and not by whichever won a race at the first batch."""
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
