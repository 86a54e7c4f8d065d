"""Generations off the data manifold: too far, in a judge's features, from every real image."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vdu_bench.judges.classifier.neighbours import distance_to_nearest
from vdu_bench.stats.cross_calibration import cross_calibrated

NEIGHBOUR = 5
LEVEL = 0.99


class JunkDetector:
    """Flags an image whose distance to its k-th nearest real training image is larger than nearly all held-out ones'.

    The threshold is the 99 % quantile of the same distance for held-out real images, cross-calibrated in five folds, so
    that 1 % of new real images are called junk. In the manner of the manifold test of Kynkaanniemi et al. 2019
    ("Improved precision and recall"), with one radius for the whole manifold.

    Args:
        reference: features of the training images, float ``[R, F]``.
        held_out: features of the held-out images, float ``[H, F]``.

    Attributes:
        threshold: the distance beyond which an image is junk.
        held_out_flags: bool ``[H]``, which held-out images are junk by the threshold that the others alone give.
    """

    def __init__(self, reference: Tensor, held_out: Tensor) -> None:
        self._reference = reference
        calibrated = cross_calibrated(self.distances(held_out).numpy().astype(np.float64), LEVEL)
        self.threshold = calibrated.threshold
        self.held_out_flags = torch.from_numpy(calibrated.beyond)

    def distances(self, features: Tensor) -> Tensor:
        """Distance to the k-th nearest training image, ``[N]``."""
        return distance_to_nearest(features, self._reference, NEIGHBOUR)

    def flags(self, features: Tensor) -> Tensor:
        """bool ``[N]``: which images are junk."""
        return self.distances(features) > self.threshold
