"""Generations off the data manifold: too far, in a judge's features, from every real image."""

from __future__ import annotations

import torch
from torch import Tensor

NEIGHBOUR = 5
QUANTILE = 0.99
CHUNK = 2000


class JunkDetector:
    """Flags an image whose distance to its k-th nearest real training image is larger than nearly all held-out ones'.

    The threshold is the 99 % quantile of the same distance for held-out real images, so about 1 % of real images
    would be called junk. In the manner of the manifold test of Kynkaanniemi et al. 2019 ("Improved precision and
    recall"), with one radius for the whole manifold.

    Args:
        reference: features of the training images, float ``[R, F]``.
        held_out: features of the held-out images, float ``[H, F]``.
    """

    def __init__(self, reference: Tensor, held_out: Tensor) -> None:
        self._reference = reference
        self.threshold = float(self.distances(held_out).quantile(QUANTILE))

    def distances(self, features: Tensor) -> Tensor:
        """Distance to the k-th nearest training image, ``[N]``."""
        near = [
            torch.cdist(chunk, self._reference).kthvalue(NEIGHBOUR, dim=1).values for chunk in features.split(CHUNK)
        ]
        return torch.cat(near)

    def flags(self, features: Tensor) -> Tensor:
        """bool ``[N]``: which images are junk."""
        return self.distances(features) > self.threshold
