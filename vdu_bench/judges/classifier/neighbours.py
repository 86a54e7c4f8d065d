"""How far images are, in a judge's features, from the nearest of other images."""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK = 2000


def distance_to_nearest(features: Tensor, reference: Tensor, neighbour: int = 1) -> Tensor:
    """The Euclidean distance of each of `features` to the k-th nearest of `reference`, float32 ``[N]``.

    Args:
        features: float ``[N, F]``.
        reference: float ``[R, F]``, R at least `neighbour`.
        neighbour: k, from 1 up.
    """
    nearest = [torch.cdist(chunk, reference).kthvalue(neighbour, dim=1).indices for chunk in features.split(CHUNK)]
    # Once more by the difference: what a matrix product gives is no 0 for an image that is its own neighbour.
    return (features - reference[torch.cat(nearest)]).norm(dim=1)
