"""Images brought to the size that a network halves without remainder."""

from __future__ import annotations

import torch
from torch import Tensor


def padded(images: Tensor, size: int | None) -> Tensor:
    """Black margins around each image, the same on all sides (one more pixel right and below for an odd rest).

    Args:
        images: uint8 ``[N, C, H, W]``.
        size: the new height and width; None leaves the images as they are.

    Raises:
        ValueError: the images are larger than `size`.
    """
    if size is None:
        return images
    height, width = images.shape[-2:]
    if max(height, width) > size:
        raise ValueError(f"images of {height} x {width} pixels cannot be padded to {size}")
    top, left = (size - height) // 2, (size - width) // 2
    margins = (left, size - width - left, top, size - height - top)
    return torch.nn.functional.pad(images, margins)
